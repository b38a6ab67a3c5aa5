"""A disk that fails at its n-th change, for every n: what was acknowledged is there after a power
cut, what was not is there whole or not at all, and the database verifies."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from crash.workload import LARGE, SMALL, Content, Step, content, create, insert, reference, run
from faulty_disk import FaultyDisk
from soak import TIMES

from hartonomous.storage.database import Database
from hartonomous.storage.disk import Disk, File
from hartonomous.storage.errors import DiskFault

pytestmark = pytest.mark.usefixtures("small_limits")


def operations(path: Path, steps: list[Step]) -> int:
    disk = FaultyDisk()
    run(path, disk, steps, [])
    return disk.operations


def fail_at(path: Path, steps: list[Step], expected: list[Content], disk: FaultyDisk) -> None:
    """Run until the fault, cut the power, open with a good disk, compare."""
    done: list[int] = []
    with contextlib.suppress(DiskFault):
        run(path, disk, steps, done)
    disk.cut_power(disk.at or 0)
    what = disk.log[-1]
    database = Database.open(path)
    try:
        found = content(database.snapshot())
        allowed = expected[len(done) : len(done) + 2]
        assert found in allowed, f"fault {disk.at} {what}: after step {len(done)}"
        assert database.verify() == [], f"fault {disk.at} {what}"
        if not found:
            return
        name = next(iter(found))  # and it can be written again
        transaction = database.begin()
        transaction.truncate(transaction.catalog.get("dbo", name).id)
        transaction.commit(statement="TRUNCATE", author="test")
        assert content(database.snapshot())[name] == []
    finally:
        database.close()


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_changes_of_a_small_workload_may_fail(folder: Path, step: int) -> None:
    expected = reference(SMALL)
    count = operations(folder / "whole", SMALL)
    assert count > 100
    for n in range(1, count + 1, step):
        fail_at(folder / f"{n}", SMALL, expected, FaultyDisk(n, tear=n % 2 == 0))


@pytest.mark.slow
@pytest.mark.parametrize("tear", [False, True])
def test_changes_of_a_large_workload_may_fail(folder: Path, tear: bool) -> None:
    expected = reference(LARGE)
    for n in range(1 + tear, operations(folder / "whole", LARGE) + 1, max(1, 5 // TIMES)):
        fail_at(folder / f"{n}", LARGE, expected, FaultyDisk(n, tear=tear))


def test_a_fault_that_passes_leaves_a_usable_database_or_a_refusing_one(folder: Path) -> None:
    """The disk works again after one failure: the session goes on as if the step had not been,
    or, if the log was hit, refuses every commit until the database is opened again."""
    expected = reference(SMALL)
    count = operations(folder / "whole", SMALL)
    for n in range(1, count + 1, 3):
        path = folder / f"{n}"
        done: list[int] = []
        disk = FaultyDisk(n, once=True)
        with contextlib.suppress(DiskFault):
            run(path, disk, SMALL, done)
        database = Database.open(path)
        try:
            assert content(database.snapshot()) in expected[len(done) : len(done) + 2], disk.log[-1]
            assert database.verify() == []
        finally:
            database.close()


class FullDisk(Disk):
    """What has room already may be written, nothing more while it `is_full`."""

    is_full = False

    def do_allocate(self, file: File, offset: int, length: int) -> None:
        if self.is_full:
            super().do_allocate(file, offset, length // 2)  # as far as it goes
            raise DiskFault("no space is left")
        super().do_allocate(file, offset, length)

    def do_create(self, path: Path) -> File:
        file = super().do_create(path)
        if self.is_full and path.parent.name == "wal":
            raise DiskFault("no space is left")
        return file


def test_a_log_that_finds_no_room_goes_on_once_there_is_some(folder: Path) -> None:
    disk = FullDisk()
    database = Database.open(folder / "db", disk=disk)
    create("a")(database)
    insert("a", range(10), "x")(database)
    disk.is_full, count = True, 10
    with pytest.raises(DiskFault):
        while count < 5_000:
            insert("a", range(count, count + 1), "y" * 100)(database)
            count += 1
    for turn in range(2):
        with pytest.raises(DiskFault):
            insert("a", range(count, count + 1), "y" * 100)(database)
        with pytest.raises(DiskFault):
            database.checkpoint()
        with pytest.raises(DiskFault):
            for branch in range(1_000):
                database.create_branch(f"b{turn}_{branch}")
        assert len(content(database.snapshot())["a"]) == count
    disk.is_full = False
    insert("a", range(count, 2_000), "y" * 100)(database)
    database.checkpoint()
    insert("a", range(2_000, 2_010), "x")(database)
    expected = content(database.snapshot())
    assert len(expected["a"]) == 2_010
    database.close()
    database = Database.open(folder / "db")
    assert content(database.snapshot()) == expected and database.verify() == []
    database.close()
