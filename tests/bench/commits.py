"""Durable commits of one row each, by one and by eight clients, against SQLite."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import OURS, Row, markdown, run_alone

from hartonomous import hql

INSERT = "INSERT INTO t VALUES (?, ?)"
Client = Callable[[int], None]


def rate(
    open_client: Callable[[], tuple[Client, Callable[[], None]]], clients: int, span: float
) -> float:
    """Commits a second of `clients` threads that commit for `span` seconds."""
    done = [0] * clients
    ready = threading.Barrier(clients + 1)
    stop = threading.Event()

    def work(number: int) -> None:
        commit, close = open_client()
        commit(number * 10_000_000)
        ready.wait()
        while not stop.is_set():
            done[number] += 1
            commit(number * 10_000_000 + done[number])
        close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    time.sleep(span)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - start)


def our_client(path: Path) -> tuple[Client, Callable[[], None]]:
    database = hql.connect(path)
    return lambda n: void(database.execute(INSERT, (n, "text"))), database.close


def sqlite_client(path: Path) -> tuple[Client, Callable[[], None]]:
    database = sqlite3.connect(path, timeout=60, isolation_level=None)
    database.execute("PRAGMA synchronous = FULL")
    return lambda n: void(database.execute(INSERT, (n, "text"))), database.close


def void(_: Any) -> None:
    return None


def benchmark(full: bool) -> str:
    span, turns = (5.0, 3) if full else (1.0, 1)
    lines = []
    with tempfile.TemporaryDirectory() as root:
        folder, file = Path(root) / "commits.hdb", Path(root) / "commits.sqlite"
        with hql.connect(folder) as keeper, sqlite3.connect(file) as other:
            keeper.execute("CREATE TABLE t (a BIGINT, b TEXT)")
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("CREATE TABLE t (a BIGINT, b TEXT)")
            for clients, goal in ((1, "0.5"), (8, "above 1")):
                figures = {OURS: 0.0, "SQLite": 0.0}
                for _ in range(turns):
                    ours = rate(lambda: our_client(folder), clients, span)
                    theirs = rate(lambda: sqlite_client(file), clients, span)
                    figures[OURS] = max(figures[OURS], ours)
                    figures["SQLite"] = max(figures["SQLite"], theirs)
                what = f"{clients} client{'s' if clients > 1 else ''}"
                lines.append(Row(what, figures, "commits/s", goal, better="more"))
    note = "SQLite with WAL and synchronous=FULL; clients are threads of one process on both sides."
    return markdown("Durable commits of one row", lines, note)


if __name__ == "__main__":
    run_alone(benchmark)
