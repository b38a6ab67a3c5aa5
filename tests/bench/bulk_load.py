"""Loading one Parquet file until it is durable: rows a second, and bytes a row on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from data import FACTS, facts
from harness import OURS, Row, markdown, run_alone, seconds

from hartonomous import hql

THREADS = 2


def ours(source: Path, folder: Path) -> None:
    with hql.connect(folder) as database:
        database.execute(FACTS)
        database.execute(f"COPY facts FROM '{source}'")


def duckdbs(source: Path, folder: Path) -> None:
    folder.mkdir()
    with duckdb.connect(str(folder / "facts.duckdb"), config={"threads": THREADS}) as database:
        database.execute(f"CREATE TABLE facts AS FROM read_parquet('{source}')")
        database.execute("CHECKPOINT")


def lancedbs(source: Path, folder: Path) -> None:
    import lancedb

    database = lancedb.connect(folder)
    reader = pq.ParquetFile(source)
    database.create_table("facts", reader.iter_batches(1 << 17), schema=reader.schema_arrow)


LOADERS = {OURS: ours, "DuckDB": duckdbs, "LanceDB": lancedbs}


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def benchmark(full: bool) -> str:
    rows, repeat = (10_000_000, 3) if full else (500_000, 2)
    rates, sizes = dict.fromkeys(LOADERS, 0.0), dict.fromkeys(LOADERS, 0.0)
    with tempfile.TemporaryDirectory() as root:
        source = Path(root) / "facts.parquet"
        pq.write_table(facts(rows), source)
        for _ in range(repeat):
            for name, load in LOADERS.items():
                folder = Path(root) / "loaded"
                os.sync()  # nobody pays for another's dirty pages
                taken = seconds(lambda load=load, folder=folder: load(source, folder))
                rates[name] = max(rates[name], rows / taken)
                sizes[name] = size_of(folder) / rows
                shutil.rmtree(folder)
        lines = [
            Row(f"load {rows:,} rows", rates, "rows/s", goal="1 × DuckDB", better="more"),
            Row("size on the disk", sizes, "bytes/row"),
        ]
    note = (
        f"Parquet of {source_note(rows)}; no primary key, {THREADS} threads. Ours hashes every row "
        "into the commit's Merkle root and every object by SHA-256 and closes the folder; DuckDB "
        "checkpoints its file; LanceDB leaves flushing to the operating system."
    )
    return markdown("Bulk load", lines, note)


def source_note(rows: int) -> str:
    return f"{rows:,} rows with seven columns (integers, floats, a date, a short text)"


if __name__ == "__main__":
    run_alone(benchmark)
