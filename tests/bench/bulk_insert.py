"""Rows from a Python program: executemany beside sqlite3's and DuckDB's, and Arrow tables."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from harness import OURS, Row, markdown, run_alone, seconds

from hartonomous import hql

#: (a column list for all, whether there is a primary key)
TABLES = {
    "no key": "a BIGINT, b FLOAT, c {text}",
    "primary key": "a BIGINT PRIMARY KEY, b FLOAT, c {text}",
}
TEXTS = {OURS: "NVARCHAR(40)", "sqlite3": "TEXT", "DuckDB": "VARCHAR"}
MARKS = "INSERT INTO t VALUES (?, ?, ?)"

Rows = list[tuple[int, float, str]]
Load = Callable[[Path, str, Rows], float]


def ours(folder: Path, columns: str, rows: Rows) -> float:
    with hql.connect(folder) as database:
        database.execute(f"CREATE TABLE t ({columns.format(text=TEXTS[OURS])})")
        taken = seconds(lambda: database.executemany(MARKS, rows))
        assert database.execute("SELECT COUNT(*), SUM(a) FROM t").fetchone() == expected(rows)
    return taken


def sqlites(folder: Path, columns: str, rows: Rows) -> float:
    folder.mkdir()
    with sqlite3.connect(folder / "t.sqlite") as database:
        database.execute(f"CREATE TABLE t ({columns.format(text=TEXTS['sqlite3'])})")

        def load() -> None:
            database.executemany(MARKS, rows)
            database.commit()

        taken = seconds(load)
        assert database.execute("SELECT COUNT(*), SUM(a) FROM t").fetchone() == expected(rows)
    database.close()
    return taken


def duckdbs(folder: Path, columns: str, rows: Rows) -> float:
    folder.mkdir()
    with duckdb.connect(str(folder / "t.duckdb")) as database:
        database.execute(f"CREATE TABLE t ({columns.format(text=TEXTS['DuckDB'])})")

        def load() -> None:
            database.begin()
            database.executemany(MARKS, rows)
            database.commit()

        taken = seconds(load)
        assert database.execute("SELECT COUNT(*), SUM(a) FROM t").fetchone() == expected(rows)
    return taken


def expected(rows: Rows) -> tuple[int, int]:
    return len(rows), sum(row[0] for row in rows)


def our_arrow(folder: Path, columns: str, table: pa.Table) -> float:
    with hql.connect(folder) as database:
        database.execute(f"CREATE TABLE t ({columns.format(text=TEXTS[OURS])})")
        return seconds(lambda: database.execute("INSERT INTO t SELECT * FROM @r", {"r": table}))


def duckdbs_arrow(folder: Path, columns: str, table: pa.Table) -> float:
    folder.mkdir()
    with duckdb.connect(str(folder / "t.duckdb")) as database:
        database.execute(f"CREATE TABLE t ({columns.format(text=TEXTS['DuckDB'])})")
        database.register("r", table)
        return seconds(lambda: database.execute("INSERT INTO t SELECT * FROM r"))


def rates(loads: dict[str, Callable[[Path], float]], count: int, repeat: int) -> dict[str, float]:
    """Rows a second of each, the best of `repeat` runs taken in turns after one that does not
    count, each into a new database."""
    best = dict.fromkeys(loads, 0.0)
    with tempfile.TemporaryDirectory() as root:
        for turn in range(repeat + 1):
            for name, load in loads.items():
                os.sync()  # nobody pays for another's dirty pages
                folder = Path(root) / "loaded"
                taken = load(folder)
                shutil.rmtree(folder)
                if turn:
                    best[name] = max(best[name], count / taken)
    return best


def benchmark(full: bool) -> str:
    count, slow, arrow, repeat = (
        (1_000_000, 10_000, 5_000_000, 3) if full else (100_000, 2_000, 500_000, 2)
    )
    rows: Rows = [(i, i * 0.5, f"name {i % 1000}") for i in range(count)]
    lines = []
    for title, columns in TABLES.items():
        figures = rates(
            {
                OURS: lambda folder, columns=columns: ours(folder, columns, rows),
                "sqlite3": lambda folder, columns=columns: sqlites(folder, columns, rows),
            },
            count,
            repeat,
        )
        # one statement a row: fewer rows say as much
        few = {"DuckDB": lambda folder, columns=columns: duckdbs(folder, columns, rows[:slow])}
        figures |= rates(few, slow, 1)
        what = f"executemany, {count:,} tuples, {title}"
        lines.append(Row(what, figures, "rows/s", goal="1 × sqlite3", better="more"))
    lines += [_few_rows(repeat), _updates(count // 4, repeat), _arrow(arrow, repeat)]
    note = (
        "A BIGINT, a FLOAT and a short text, from tuples or an Arrow table in memory into a new "
        f"folder or file, committed. DuckDB's executemany was given {slow:,} rows only (it runs a "
        "statement for each). Ours is durable when the call returns (fdatasync); so is sqlite3's "
        "with its default settings, and DuckDB's log."
    )
    return markdown("Bulk insert from Python", lines, note)


def _few_rows(repeat: int) -> Row:
    rows: Rows = [(i, i * 0.5, f"name {i}") for i in range(10)]
    columns = TABLES["no key"]
    loads = {
        OURS: lambda folder: ours(folder, columns, rows),
        "sqlite3": lambda folder: sqlites(folder, columns, rows),
        "DuckDB": lambda folder: duckdbs(folder, columns, rows),
    }
    figures = rates(loads, len(rows), repeat * 3)
    return Row("executemany, 10 tuples", figures, "rows/s", better="more")


def _updates(count: int, repeat: int) -> Row:
    """Every row by its key, in an order of its own."""
    rows: Rows = [(i, i * 0.5, f"name {i}") for i in range(count)]
    order = np.random.default_rng(5).permutation(count).tolist()
    sets = [(i * 1.5, f"new {i}", i) for i in order]
    text, columns = "UPDATE t SET b = ?, c = ? WHERE a = ?", TABLES["primary key"]

    def our_updates(folder: Path) -> float:
        ours(folder, columns, rows)
        with hql.connect(folder) as database:
            return seconds(lambda: database.executemany(text, sets))

    def sqlites_updates(folder: Path) -> float:
        sqlites(folder, columns, rows)
        with sqlite3.connect(folder / "t.sqlite") as database:

            def update() -> None:
                database.executemany(text, sets)
                database.commit()

            return seconds(update)

    figures = rates({OURS: our_updates, "sqlite3": sqlites_updates}, count, repeat)
    return Row(f"executemany, {count:,} UPDATEs by key", figures, "rows/s", better="more")


def _arrow(count: int, repeat: int) -> Row:
    numbers = np.arange(count)
    table = pa.table(
        {
            "a": numbers,
            "b": numbers * 0.5,
            "c": pa.array([f"name {i % 1000}" for i in range(count)]),
        }
    )
    columns = TABLES["no key"]
    loads = {
        OURS: lambda folder: our_arrow(folder, columns, table),
        "DuckDB": lambda folder: duckdbs_arrow(folder, columns, table),
    }
    what = f"an Arrow table of {count:,} rows"
    return Row(what, rates(loads, count, repeat), "rows/s", goal="1 × DuckDB", better="more")


if __name__ == "__main__":
    run_alone(benchmark)
