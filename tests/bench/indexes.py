"""Rows by key and by index beside SQLite and DuckDB, and what inserting costs with indexes."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from harness import OURS, Row, markdown, run_alone, seconds, shortest, shortest_told

from hartonomous import hql

TEXTS = {OURS: "NVARCHAR(40)", "SQLite": "TEXT", "DuckDB": "VARCHAR"}
TABLE = "CREATE TABLE t (id BIGINT PRIMARY KEY, a BIGINT, s {text})"
INDEXES = ("CREATE INDEX ix_a ON t (a)", "CREATE INDEX ix_s ON t (s)")
INSERT = "INSERT INTO t VALUES (?, ?, ?)"
COLUMNS = "SELECT id, a, s FROM t WHERE "

Rows = list[tuple[int, int, str]]
Run = Callable[[str, Sequence[Any]], list[Any]]
#: runs a query, inserts rows in a transaction
Engine = tuple[Run, Callable[[Rows], None]]


@contextmanager
def ours(folder: Path) -> Iterator[Engine]:
    with hql.connect(folder / "t.hdb") as database:
        cursor = database.cursor()

        def run(text: str, given: Sequence[Any]) -> list[Any]:
            cursor.execute(text, given)
            return [] if cursor.description is None else cursor.fetchall()

        yield run, lambda rows: void(database.executemany(INSERT, rows))


@contextmanager
def sqlites(folder: Path) -> Iterator[Engine]:
    database = sqlite3.connect(folder / "t.sqlite")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")

    def insert(rows: Rows) -> None:
        database.executemany(INSERT, rows)
        database.commit()

    yield lambda text, given: database.execute(text, given).fetchall(), insert
    database.close()


@contextmanager
def duckdbs(folder: Path) -> Iterator[Engine]:
    with duckdb.connect(str(folder / "t.duckdb")) as database:

        def insert(rows: Rows) -> None:
            columns = map(pa.array, zip(*rows, strict=True))
            database.register("given", pa.table(list(columns), names=["id", "a", "s"]))
            database.execute("INSERT INTO t SELECT * FROM given")
            database.unregister("given")

        yield lambda text, given: database.execute(text, given).fetchall(), insert


ENGINES = {OURS: ours, "SQLite": sqlites, "DuckDB": duckdbs}


def void(_: Any) -> None:
    return None


def made(count: int) -> Rows:
    """`count` rows with distinct ids in no order, two rows to each `a` and `s`."""
    random = np.random.default_rng(4)
    ids, values = random.permutation(count).tolist(), random.integers(0, count // 2, count).tolist()
    return [(i, v, f"customer {v:09d}") for i, v in zip(ids, values, strict=True)]


@contextmanager
def filled(rows: Rows, more: Sequence[str] = ()) -> Iterator[dict[str, Run]]:
    """The table with its indexes and rows in every engine; `more` is run there, too."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        opened = {name: stack.enter_context(open_(root)) for name, open_ in ENGINES.items()}
        for name, (run, insert) in opened.items():
            run(TABLE.format(text=TEXTS[name]), ())
            insert(rows)
            for text in (*INDEXES, *more, "ANALYZE" if name == "SQLite" else "CHECKPOINT"):
                run(text, ())
        yield {name: run for name, (run, _) in opened.items()}


def lookups(count: int, turns: int, repeat: int) -> str:
    rows = made(count)
    random = np.random.default_rng(5)
    ids = random.integers(0, count, turns).tolist()
    values = random.integers(0, count // 2 - 60, turns).tolist()
    tests: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
        "by primary key": ("id = ?", [(i,) for i in ids]),
        "by an index of a number": ("a = ?", [(v,) for v in values]),
        "by an index of a text": ("s = ?", [(f"customer {v:09d}",) for v in values]),
        "100 rows of a range": ("a BETWEEN ? AND ?", [(v, v + 49) for v in values]),
        "20 keys": ("id BETWEEN ? AND ?", [(i, i + 19) for i in ids]),
    }
    lines = []
    with filled(rows) as runners:
        for what, (test, given) in tests.items():
            answers = [sorted(run(COLUMNS + test, given[0])) for run in runners.values()]
            assert answers[0] == answers[1] == answers[2] and answers[0], what
            runs = {n: partial(_each, run, test, given) for n, run in runners.items()}
            figures = {n: s / turns * 1e6 for n, s in shortest(runs, repeat).items()}
            lines.append(Row(what, figures, "µs", "1 × DuckDB"))
    note = (
        f"{count:,} rows on disk, one prepared query after another from Python, its rows fetched "
        "as tuples: what a call costs, as SQLite's runs in the caller and needs a few µs."
    )
    return markdown("Rows by key and by index", lines, note)


def _each(run: Run, test: str, given: Sequence[tuple[Any, ...]]) -> None:
    for values in given:
        run(COLUMNS + test, values)


def inserts(count: int, repeat: int) -> str:
    rows = made(count)
    few = rows[: count // 10]
    lines = [
        _inserted("at once, primary key", rows, count, repeat, indexed=False),
        _inserted("at once, primary key and two indexes", rows, count, repeat),
        _inserted("and looked up by each", rows, count, repeat, searched=True),
        _inserted("100 rows each, looked up after each", few, 100, repeat, searched=True),
    ]
    note = (
        f"{count:,} rows, {len(few):,} in transactions of 100; ids in no order. Ours builds its "
        "indexes when they are first asked for, or at a checkpoint. DuckDB is given Arrow tables, "
        "the others tuples; all are durable."
    )
    return markdown("Inserts with a key and two indexes", lines, note)


def _inserted(
    what: str, rows: Rows, size: int, repeat: int, indexed: bool = True, searched: bool = False
) -> Row:
    """Rows a second into new tables, in transactions of `size` rows; `searched`: a row of each is
    looked up by both indexes after it."""

    def load(name: str) -> float:
        with tempfile.TemporaryDirectory() as root, ENGINES[name](Path(root)) as (run, insert):
            run(TABLE.format(text=TEXTS[name]), ())
            for text in INDEXES if indexed else ():
                run(text, ())
            return seconds(lambda: fill(run, insert))

    def fill(run: Run, insert: Callable[[Rows], None]) -> None:
        for start in range(0, len(rows), size):
            insert(rows[start : start + size])
            if searched:
                assert run(COLUMNS + "a = ?", (rows[start][1],))
                assert run(COLUMNS + "s = ?", (rows[start][2],))

    told = shortest_told({n: partial(load, n) for n in ENGINES}, repeat)
    return Row(what, {n: len(rows) / s for n, s in told.items()}, "rows/s", better="more")


def benchmark(full: bool) -> str:
    count, turns, repeat = (1_000_000, 2_000, 5) if full else (50_000, 100, 2)
    inserted = 200_000 if full else 20_000
    return lookups(count, turns, repeat) + "\n" + inserts(inserted, 3 if full else 1)


if __name__ == "__main__":
    run_alone(benchmark)
