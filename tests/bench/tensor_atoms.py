"""Aggregates over all rows of a real model, against DuckDB over the same columns in memory."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from harness import OURS, Row, markdown, milliseconds, run_alone, shortest
from model_files import SMOLLM, model_file
from models import THREADS, imported, with_models

TITLE = "Aggregates over a model's rows"
COLUMNS = "LayerIdx, TensorName, Norm, ImportanceScore"
FIGURES = """COUNT(*) AS Atoms, AVG(Norm) AS MeanNorm, MAX(Norm) AS LargestNorm,
    AVG(ImportanceScore) AS MeanScore, MIN(ImportanceScore) AS LeastScore"""
GROUPED = {
    "by LayerIdx and TensorName": "LayerIdx, TensorName",
    "by LayerIdx": "LayerIdx",
    "by TensorName": "TensorName",
}


@with_models(TITLE)
def benchmark(full: bool) -> str:
    repeat = 50 if full else 5
    rows: list[Row] = []
    with imported(smollm=model_file(*SMOLLM)) as (database, _), duckdb.connect() as peer:
        atoms = database.execute(f"SELECT {COLUMNS} FROM TensorAtoms").fetch_arrow_table()
        peer.execute(f"SET threads = {THREADS}")
        peer.register("TensorAtoms", atoms)

        def ours(text: str) -> pa.Table:
            return database.execute(text).fetch_arrow_table()

        def theirs(text: str) -> pa.Table:
            return peer.sql(text).to_arrow_table()

        for what, keys in GROUPED.items():
            text = f"SELECT {keys}, {FIGURES} FROM TensorAtoms GROUP BY {keys}"
            assert same(ours(text), theirs(text)), keys
            runs = {OURS: lambda text=text: ours(text), "DuckDB": lambda text=text: theirs(text)}
            found = milliseconds(shortest(runs, repeat))
            rows.append(Row(f"{len(atoms):,} atoms {what}", found, "ms", "50 ms"))
    note = (
        "All tensor atoms of SmolLM2-135M; count, and means and extremes of Norm and "
        "ImportanceScore. DuckDB reads an Arrow table of these four columns."
    )
    return markdown(TITLE, rows, note)


def same(found: pa.Table, expected: pa.Table) -> bool:
    """The same rows in whatever order, floats to 12 digits."""

    def rounded(table: pa.Table) -> set[tuple[object, ...]]:
        return {
            tuple(float(f"{v:.12g}") if isinstance(v, float) else v for v in row.values())
            for row in table.to_pylist()
        }

    return rounded(found) == rounded(expected)


if __name__ == "__main__":
    run_alone(benchmark)
