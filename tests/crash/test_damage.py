"""A log cut anywhere in its last record loses that record and nothing else; a byte flipped in any
file of a closed database is found and named, and what it damaged is never served as data."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from crash.workload import (
    Content,
    change,
    checkpoint,
    content,
    create,
    insert,
)
from soak import TIMES

from hartonomous.storage.database import Database
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import Corruption, Error, FormatFault
from hartonomous.storage.wal_frames import file_numbers, file_offset, path_of, read_frames

pytestmark = pytest.mark.usefixtures("small_limits")

#: files that hold no data: who has the lock, how far a living writer has synced
NO_DATA = {"LOCK", "durable"}


STEPS = [
    create("a"),
    insert("a", range(100, 170), "many"),
    insert("a", [1], "one"),
    checkpoint,
    change("a", 5, "changed"),
    insert("a", [2], None),
]


def killed(folder: Path) -> tuple[Path, Content, Content]:
    """A folder as a killed process leaves it; its content without and with the last commit."""
    database = Database.open(folder / "db")
    for step in STEPS[:-1]:
        step(database)
    before = content(database.snapshot())
    STEPS[-1](database)
    after = content(database.snapshot())
    shutil.copytree(folder / "db", folder / "killed")
    database.close()
    return folder / "killed", before, after


@pytest.mark.parametrize(
    ("zeros", "step"), [(False, 7), (True, 8), pytest.param(False, 1, marks=pytest.mark.slow)]
)
def test_the_log_cut_in_its_last_record(folder: Path, zeros: bool, step: int) -> None:
    """The file ends there, or (at every word, as devices write) the rest reads as zeros."""
    image, before, after = killed(folder)
    log = path_of(Path("wal"), file_numbers(Disk(), image / "wal")[-1])
    frames = list(read_frames(Disk(), image / "wal", int(log.stem) << 40))
    start, end = file_offset(frames[-1].start), file_offset(frames[-1].end)
    whole = (image / log).read_bytes()
    assert len(whole) > end  # zeros allocated ahead
    (image / "wal" / "durable").unlink()
    for cut in (*range(start, end, step), end):
        copied = folder / "cut"
        shutil.copytree(image, copied)
        rest = bytes(4096 if zeros else 0)
        (copied / log).write_bytes(whole[:cut] + rest)
        reader = Database.open(copied, read_only=True)
        assert content(reader.snapshot()) == (after if cut == end else before), cut
        reader.close()
        if cut % 5 == 0 or cut > end - 10:  # a writer's closing writes a checkpoint
            database = Database.open(copied)
            assert content(database.snapshot()) == (after if cut == end else before), cut
            if cut < end:
                STEPS[-1](database)
                assert content(database.snapshot()) == after
            assert database.verify() == []
            database.close()
        shutil.rmtree(copied)


def files(folder: Path) -> list[Path]:
    found = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return [p for p in found if p.name not in NO_DATA]


def named(path: Path, text: str) -> bool:
    """Whether a message names the file: an object by its hash."""
    name = path.parent.name + path.name if "objects" in path.parts else path.name
    return name in text


def flip(folder: Path, path: Path, offset: int, expected: Content, mask: int) -> None:
    """One byte changed: opening says so, or VERIFY does and reading gives right rows or says so."""
    whole = (folder / path).read_bytes()
    broken = bytearray(whole)
    broken[offset] ^= mask
    (folder / path).write_bytes(bytes(broken))
    where = f"{path} at {offset} of {len(whole)}, mask {mask}"
    try:
        database = Database.open(folder, read_only=True)
    except (Corruption, FormatFault) as fault:
        assert named(path, str(fault)), f"{where}: {fault}"
    else:
        try:
            try:
                assert content(database.snapshot()) == expected, where
            except Corruption as fault:
                assert named(path, str(fault)), f"{where}: {fault}"
            problems = database.verify()
            assert problems, where
            assert any(named(path, f"{p.where} {p.found}") for p in problems), (where, problems)
        finally:
            database.close()
    finally:
        (folder / path).write_bytes(whole)


def closed(folder: Path) -> tuple[Path, Content]:
    database = Database.open(folder / "db")
    for step in STEPS:
        step(database)
    expected = content(database.snapshot())
    database.close()
    return folder / "db", expected


def test_a_flipped_byte_is_found_and_named(folder: Path) -> None:
    path, expected = closed(folder)
    chance = random.Random(5)
    places = [(p, o) for p in files(path) for o in range((path / p).stat().st_size)]
    ends = [(p, o) for p in files(path) for o in (0, (path / p).stat().st_size - 1)]
    for file, offset in [*ends, *chance.sample(places, 150)]:
        flip(path, file, offset, expected, 1 << chance.randrange(8))


def test_a_flipped_byte_in_the_log_of_a_killed_process_is_found_and_named(folder: Path) -> None:
    image, _, after = killed(folder)
    log = path_of(Path("wal"), file_numbers(Disk(), image / "wal")[-1])
    frames = list(read_frames(Disk(), image / "wal", int(log.stem) << 40))
    chance = random.Random(6)
    for offset in chance.sample(range(file_offset(frames[-1].end)), 100):
        flip(image, log, offset, after, 1 << chance.randrange(8))


@pytest.mark.slow
def test_flipped_bytes_of_every_file_are_found_and_named(folder: Path) -> None:
    path, expected = closed(folder)
    chance = random.Random(7)
    for file in files(path):
        for offset in range(0, (path / file).stat().st_size, max(1, 4 // TIMES)):
            flip(path, file, offset, expected, 1 << chance.randrange(8))


@pytest.mark.parametrize("read_only", [False, True])
def test_an_opening_that_fails_leaves_nothing_open(folder: Path, read_only: bool) -> None:
    path, _ = closed(folder)
    head = path / "refs" / "heads" / "main"
    whole = head.read_bytes()
    for broken in (b"", whole[:-4], b"f" * len(whole)):
        head.write_bytes(broken)
        before = os.listdir("/proc/self/fd")
        with pytest.raises(Error):
            Database.open(path, read_only=read_only)
        assert len(os.listdir("/proc/self/fd")) == len(before)
        assert not list((path / "readers").glob("*"))
    head.write_bytes(whole)
    Database.open(path, read_only=read_only).close()


def test_a_missing_object_is_found_and_named(folder: Path) -> None:
    path, _ = closed(folder)
    for file in files(path):
        whole = (path / file).read_bytes()
        (path / file).unlink()
        try:
            database = Database.open(path, read_only=True)
        except Error as fault:
            assert named(file, str(fault)), f"{file}: {fault}"
        else:
            problems = database.verify()
            assert any(named(file, f"{p.where} {p.found}") for p in problems), (file, problems)
            database.close()
        (path / file).write_bytes(whole)


def test_a_damaged_log_refuses_a_writer_until_its_tail_is_cut(folder: Path) -> None:
    image, before, _ = killed(folder)
    log = path_of(image / "wal", file_numbers(Disk(), image / "wal")[-1])
    frames = list(read_frames(Disk(), image / "wal", int(log.stem) << 40))
    whole = bytearray(log.read_bytes())
    whole[file_offset(frames[-1].start) + 40] ^= 1
    log.write_bytes(bytes(whole))
    with pytest.raises(Corruption, match="cut-tail"):
        Database.open(image)
    assert Database.cut_tail(image) > 0
    assert Database.cut_tail(image) == 0
    database = Database.open(image)
    assert content(database.snapshot()) == before
    assert database.verify() == []
    database.close()
