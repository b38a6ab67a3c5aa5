"""Readers follow a writer's folder: only what is durable, whole commits, through checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_disk import TwoStepDisk
from unit.store_tools import address_of, commit, content, entry, numbered, rows, with_table

from hartonomous.storage.database import Database
from hartonomous.storage.disk import File
from hartonomous.storage.errors import NotFound


class Held(TwoStepDisk):
    """Does something just before a sync, while a commit is written but not yet durable."""

    def __init__(self) -> None:
        self.before_sync = lambda: None

    def do_sync(self, file: File) -> None:
        self.before_sync()
        super().do_sync(file)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Database, Database, Held]]:
    disk = Held()
    writer = Database.open(tmp_path / "db", disk=disk)
    reader = Database.open(tmp_path / "db", read_only=True)
    yield writer, reader, disk
    reader.close()
    writer.close()


def test_a_reader_sees_each_commit_and_keeps_its_snapshots(
    both: tuple[Database, Database, Held],
) -> None:
    writer, reader, _ = both
    table = with_table(writer, (1, "a"))
    first = reader.snapshot()
    assert content(first, table) == [(1, "a")]
    for n in range(2, 40):
        mine = writer.begin()
        mine.insert(table.id, rows((n, None)))
        mine.update(table.id, address_of(mine, table, 1), rows((1, f"{n}")))
        commit(mine)
        if n % 10 == 0:
            writer.checkpoint()
        assert reader.snapshot().sequence == writer.snapshot().sequence
        expected = content(writer.snapshot(), table)
        assert content(reader.snapshot(), table) == expected
        assert content(reader.begin(), table) == expected
    assert content(first, table) == [(1, "a")]
    assert reader.commits() == writer.commits()
    assert reader.verify() == []


def test_a_reader_sees_nothing_that_is_not_synced(both: tuple[Database, Database, Held]) -> None:
    writer, reader, disk = both
    table = with_table(writer, (1, "a"))
    looks = []

    def look() -> None:
        disk.before_sync = lambda: None
        looks.append((content(reader.snapshot(), table), content(writer.snapshot(), table)))

    disk.before_sync = look
    mine = writer.begin()
    mine.insert(table.id, rows((2, "b")))
    commit(mine)
    assert looks == [([(1, "a")], [(1, "a")])]
    assert content(reader.snapshot(), table) == [(1, "a"), (2, "b")]


def test_a_reader_follows_ddl_and_bulk_inserts(both: tuple[Database, Database, Held]) -> None:
    writer, reader, _ = both
    table = with_table(writer, (1_000_000_000, "a"))
    mine = writer.begin()
    mine.insert(table.id, numbered(0, 2_200_000))
    mine.drop(mine.create(entry("brief")))
    mine.create(entry("kept"))
    commit(mine)
    snapshot = reader.snapshot()
    assert snapshot.view(table.id).row_count == 2_200_001
    assert {t.name for t in snapshot.catalog.tables()} == {"t", "kept"}
    mine = writer.begin()
    mine.drop(table)
    commit(mine)
    with pytest.raises(NotFound):
        reader.snapshot().view(table.id)
    assert snapshot.view(table.id).row_count == 2_200_001


def test_what_a_reader_holds_is_not_removed(both: tuple[Database, Database, Held]) -> None:
    writer, reader, _ = both
    table = with_table(writer, (1, "a"))
    writer.checkpoint()
    snapshot = reader.snapshot()
    mine = writer.begin()
    mine.drop(table)
    commit(mine)
    writer.checkpoint()
    path = writer.path
    assert path is not None
    writer.close()
    again = Database.open(path)
    assert content(snapshot, table) == [(1, "a")], "opened only now, by name"
    again.close()


def test_a_reader_outlives_its_writer(tmp_path: Path) -> None:
    writer = Database.open(tmp_path / "db")
    table = with_table(writer, (1, "a"))
    reader = Database.open(tmp_path / "db", read_only=True)
    writer.close()
    assert content(reader.snapshot(), table) == [(1, "a")]
    writer = Database.open(tmp_path / "db")
    mine = writer.begin()
    mine.insert(table.id, rows((2, "b")))
    commit(mine)
    assert content(reader.snapshot(), table) == [(1, "a"), (2, "b")]
    writer.close()
    reader.close()
    assert list((tmp_path / "db" / "readers").iterdir()) == []
