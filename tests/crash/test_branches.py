"""Branches, tags, settings and the past on a disk that fails at any change, and under SIGKILL: all
of it is as after the last step that was acknowledged, or the next."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from crash.workload import arrow as rows
from crash.workload import checkpoint, close_and_open, content, run, table_entry
from faulty_disk import FaultyDisk

from hartonomous.storage.database import Database
from hartonomous.storage.errors import DiskFault, HistoryGone

pytestmark = pytest.mark.usefixtures("small_limits")

Everything = dict[str, Any]


def insert(ids: range | list[int], branch: str = "main", table: str = "a") -> Any:
    def run(database: Database) -> None:
        transaction = database.begin(branch=branch)
        number = transaction.catalog.get("dbo", table).id
        transaction.insert(number, rows(ids, branch))
        transaction.commit(statement=f"INSERT {ids}", author="test")

    return run


def delete_every(n: int, branch: str = "main") -> Any:
    def run(database: Database) -> None:
        transaction = database.begin(branch=branch)
        number = transaction.catalog.get("dbo", "a").id
        found = transaction.view(number).scan(["id"], address=True).table.sort_by("id")
        transaction.delete(number, found["__address"].to_numpy()[::n])
        transaction.commit(statement=f"DELETE {n}", author="test")

    return run


def create(database: Database, branch: str = "main", name: str = "a") -> None:
    transaction = database.begin(branch=branch)
    transaction.create(table_entry(name))
    transaction.commit(statement="CREATE", author="test")


def drop(database: Database) -> None:
    transaction = database.begin()
    transaction.drop(transaction.catalog.get("dbo", "a"))
    transaction.commit(statement="DROP", author="test")


def merge(database: Database) -> None:
    hash_ = database.snapshot("side").state.commit_hash
    transaction = database.begin()
    transaction.commit(statement="MERGE", author="test", parents=(hash_,))


STEPS: list[Any] = [
    create,
    insert(range(100, 170)),
    lambda db: db.create_branch("side"),
    insert([1, 2], "side"),
    delete_every(5),
    checkpoint,
    delete_every(3, "side"),
    lambda db: db.create_branch("old", db.as_of(db.place_of(2))),
    insert([3], "old"),
    lambda db: db.create_tag("t", db.head_of("side").hash),
    merge,
    close_and_open,
    lambda db: create(db, "old", "b"),
    insert([7], "old", "b"),
    lambda db: db.set_setting("a", "b"),
    drop,
    lambda db: db.drop_branch("side"),
    checkpoint,
    insert([4], "old"),
    lambda db: db.drop_tag("t"),
]


def everything(database: Database, *, with_past: bool = True) -> Everything:
    """All rows of all branches, of all commits that can be seen, and the rest."""
    branches = database.branches()
    last = max(database.commits()["Sequence"].to_pylist(), default=0)
    past: dict[int, Any] = {}
    for sequence in range(1, last + 1) if with_past else ():
        try:
            past[sequence] = content(database.as_of(database.place_of(sequence)))
        except HistoryGone:
            past[sequence] = None
    return {
        "branches": {b.name: (b.parent, b.fork, b.sequence) for b in branches},
        "rows": {b.name: content(database.snapshot(b.name)) for b in branches},
        "past": past,
        "tags": [(t.name, t.sequence) for t in database.tags()],
        "settings": dict(database.settings),
        "lineages": {b.name: database.commits(b.name)["Sequence"].to_pylist() for b in branches},
    }


def fail_everywhere(folder: Path, every: int) -> None:
    disk = FaultyDisk()
    states: list[Everything] = []
    run(folder / "whole", disk, STEPS, [], lambda db: states.append(everything(db)))
    database = Database.open(folder / "whole")
    assert database.verify() == [] and everything(database) == states[-1]
    expected = [everything(Database.open(None)), *states]
    for n in range(1, disk.operations + 1, every):
        faulty = FaultyDisk(n, tear=n % 2 == 0)
        done: list[int] = []
        with contextlib.suppress(DiskFault):
            run(folder / f"{n}", faulty, STEPS, done)
        faulty.cut_power(n)
        what = f"fault {n} {faulty.log[-1]} after step {len(done)}"
        database = Database.open(folder / f"{n}")
        try:
            assert everything(database) in expected[len(done) : len(done) + 2], what
            assert database.verify() == [], what
        finally:
            database.close()
        again = Database.open(folder / f"{n}", read_only=True)
        assert everything(again) in expected[len(done) : len(done) + 2], what
        again.close()


def test_some_changes_of_a_history_may_fail(folder: Path) -> None:
    fail_everywhere(folder, 17)


@pytest.mark.slow
def test_every_change_of_a_history_may_fail(folder: Path) -> None:
    fail_everywhere(folder, 1)


CHILD = """
import os, random, sys
import pyarrow as pa
from crash.workload import table_entry, arrow
from hartonomous.storage.database import Database
from hartonomous.storage.errors import AlreadyExists, NotFound
chance = random.Random(int(sys.argv[2]))
database = Database.open(sys.argv[1])
if database.snapshot().sequence == 0:
    transaction = database.begin()
    transaction.create(table_entry("a"))
    transaction.commit(statement="CREATE", author="child")
n = max(database.commits()["Sequence"].to_pylist())
while True:
    names = [b.name for b in database.branches()]
    branch = chance.choice(names)
    what = chance.random()
    if what < 0.1 and len(names) < 5:
        try:
            database.create_branch(f"b{chance.randrange(9)}", source=branch)
        except AlreadyExists:
            pass
    elif what < 0.15 and branch != "main":
        database.drop_branch(branch)
    elif what < 0.2:
        database.checkpoint()
    else:
        transaction = database.begin(branch=branch)
        number = transaction.catalog.get("dbo", "a").id
        n += 1
        transaction.insert(number, arrow([n], branch))
        info = transaction.commit(statement="INSERT", author="child")
        os.write(1, f"{branch} {info.sequence} {n}\\n".encode())
"""


def kill_many(path: Path, kills: int) -> None:
    """What a lineage says of commits, its rows say too."""
    chance = random.Random(kills)
    acknowledged: dict[int, int] = {}
    for kill in range(kills):
        command = [sys.executable, "-c", CHILD, str(path), str(kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            assert first, "the child did not start"
            time.sleep(chance.random() * 0.4)
            child.kill()
            lines = [first, *child.stdout.read().splitlines(keepends=True)]
        for line in lines:
            if line.endswith(b"\n"):
                _, sequence, n = line.decode().split()
                acknowledged[int(sequence)] = int(n)
        database = Database.open(path)
        try:
            assert database.verify() == []
            known = set(database.commits()["Sequence"].to_pylist())
            assert set(acknowledged) <= known
            for branch in database.branches():
                lineage = set(database.commits(branch.name)["Sequence"].to_pylist())
                there = {n for n, _ in content(database.snapshot(branch.name))["a"]}
                assert {acknowledged[s] for s in lineage & acknowledged.keys()} <= there
        finally:
            database.close()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def test_killed_while_branching(folder: Path) -> None:
    kill_many(folder / "db", 2)


@pytest.mark.slow
def test_killed_while_branching_many_times(folder: Path) -> None:
    kill_many(folder / "db", 12)
