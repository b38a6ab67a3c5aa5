"""A million commits of one row each: size, opening, and looking back, before and after VACUUM.

Made in memory-backed storage where there is some, since a million syncs would measure the disk.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import OURS, Row, markdown, run_alone, seconds

from hartonomous import hql

BEFORE = "before VACUUM"
#: an opening in a process of its own, imports excluded: until it is open, until it has counted,
#: until it has looked back
LOOK = """
import sys, time
from hartonomous import hql
with hql.connect(":memory:") as warm:
    warm.execute("CREATE TABLE t (a INT)")
    warm.execute("SELECT COUNT(*) FROM t").fetchall()
start = time.perf_counter()
database = hql.connect(sys.argv[1], read_only=True)
opened = time.perf_counter() - start
for query in sys.argv[2:]:
    start = time.perf_counter()
    rows = database.execute(query).fetchall()
    print(time.perf_counter() - start, rows[0][0])
print(opened)
"""


def fill(folder: Path, commits: int) -> float:
    """Commits a second; one in a hundred changes a row, the others add one."""
    with hql.connect(folder) as database:
        database.execute("ALTER DATABASE SET compaction = OFF")
        database.execute("CREATE TABLE t (a BIGINT PRIMARY KEY, b NVARCHAR(20))")
        start = time.perf_counter()
        for n in range(commits):
            if n % 100 == 99:
                database.execute("UPDATE t SET b = 'changed' WHERE a = ?", (n // 200 * 100,))
            else:
                database.execute("INSERT INTO t VALUES (?, ?)", (n, "text"))
        return commits / (time.perf_counter() - start)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def look(folder: Path, queries: list[str]) -> list[tuple[float, str]]:
    """Seconds and the answer of each query, the first of a process, then the opening."""
    command = [sys.executable, "-c", LOOK, str(folder), *queries]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [(float(p[0]), p[-1]) for p in (line.split() for line in printed.splitlines())]


def measure(folder: Path, moments: dict[str, str]) -> tuple[dict[str, float], list[str]]:
    """Milliseconds by what was asked, and the answers."""
    count = "SELECT COUNT(*) FROM t"
    past = "SELECT COUNT(*) FROM t FOR SYSTEM_TIME AS OF COMMIT '{}'"
    row = "SELECT COUNT(*) FROM t FOR SYSTEM_TIME AS OF COMMIT '{}' WHERE a = 10"
    asked = {"count now": count}
    for when, commit in moments.items():
        asked[f"count as of the {when}"] = past.format(commit)
        asked[f"one row as of the {when}"] = row.format(commit)
    best: dict[str, float] = {}
    answers: list[str] = []
    for _ in range(3):
        found = look(folder, list(asked.values()))
        answers = [answer for _, answer in found[:-1]]
        for name, (took, _) in zip([*asked, "open"], found, strict=True):
            best[name] = min(best.get(name, took * 1000), took * 1000)
    return best, answers


def benchmark(full: bool) -> str:
    commits = 1_000_000 if full else 20_000
    memory = Path("/dev/shm")
    free = shutil.disk_usage(memory).free if memory.is_dir() else 0
    with tempfile.TemporaryDirectory(dir=memory if free > 6 << 30 else None) as root:
        folder = Path(root) / "long.hdb"
        rate = fill(folder, commits)
        with hql.connect(folder) as database:
            found = database.execute("SELECT Sequence, Hash FROM Commits").fetchall()
        hashes = {sequence: bytes(hashed).hex() for sequence, hashed in found}
        wanted = {"start": commits // 100, "middle": commits // 2, "end": commits - 10}
        moments = {when: hashes[sequence] for when, sequence in wanted.items()}
        before, answers = measure(folder, moments)
        bytes_before = size_of(folder)
        with hql.connect(folder) as database:
            took = seconds(lambda: database.execute("VACUUM").fetchall())
        after, same = measure(folder, moments)
        assert answers == same, (answers, same)
        bytes_after = size_of(folder)
    each = {OURS: bytes_after / commits, BEFORE: bytes_before / commits}
    lines = [Row("size on disk, for each commit", each, "bytes")]
    lines += [Row(name, {OURS: after[name], BEFORE: before[name]}, "ms") for name in after]
    lines.append(Row("VACUUM", {OURS: took}, "s"))
    note = (
        f"{commits:,} commits of one row each, one in a hundred an UPDATE, made at {rate:,.0f} "
        "commits a second without syncs that reach a disk. Every look is by a process of its own "
        "that only reads; each figure is its first query of the kind."
    )
    return markdown(f"{commits:,} commits", lines, note)


if __name__ == "__main__":
    run_alone(benchmark)
