"""Compaction, collection and backups under faults of the disk, kills, and beside readers: nothing
that was acknowledged is lost, nothing that somebody may still read is removed."""

from __future__ import annotations

import contextlib
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.keeping_writer import BALLAST
from crash.test_failing_disk import fail_at, operations
from crash.test_reader_process import amounts
from crash.workload import (
    Step,
    change,
    checkpoint,
    close_and_open,
    content,
    create,
    drop,
    insert,
    reference,
    run,
)
from faulty_disk import FaultyDisk

from hartonomous.storage.clock import SystemClock
from hartonomous.storage.database import Database
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import DiskFault, FormatFault, NotFound
from hartonomous.storage.folder import Folder
from hartonomous.storage.state import Snapshot

pytestmark = pytest.mark.usefixtures("small_limits")

WRITER = Path(__file__).with_name("keeping_writer.py")


def retain_nothing(database: Database) -> None:
    database.set_setting("retention", "0 seconds")


def vacuum(database: Database) -> None:
    database.vacuum()


STEPS: list[Step] = [
    retain_nothing,
    create("a"),
    insert("a", range(100, 130), "many"),
    checkpoint,
    change("a", 5, "changed"),
    vacuum,
    create("b"),
    insert("b", range(9), "more"),
    change("a", 7, "again"),
    close_and_open,
    drop("b"),
    vacuum,
    insert("a", [1000], "last"),
]


def test_any_change_of_a_compaction_may_fail(folder: Path) -> None:
    expected = reference(STEPS)
    count = operations(folder / "whole", STEPS)
    for n in range(1, count + 1, 29):
        fail_at(folder / f"{n}", STEPS, expected, FaultyDisk(n, tear=n % 2 == 0))


@pytest.mark.slow
def test_every_change_of_a_compaction_may_fail(folder: Path) -> None:
    expected = reference(STEPS)
    for n in range(1, operations(folder / "whole", STEPS) + 1):
        fail_at(folder / f"{n}", STEPS, expected, FaultyDisk(n, tear=n % 2 == 0))


def backup_through(path: Path, target: Path, disk: FaultyDisk) -> None:
    database = Database.open(path, disk=disk)
    database.checkpoint_bytes = 1 << 40
    try:
        database.backup(target)
    finally:
        with contextlib.suppress(DiskFault):
            database.close()


def fail_backup(folder: Path, expected: object, n: int, first: int) -> None:
    """A copy of the database, whose backup fails at the n-th change after its opening."""
    path, target = folder / f"{n}", folder / f"backup {n}"
    shutil.copytree(folder / "whole", path)
    disk = FaultyDisk(first + n, tear=n % 2 == 0)
    with contextlib.suppress(DiskFault):
        backup_through(path, target, disk)
    disk.cut_power(n)
    for place in (path, target) if (target / "FORMAT").exists() else (path,):
        database = Database.open(place)
        try:
            assert content(database.snapshot()) == expected, disk.log[-1]
            assert database.verify() == []
        finally:
            database.close()
    if not (target / "FORMAT").exists():
        with pytest.raises((NotFound, FormatFault)):
            Database.open(target, read_only=True)


def test_every_change_of_a_backup_may_fail(folder: Path) -> None:
    run(folder / "whole", FaultyDisk(), STEPS, [])
    database = Database.open(folder / "whole")
    expected = content(database.snapshot())
    database.close()
    shutil.copytree(folder / "whole", folder / "counted")
    disk = FaultyDisk()
    database = Database.open(folder / "counted", disk=disk)
    first = disk.operations
    database.backup(folder / "good")
    count = disk.operations - first
    database.close()
    assert count > 20
    for n in range(1, count + 1):
        fail_backup(folder, expected, n, first)


@contextlib.contextmanager
def keeping(folder: Path, seed: int, backups: Path | None = None) -> Iterator[None]:
    command = [sys.executable, str(WRITER), str(folder), str(seed), str(backups or "-")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], 60)
        assert ready and child.stdout.readline() == b"ready\n"
        try:
            yield
            assert child.poll() is None, "the writer stopped"
        finally:
            child.send_signal(signal.SIGKILL)


def check(path: Path) -> None:
    database = Database.open(path)
    try:
        amounts(database.snapshot())
        assert database.verify() == []
    finally:
        database.close()


def kill_often(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    (folder / "backups").mkdir()
    made = 0
    for n in range(kills):
        with keeping(folder / "db", seed + n, folder / "backups"):
            while not list((folder / "backups").glob("*/FORMAT")):
                time.sleep(0.01)
            time.sleep(chance.random() * 0.3)
        check(folder / "db")
        for target in sorted((folder / "backups").iterdir()):
            if (target / "FORMAT").exists():
                check(target)
                made += 1
            shutil.rmtree(target)
    assert made >= kills


def test_killed_while_it_compacts_and_backs_up(folder: Path) -> None:
    kill_often(folder, 2, 1)


@pytest.mark.slow
def test_killed_many_times_while_it_compacts_and_backs_up(folder: Path) -> None:
    kill_often(folder, 15, 100)


def reader_of(path: Path) -> Database:
    """One more reader, as if of another process: those of one process are the same."""
    return Database._reader(Folder(Disk(), path), SystemClock())


def look(snapshot: Snapshot) -> None:
    """All of it is there, also what was not opened before."""
    table = snapshot.catalog.get("dbo", "ballast")
    found = snapshot.view(table.id).scan(["id"]).table["id"].to_pylist()
    assert found in ([], list(range(BALLAST)))
    amounts(snapshot)


def race(folder: Path, rounds: int) -> None:
    """Readers open, look, keep old snapshots and close, beside a writer that always collects."""
    with keeping(folder / "db", rounds):
        old = reader_of(folder / "db")
        first = old.snapshot()
        seen = None
        for n in range(rounds):
            reader = reader_of(folder / "db")
            snapshot = reader.snapshot()
            time.sleep(0.002 * (n % 5))
            later = reader.snapshot()
            look(snapshot)
            look(later)
            if n % 3 == 0:
                look(old.snapshot())
            if n % 50 == 0:
                assert reader.verify() == []
            reader.close()
            if seen is None:
                seen = amounts(first)
        assert amounts(first) == seen
        kept = len(list((folder / "db" / "objects").glob("??/*")))
        old.close()
    # a round writes five and more
    assert kept < max(200, rounds), "collection goes on beside readers"
    check(folder / "db")


def test_collection_races_readers(folder: Path) -> None:
    race(folder, 30)


@pytest.mark.slow
def test_collection_races_readers_a_thousand_times(folder: Path) -> None:
    race(folder, 1000)
