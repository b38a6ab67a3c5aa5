"""SIGKILL at random moments: every acknowledged transaction is there, none is there by half, and
VERIFY finds nothing, kill after kill on the same folder."""

from __future__ import annotations

import random
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from soak import TIMES

from hartonomous.storage.database import Database

CHILD = Path(__file__).with_name("child.py")


def run_and_kill(folder: Path, seed: int, threads: int, delay_s: float) -> dict[int, int]:
    """The last acknowledged transaction of each thread."""
    command = [sys.executable, str(CHILD), str(folder), str(seed), str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], 60)  # the first acknowledgement
        assert ready, "the child did not start"
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        output = child.stdout.read()
        assert child.wait() == -signal.SIGKILL, "the child stopped by itself"
    acknowledged: dict[int, int] = {}
    for line in output.decode().splitlines(keepends=True):
        if line.endswith("\n"):
            thread, n = map(int, line.split())
            acknowledged[thread] = n
    assert acknowledged
    return acknowledged


def check(folder: Path, acknowledged: dict[int, int]) -> None:
    database = Database.open(folder)
    try:
        snapshot = database.snapshot()
        log = snapshot.view(snapshot.catalog.get("dbo", "log").id)
        counters = snapshot.view(snapshot.catalog.get("dbo", "counters").id)
        parts: dict[tuple[int, int], list[int]] = defaultdict(list)
        columns = log.scan(["thread", "n", "part"]).table.columns
        for thread, n, part in zip(*(c.to_pylist() for c in columns), strict=True):
            parts[thread, n].append(part)
        found = counters.scan(["thread", "n"]).table
        for thread, n in zip(*(c.to_pylist() for c in found.columns), strict=True):
            known = acknowledged.get(thread, 0)
            assert known <= n <= max(known + 1, n if thread not in acknowledged else 0)
            assert sorted(m for t, m in parts if t == thread) == list(range(1, n + 1))
        for where, numbers in parts.items():
            assert sorted(numbers) in (list(range(3)), list(range(400))), where
        assert database.verify() == []
    finally:
        database.close()


def kill_many(folder: Path, kills: int, threads: int, delay_max_s: float, seed: int) -> None:
    chance = random.Random(seed)
    known: dict[int, int] = {}
    for n in range(kills):
        known |= run_and_kill(folder, seed + n, threads, chance.random() * delay_max_s)
        if n % 3 == 2 or n == kills - 1:  # else the next child recovers what the last one left
            check(folder, known)


@pytest.mark.parametrize("threads", [1, 4])
def test_killed_at_random_moments(tmp_path: Path, threads: int) -> None:
    kill_many(tmp_path / "db", 10, threads, 0.3, seed=threads)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 4])
def test_killed_at_random_moments_many_times(tmp_path: Path, threads: int) -> None:
    for round_ in range(4 * TIMES):
        kill_many(tmp_path / f"{round_}", 10, threads, 1.0, seed=1000 * threads + 10 * round_)
