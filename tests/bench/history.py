"""A branch of a large table, the difference of one row, a merge of one row, the past of one row."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from harness import OURS, Row, markdown, run_alone

from hartonomous import hql
from hartonomous.hql.dbapi import Connection

ROWS = 1_000_000
#: a goal of issue 6
GOAL = "50"


def milliseconds_of(db: Connection, text: str) -> float:
    start = time.perf_counter()
    cursor = db.execute(text)
    if cursor.description is not None:
        cursor.fetchall()
    return (time.perf_counter() - start) * 1000


def benchmark(full: bool) -> str:
    count, turns = (ROWS, 9) if full else (100_000, 3)
    best: dict[str, float] = {}

    def measure(what: str, text: str) -> None:
        best[what] = min(best.get(what, float("inf")), milliseconds_of(db, text))

    with tempfile.TemporaryDirectory() as root, hql.connect(Path(root) / "h.hdb") as db:
        db.execute("CREATE TABLE t (a BIGINT PRIMARY KEY, b NVARCHAR(20), c FLOAT)")
        db.execute(
            "INSERT INTO t SELECT value, 'row', value * 0.5 FROM GENERATE_SERIES(1, @n)",
            {"n": count},
        )
        db.execute("CHECKPOINT")
        for turn in range(turns):
            measure("CREATE BRANCH", f"CREATE BRANCH b{turn}")
            db.execute(f"USE BRANCH b{turn}; UPDATE t SET b = 'theirs' WHERE a = {5_000 + turn}")
            db.execute(f"CREATE TAG there{turn}; USE BRANCH main")
            db.execute(f"UPDATE t SET b = 'ours' WHERE a = {7_000 + turn}; CREATE TAG here{turn}")
            measure("DIFF COMMIT of two changed rows", f"DIFF COMMIT here{turn}, there{turn}")
            measure("MERGE BRANCH of one row", f"MERGE BRANCH b{turn}")
            measure("REVERT COMMIT of one row", f"REVERT COMMIT here{turn}")
            measure(
                "a row by key AS OF the first commit of the turns",
                f"SELECT b FROM t FOR SYSTEM_TIME AS OF COMMIT here0 WHERE a = {5_000 + turn}",
            )
    lines = [Row(what, {OURS: figure}, "ms", GOAL) for what, figure in best.items()]
    note = f"A table of {count:,} rows in a folder; each change is durable when it is answered."
    return markdown("History of a large table", lines, note)


if __name__ == "__main__":
    run_alone(benchmark)
