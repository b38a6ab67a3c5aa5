"""A server under load: 200 clients for a minute, and slow readers of a large result."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import OURS, Row, markdown, run_alone
from serving import ours

from hartonomous import hql

CLIENTS = Path(__file__).parents[1] / "load_clients.py"
sys.path.append(str(CLIENTS.parent))

import load_clients  # noqa: E402  (a module of tests/)

READERS = 10
#: rows of about a kilobyte
LARGE = "SELECT value, REPEAT('x', 1000) AS s FROM GENERATE_SERIES(1, @n)"
_BUCKET = re.compile(r'^hql_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


def megabytes(pid: int) -> float:
    """A process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1e3


def lags(url: str) -> dict[float, float]:
    """How often the server's event loop was at most so many seconds late."""
    address = url.replace("hql://", "http://") + "metrics"
    with urllib.request.urlopen(address) as answer:
        text = answer.read().decode()
    return {float(bound): float(count) for bound, count in _BUCKET.findall(text)}


def late(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """Milliseconds that bound that share of the looks between the two."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in after}
    total = counts[float("inf")]
    return 1e3 * min(bound for bound, count in counts.items() if count >= share * total)


def crowd(url: str, pid: int, clients: int, for_seconds: float) -> list[Row]:
    """Clients of all kinds at once."""
    at = {}

    def look() -> None:
        time.sleep(for_seconds / 3)
        at["third"] = megabytes(pid)

    looking = threading.Thread(target=look)
    before = lags(url)
    command = [sys.executable, str(CLIENTS), url, str(clients), str(for_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        looking.start()
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
    looking.join()
    at["end"] = megabytes(pid)
    assert not told["wrong"], told["wrong"][:3]
    after = lags(url)
    return [
        Row("statements a second", {OURS: told["statements"] / for_seconds}, "/s"),
        Row("of them refused as BUSY", {OURS: told["busy"]}, ""),
        Row("event loop late, p99", {OURS: late(before, after, 0.99)}, "ms at most"),
        Row("event loop late, p99.9", {OURS: late(before, after, 0.999)}, "ms at most", "50"),
        Row("resident memory after a third", {OURS: at["third"]}, "MB"),
        Row("at the end", {OURS: at["end"]}, "MB", "1.1 × after a third"),
    ]


def slow_readers(url: str, pid: int, rows: int, for_seconds: float) -> list[Row]:
    """Readers who take a batch now and then: what they hold in the server."""
    with ExitStack() as stack:
        with hql.connect(url) as db:  # what the first one costs is not the readers'
            db.execute(LARGE, {"n": 10_000}).fetchall()
        before = megabytes(pid)
        readers: list[Any] = []
        for _ in range(READERS):
            db = stack.enter_context(hql.connect(url))
            readers.append(db.execute(LARGE, {"n": rows}).fetch_record_batches())
        most, end = before, time.monotonic() + for_seconds
        while time.monotonic() < end:
            for reader in readers:
                next(reader)
            most = max(most, megabytes(pid))
            time.sleep(for_seconds / 20)
    what = f"held for {READERS} slow readers of {rows / 1e6:.1f} GB each"
    return [Row(what, {OURS: most - before}, "MB", "200")]


def benchmark(full: bool) -> str:
    clients, for_seconds, rows = (200, 60.0, 1_000_000) if full else (20, 2.0, 50_000)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "db"
        with hql.connect(folder) as db:
            db.execute(load_clients.TABLES)
        with ours(folder) as server:
            lines = crowd(server.url, server.pid, clients, for_seconds)
            lines += slow_readers(server.url, server.pid, rows, for_seconds / 3)
    note = (
        f"{clients} connections for {for_seconds:.0f} s, a process of Python threads: look-ups, "
        "inserts, updates, groups, streams of 20,000 rows, transactions that are undone and "
        "statements that fail, each client's own rows checked. Four engine threads."
    )
    return markdown("A server under load", lines, note)


if __name__ == "__main__":
    run_alone(benchmark)
