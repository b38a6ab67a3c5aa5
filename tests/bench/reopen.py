"""Opening a database again: after a clean close, and after a kill that left a full WAL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
from data import FACTS, facts
from harness import OURS, Row, markdown, run_alone

from hartonomous import hql

COUNT = "SELECT COUNT(*) FROM facts"
WAL_BYTES = 60 << 20  # a little below the size at which a checkpoint would empty it

#: one opening in a process of its own, imports excluded
OUR_OPENING = """
import sys, time
from hartonomous import hql
with hql.connect(":memory:") as warm:
    warm.execute("CREATE TABLE t (a INT)")
    warm.execute("SELECT COUNT(*) FROM t").fetchall()
start = time.perf_counter()
database = hql.connect(sys.argv[1])
opened = time.perf_counter()
database.execute(sys.argv[2]).fetchall()
print(opened - start, time.perf_counter() - start)
"""
DUCKDB_OPENING = """
import sys, time, duckdb
duckdb.connect(":memory:").execute("SELECT 1").fetchall()
start = time.perf_counter()
database = duckdb.connect(sys.argv[1])
opened = time.perf_counter()
database.execute(sys.argv[2]).fetchall()
print(opened - start, time.perf_counter() - start)
"""
#: commits rows until the WAL is full, then dies without closing
FILL_WAL = """
import os, sys, pathlib
from hartonomous import hql
folder, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
database = hql.connect(folder)
sys.path.insert(0, sys.argv[3])
from data import facts
rows = facts(1000)
while sum(p.stat().st_size for p in (folder / "wal").glob("*.wal")) < limit:
    database.execute("INSERT INTO facts SELECT * FROM @rows", {"rows": rows})
os._exit(0)
"""


def opening(script: str, path: Path) -> tuple[float, float]:
    """Milliseconds until the connection is there, and until the first count is."""
    command = [sys.executable, "-c", script, str(path), COUNT]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    opened, counted = (float(x) * 1000 for x in printed.split())
    return opened, counted


def best(openings: list[tuple[float, float]]) -> tuple[float, float]:
    return min(o for o, _ in openings), min(c for _, c in openings)


def benchmark(full: bool) -> str:
    rows, repeat = (10_000_000, 7) if full else (500_000, 3)
    with tempfile.TemporaryDirectory() as root:
        folder, file = Path(root) / "reopen.hdb", Path(root) / "reopen.duckdb"
        table = facts(rows)
        with hql.connect(folder) as database:
            database.execute(FACTS)
            database.execute("INSERT INTO facts SELECT * FROM @rows", {"rows": table})
        with duckdb.connect(str(file), config={"python_enable_replacements": False}) as peer:
            peer.register("given", table)
            peer.execute("CREATE TABLE facts AS FROM given")
        clean = best([opening(OUR_OPENING, folder) for _ in range(repeat)])
        theirs = best([opening(DUCKDB_OPENING, file) for _ in range(repeat)])
        command = [sys.executable, "-c", FILL_WAL, str(folder), str(WAL_BYTES)]
        subprocess.run([*command, str(Path(__file__).parent)], check=True)
        killed = []
        for number in range(3):
            copy = Path(root) / f"killed{number}.hdb"
            shutil.copytree(folder, copy)
            os.sync()
            killed.append(opening(OUR_OPENING, copy))
            shutil.rmtree(copy)
    after = best(killed)
    what = f"{rows:,} rows"
    lines = [
        Row(f"{what}, closed cleanly: open", {OURS: clean[0], "DuckDB": theirs[0]}, "ms", "100 ms"),
        Row(f"{what}, open and count them", {OURS: clean[1], "DuckDB": theirs[1]}, "ms"),
        Row(f"and {WAL_BYTES >> 20} MiB of WAL after a kill: open", {OURS: after[0]}, "ms"),
        Row("the same, open and count", {OURS: after[1]}, "ms"),
    ]
    note = "Each opening is a process of its own; its imports are not counted."
    return markdown("Opening again", lines, note)


if __name__ == "__main__":
    run_alone(benchmark)
