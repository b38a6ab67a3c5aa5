"""A reader process beside a writer sees only whole snapshots, ever newer ones, through checkpoints
and through the writer's death; old snapshots stay as they were."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from crash.writer import ACCOUNTS, EACH

from hartonomous.storage.access.ordered import in_order
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Locked, NotFound, ReadOnly
from hartonomous.storage.state import Snapshot

WRITER = Path(__file__).with_name("writer.py")


@contextlib.contextmanager
def writer(folder: Path, seed: int) -> Iterator[None]:
    command = [sys.executable, str(WRITER), str(folder), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        try:
            yield
            assert child.poll() is None, "the writer stopped"
        finally:
            child.send_signal(signal.SIGKILL)


def amounts(snapshot: Snapshot) -> list[int]:
    table = snapshot.catalog.get("dbo", "accounts")
    assert isinstance(table, TableEntry)
    view = snapshot.view(table.id)
    found = view.scan(["id", "amount"]).table.sort_by("id")
    assert found["id"].to_pylist() == list(range(ACCOUNTS))
    values: list[int] = found["amount"].to_pylist()
    assert sum(values) == ACCOUNTS * EACH, snapshot.sequence
    places = np.concatenate(list(in_order(view, table.indexes[0])))
    assert view.gather("amount", places).to_pylist() == sorted(values), snapshot.sequence
    return values


def watch(folder: Path, seconds: float) -> None:
    database = Database.open(folder, read_only=True)
    try:
        first = database.snapshot()
        held, kept = amounts(first), first
        head = folder / "refs" / "heads" / "main"
        last, looks, begun = first.sequence, 0, head.read_bytes()
        until = time.monotonic() + seconds
        while time.monotonic() < until or (head.read_bytes() == begun and looks < 100_000):
            snapshot = database.snapshot()
            assert snapshot.sequence >= last
            last = snapshot.sequence
            amounts(snapshot)
            looks += 1
        assert amounts(kept) == held
        assert last > first.sequence and looks > 10
        assert head.read_bytes() != begun, "no checkpoint happened"
        assert database.verify() == []
        with pytest.raises(Locked, match="pid"):
            Database.open(folder)
    finally:
        database.close()


def run(folder: Path, seconds: float, writers: int) -> None:
    for seed in range(writers):
        with writer(folder, seed):
            watch(folder, seconds)
        reader = Database.open(folder, read_only=True)  # nobody writes: all whole commits count
        found = amounts(reader.snapshot())
        reader.close()
        database = Database.open(folder)
        assert amounts(database.snapshot()) == found
        assert database.verify() == []
        database.close()


def test_a_reader_beside_a_writer(tmp_path: Path) -> None:
    run(tmp_path / "db", 2.5, 2)


@pytest.mark.slow
def test_a_reader_beside_a_writer_for_a_minute(tmp_path: Path) -> None:
    run(tmp_path / "db", 30, 2)


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Database.open(tmp_path / "db", read_only=True)
    assert not (tmp_path / "db").exists()
    Database.open(tmp_path / "db").close()
    database = Database.open(tmp_path / "db", read_only=True)
    transaction = database.begin()
    with pytest.raises(ReadOnly):
        transaction.create(transaction.catalog.get("", "dbo"))
    with pytest.raises(ReadOnly):
        database.checkpoint()
    database.close()
