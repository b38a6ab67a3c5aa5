"""BACKUP: opens as the database was at that moment, and verifies, whatever goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.store_tools import address_of, commit, content, numbered, rows, with_table

from hartonomous.storage import backup, load, prepare
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.database import Database
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import AlreadyExists, Corruption, NotFound


class NoLinks(Disk):
    """As between two devices."""

    def do_link(self, source: Path, target: Path) -> bool:
        return False


@pytest.fixture(params=[Disk, NoLinks], ids=["links", "copies"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database.open(tmp_path / "db", disk=request.param())
    yield database
    database.close()


def change(database: Database, table: TableEntry, id_: int, text: str) -> int:
    mine = database.begin()
    mine.update(table.id, address_of(mine, table, id_), rows((id_, text)))
    return commit(mine)


def check(path: Path, table: TableEntry, expected: list[tuple[int | None, str | None]]) -> None:
    """Reads, verifies and goes on being written."""
    reader = Database.open(path, read_only=True)
    assert content(reader.snapshot(), table) == expected
    assert reader.verify() == []
    reader.close()
    other = Database.open(path)
    assert content(other.snapshot(), table) == expected
    assert other.verify() == []
    change(other, table, 1, "later")
    other.vacuum()
    assert other.verify() == []
    other.close()


def test_of_log_and_objects(database: Database, tmp_path: Path) -> None:
    table = with_table(database, (1, "a"), (2, "b"))
    database.backup(tmp_path / "log only")
    database.checkpoint()
    change(database, table, 1, "c")
    database.create_branch("b")
    database.create_tag("first", database.place_of(1).hash)
    made = database.backup(tmp_path / "both")
    change(database, table, 2, "d")
    assert made.sequence == 2
    assert (made.linked == made.objects) == (type(database.disk) is Disk)
    check(tmp_path / "log only", table, [(1, "a"), (2, "b")])
    check(tmp_path / "both", table, [(1, "c"), (2, "b")])
    copied = Database.open(tmp_path / "both", read_only=True)
    assert [b.name for b in copied.branches()] == ["main", "b"]
    assert [t.name for t in copied.tags()] == ["first"]
    assert content(copied.as_of(copied.place_of(1)), table) == [(1, "a"), (2, "b")]
    copied.close()


def test_it_stays_whatever_happens_to_the_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "BULK_BYTES", 1 << 20)
    monkeypatch.setattr(prepare, "BULK_BYTES", 1 << 20)
    table = with_table(database, (1, "a"))
    mine = database.begin()
    mine.insert(table.id, numbered(100, 150_000))  # a segment that only the log names
    commit(mine)
    database.backup(tmp_path / "copy")
    mine = database.begin()
    mine.truncate(table.id)
    commit(mine)
    database.set_setting("retention", "0 seconds")
    database.vacuum()
    copied = Database.open(tmp_path / "copy")
    assert copied.snapshot().view(table.id).row_count == 150_001
    assert copied.verify() == []
    copied.close()


def test_what_it_needs_stays_meanwhile(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = with_table(database, (1, "a"), (2, "b"))
    database.checkpoint()
    database.set_setting("retention", "0 seconds")
    bring = backup._bring

    def later(*given: Any) -> tuple[bool, int]:
        if not (tmp_path / "copy" / "begun").exists():
            (tmp_path / "copy" / "begun").touch()
            change(database, table, 1, "c")
            database.vacuum()
        return bring(*given)

    monkeypatch.setattr(backup, "_bring", later)
    database.backup(tmp_path / "copy")
    check(tmp_path / "copy", table, [(1, "a"), (2, "b")])


def test_only_into_an_empty_folder(database: Database, tmp_path: Path) -> None:
    with_table(database, (1, "a"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    with pytest.raises(AlreadyExists, match="not empty"):
        database.backup(tmp_path / "taken")
    with pytest.raises(AlreadyExists, match="not empty"):
        database.backup(tmp_path / "taken" / "file")
    (tmp_path / "empty").mkdir()
    database.backup(tmp_path / "empty")
    with pytest.raises(AlreadyExists, match="not empty"):
        database.backup(tmp_path / "empty")


def test_not_into_itself(database: Database, tmp_path: Path) -> None:
    """What is in the way of its own files would be swept, or be taken for one of them."""
    with_table(database, (1, "a"))
    assert database.folder is not None
    inside = database.folder.path
    (tmp_path / "way").symlink_to(inside)
    for target in (inside, inside / "copy", inside / "objects" / "tmp" / "x", tmp_path / "way/y"):
        with pytest.raises(AlreadyExists, match="itself"):
            database.backup(target)
        assert target == inside or not target.exists()


def test_an_unfinished_one_is_no_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_table(database, (1, "a"))
    database.checkpoint()

    def fail(*_: object) -> None:
        raise Corruption("stop")

    monkeypatch.setattr("hartonomous.storage.backup.write_head", fail)
    with pytest.raises(Corruption, match="stop"):
        database.backup(tmp_path / "half")
    with pytest.raises(NotFound, match="no database"):
        Database.open(tmp_path / "half", read_only=True)


def test_a_damaged_object_is_found_when_it_is_copied(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "db", disk=NoLinks())
    table = with_table(database, (1, "a"))
    database.checkpoint()
    name = next(iter(database.published.table(table.id).chunks)).rows.meta.ref.name  # type: ignore[attr-defined]
    assert database.objects is not None
    path = database.objects.path(name)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corruption, match=name):
        database.backup(tmp_path / "copy")
    database.close()


def test_of_memory(tmp_path: Path) -> None:
    database = Database.open(None)
    table = with_table(database, (1, "a"), (2, "b"))
    change(database, table, 2, "c")
    database.vacuum()
    database.create_branch("b")
    change(database, table, 2, "d")
    made = database.backup(tmp_path / "copy")
    assert made.sequence == 3 and database.verify() == []
    hashes = database.commits()["Hash"]
    change(database, table, 2, "e")
    copied = Database.open(tmp_path / "copy", read_only=True)
    assert copied.commits()["Hash"] == hashes
    assert content(copied.snapshot("b"), table) == [(1, "a"), (2, "c")]
    copied.close()
    check(tmp_path / "copy", table, [(1, "a"), (2, "d")])


@pytest.mark.parametrize("who", ["writer", "reader"])
def test_under_load(tmp_path: Path, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits, checkpoints, bulk rows and collection go on while backups are made one by one."""
    monkeypatch.setattr(load, "BULK_BYTES", 500)
    monkeypatch.setattr(prepare, "BULK_BYTES", 500)
    database = Database.open(tmp_path / "db", checkpoint_bytes=30_000)
    database.set_setting("retention", "0 seconds")
    table = with_table(database, *((i, None) for i in range(50)))
    source = database if who == "writer" else Database.open(tmp_path / "db", read_only=True)
    stop = threading.Event()
    faults: list[BaseException] = []

    def work() -> None:
        try:
            n = 0
            while not stop.is_set():
                n += 1
                mine = database.begin()
                ids = range(50) if n % 5 == 0 else range(n % 50, n % 50 + 1)
                mine.update(
                    table.id, address_of(mine, table, *ids), rows(*((i, None) for i in ids))
                )
                mine.update(table.id, address_of(mine, table, 0), rows((0, f"{n}")))
                commit(mine)
                if n % 7 == 0:
                    database.vacuum()
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(3):
            made = source.backup(tmp_path / f"{number}")
            copied = Database.open(tmp_path / f"{number}")
            assert copied.snapshot().sequence == made.sequence
            assert len(content(copied.snapshot(), table)) == 50
            assert copied.verify() == []
            copied.close()
    finally:
        stop.set()
        thread.join()
        if source is not database:
            source.close()
        database.close()
    assert faults == []
