"""Branches, tags, settings and the past, in storage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hartonomous.storage.database import Database
from hartonomous.storage.errors import (
    AlreadyExists,
    Conflict,
    ConstraintFault,
    HistoryGone,
    NotFound,
)
from tests.unit.store_tools import address_of, commit, content, entry, numbered, rows, with_table


@pytest.fixture(params=["memory", "folder"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "db" if request.param == "folder" else None)
    yield database
    assert database.verify() == []
    database.close()


def reopened(db: Database) -> Database:
    """The same database in another process's eyes; in memory, itself."""
    if db.path is None:
        return db
    return Database.open(db.path, read_only=True)


def insert(db: Database, table, *given, branch: str = "main") -> int:
    mine = db.begin(branch=branch)
    mine.insert(table.id, rows(*given))
    return commit(mine)


def delete(db: Database, table, *ids: int, branch: str = "main") -> int:
    mine = db.begin(branch=branch)
    mine.delete(table.id, address_of(mine, table, *ids))
    return commit(mine)


def test_a_branch_goes_its_own_way(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))
    made = db.create_branch("side")
    assert (made.name, made.parent, made.fork, made.sequence) == ("side", 0, 1, 1)
    insert(db, table, (3, "main"))
    insert(db, table, (3, "side"), branch="side")
    delete(db, table, 1, branch="side")
    delete(db, table, 2)
    assert content(db.snapshot(), table) == [(1, "a"), (3, "main")]
    assert content(db.snapshot("SIDE"), table) == [(2, "b"), (3, "side")]
    assert [(b.name, b.sequence) for b in db.branches()] == [("main", 5), ("side", 4)]
    assert db.commits("side")["Sequence"].to_pylist() == [4, 3, 1]
    assert db.commits("side")["Branch"].to_pylist() == ["side", "side", "main"]
    assert db.commits("main")["Sequence"].to_pylist() == [5, 2, 1]
    assert db.commits()["Sequence"].to_pylist() == [5, 4, 3, 2, 1]


def test_names_are_taken_once_and_main_stays(db: Database) -> None:
    db.create_branch("side")
    with pytest.raises(AlreadyExists):
        db.create_branch("Side")
    with pytest.raises(AlreadyExists):
        db.create_branch("main")
    with pytest.raises(ConstraintFault):
        db.drop_branch("main")
    with pytest.raises(NotFound):
        db.begin(branch="other")
    db.drop_branch("SIDE")
    with pytest.raises(NotFound):
        db.snapshot("side")
    assert db.create_branch("side").id == 2


def test_a_commit_to_a_dropped_branch_is_a_conflict(db: Database) -> None:
    table = with_table(db, (1, "a"))
    db.create_branch("side")
    mine = db.begin(branch="side")
    mine.insert(table.id, rows((2, "b")))
    db.drop_branch("side")
    with pytest.raises(Conflict):
        mine.commit(statement="", author="")


def test_as_of_shows_rows_and_schema_of_then(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))
    insert(db, table, (3, "c"))
    delete(db, table, 1)
    db.create_branch("side")
    insert(db, table, (4, "side"), branch="side")
    insert(db, table, (5, "main"))
    seen = [content(db.as_of(db.place_of(s)), table) for s in range(1, 6)]
    assert seen == [
        [(1, "a"), (2, "b")],
        [(1, "a"), (2, "b"), (3, "c")],
        [(2, "b"), (3, "c")],
        [(2, "b"), (3, "c"), (4, "side")],
        [(2, "b"), (3, "c"), (5, "main")],
    ]
    assert db.as_of(db.place_of(0)).catalog.tables_by_id == {}
    assert [db.as_of(db.place_of(s)).branch for s in (3, 4)] == ["main", "side"]


def test_a_branch_of_the_past(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))
    insert(db, table, (3, "c"))
    delete(db, table, 1)
    insert(db, table, (1, "again"))
    made = db.create_branch("old", db.as_of(db.place_of(2)))
    assert (made.parent, made.fork) == (0, 2)
    assert content(db.snapshot("old"), table) == [(1, "a"), (2, "b"), (3, "c")]
    delete(db, table, 1, branch="old")
    insert(db, table, (1, "mine"), branch="old")
    assert content(db.snapshot("old"), table) == [(1, "mine"), (2, "b"), (3, "c")]
    assert content(db.as_of(db.place_of(5)), table) == [(2, "b"), (3, "c")]
    assert content(db.snapshot(), table) == [(1, "again"), (2, "b"), (3, "c")]
    other = reopened(db)
    assert content(other.snapshot("old"), table) == [(1, "mine"), (2, "b"), (3, "c")]
    assert content(other.as_of(other.place_of(5)), table) == [(2, "b"), (3, "c")]
    if other is not db:
        assert other.verify() == []
        other.close()


def test_commits_are_found_by_hash_tag_and_time(db: Database) -> None:
    table = with_table(db, (1, "a"))
    insert(db, table, (2, "b"))
    first, second = (db.place_of(s) for s in (1, 2))
    assert db.find_commit(first.hash.hex()[:9]) == first
    assert db.find_commit(second.hash.hex().upper()) == second
    for text in ("deadbeef", first.hash.hex()[:7], "no hash"):
        with pytest.raises(NotFound):
            db.find_commit(text)
    tag = db.create_tag("v1", first.hash)
    assert (tag.name, tag.sequence) == ("v1", 1)
    assert db.find_commit("V1") == first
    with pytest.raises(AlreadyExists):
        db.create_tag("V1", second.hash)
    db.drop_tag("V1")
    assert db.tags() == []
    with pytest.raises(NotFound):
        db.drop_tag("v1")
    assert db.commit_at(second.at_us, "main") == second
    assert db.commit_at(second.at_us + 10, "main") == second
    with pytest.raises(HistoryGone):
        db.commit_at(first.at_us - 1, "main")


def test_settings(db: Database) -> None:
    assert dict(db.settings) == {}
    db.set_setting("retention", "7 days")
    db.set_setting("retention", "8 days")
    assert dict(db.settings) == {"retention": "8 days"}


def test_common_ancestors_count_what_was_merged(db: Database) -> None:
    table = with_table(db, (1, "a"))
    db.create_branch("side")
    insert(db, table, (2, "b"), branch="side")
    insert(db, table, (3, "c"))
    main, side = db.snapshot(), db.snapshot("side")
    assert db.common_ancestor(main, side) == 1
    mine = db.begin()
    info = mine.commit(statement="merge", author="", parents=(side.state.commit_hash,))
    assert info is not None and info.sequence == 4
    insert(db, table, (4, "d"), branch="side")
    assert db.common_ancestor(db.snapshot(), db.snapshot("side")) == 2
    assert db.common_ancestor(db.snapshot("side"), main) == 1


def test_a_merge_into_an_empty_branch(db: Database) -> None:
    db.create_branch("side")
    mine = db.begin(branch="side")
    table = mine.create(entry())
    commit(mine)
    merged = db.snapshot("side").state.commit_hash
    mine = db.begin()
    info = mine.commit(statement="merge", author="", parents=(merged,))
    assert info is not None
    assert db.common_ancestor(db.snapshot(), db.snapshot("side")) == 1
    assert db.commits("main")["Parent"].to_pylist() == [None]
    other = reopened(db)
    assert other.verify() == [] and table.id not in other.snapshot().catalog.tables_by_id
    if other is not db:
        other.close()


def test_rows_come_back_under_their_ids(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))
    ids = db.snapshot().view(table.id).scan(["id"], row_id=True).table["__row_id"].to_numpy()
    delete(db, table, 1, 2)
    mine = db.begin()
    mine.insert(table.id, rows((1, "a"), (2, "b")), ids)
    other = db.begin()
    other.insert(table.id, rows((3, "c")))
    commit(other)
    with pytest.raises(Conflict):
        mine.commit(statement="", author="")
    mine = db.begin()
    mine.insert(table.id, rows((2, "b"), (1, "a")), ids[::-1].copy())
    commit(mine)
    found = db.snapshot().view(table.id).scan(["id"], row_id=True).table
    assert dict(zip(*(c.to_pylist() for c in found.columns), strict=True))[1] == ids[0]


def test_all_of_it_is_durable(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"), (2, "b"))
    expected = {}
    for checkpoint in (False, True):
        for name in ("x", "y"):
            made = f"{name}{int(checkpoint)}"
            db.create_branch(made)
            insert(db, table, (10, made), branch=made)
            expected[made] = content(db.snapshot(made), table)
        db.create_branch(f"z{int(checkpoint)}", source="x0")
        insert(db, table, (11, None), branch=f"z{int(checkpoint)}")
        expected[f"z{int(checkpoint)}"] = content(db.snapshot(f"z{int(checkpoint)}"), table)
        insert(db, table, (20 + checkpoint, None))
        delete(db, table, 1 + checkpoint)
        db.create_tag(f"t{int(checkpoint)}", db.head_of("x0").hash)
        db.set_setting("a", str(checkpoint))
        db.drop_branch(f"y{int(checkpoint)}")
        expected.pop(f"y{int(checkpoint)}")
        expected["main"] = content(db.snapshot(), table)
        past = [content(db.as_of(db.place_of(s)), table) for s in (1, 2)]
        if checkpoint:
            db.checkpoint()
        reader = Database.open(tmp_path / "db", read_only=True)
        for other in (db, reader):
            assert {b.name for b in other.branches()} == set(expected)
            for name, content_of in expected.items():
                assert content(other.snapshot(name), table) == content_of, name
            assert [t.name for t in other.tags()] == ["t0", "t1"][: 1 + checkpoint]
            assert dict(other.settings) == {"a": str(checkpoint)}
            assert [content(other.as_of(other.place_of(s)), table) for s in (1, 2)] == past
            assert other.verify() == []
        reader.close()
        db.close()
        db = Database.open(tmp_path / "db")
    for name, content_of in expected.items():
        assert content(db.snapshot(name), table) == content_of, name
    with pytest.raises(HistoryGone):
        db.as_of(db.place_of(3))
    db.close()


def test_a_dropped_table_is_there_as_of_then(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = latest = with_table(db, (1, "a"))
    for _ in range(2):
        mine = db.begin()
        mine.drop(mine.catalog.get("dbo", "t"))
        gone = commit(mine)
        assert content(db.as_of(db.place_of(gone - 1)), latest) == [(1, "a")]
        for other in (db, Database.open(tmp_path / "db", read_only=True)):
            assert content(other.as_of(other.place_of(1)), table) == [(1, "a")]
            assert other.verify() == []
        other.close()
        db.close()
        db = Database.open(tmp_path / "db")
        assert content(db.as_of(db.place_of(1)), table) == [(1, "a")]
        latest = with_table(db, (1, "a"))
        db.checkpoint()
        assert content(db.snapshot(), latest) == [(1, "a")]
    db.close()


def test_a_snapshot_of_a_dropped_branch_stays_readable(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "db")
    table = with_table(db, (1, "a"), (2, "b"))
    db.checkpoint()
    db.create_branch("side")
    mine = db.begin(branch="side")
    mine.insert(table.id, numbered(10, 400_000))
    commit(mine)
    db.checkpoint()
    names = set(db.object_store.names())
    db.close()
    db = Database.open(tmp_path / "db")
    reader = Database.open(tmp_path / "db", read_only=True)
    held = [other.snapshot("side") for other in (db, reader)]
    db.drop_branch("side")
    assert [b.name for b in reader.branches()] == ["main"]
    insert(db, table, (3, "c"))
    db.checkpoint()
    assert content(reader.snapshot(), table) == [(1, "a"), (2, "b"), (3, "c")]
    insert(db, table, (4, "d"))
    db.checkpoint()
    gone = names - set(db.object_store.names())
    assert sum(1 for _ in gone) > 2, "objects of the branch went"
    for snapshot in held:
        assert snapshot.view(table.id).row_count == 400_002
        assert len(content(snapshot, table)) == 400_002
        assert len(address_of(snapshot, table, 77)) == 1
    reader.close()
    assert db.verify() == []
    db.close()


def test_in_memory_a_dropped_table_is_gone() -> None:
    db = Database.open(None)
    table = with_table(db, (1, "a"))
    mine = db.begin()
    mine.drop(mine.catalog.get("dbo", "t"))
    commit(mine)
    with pytest.raises(HistoryGone):
        db.as_of(db.place_of(1)).view(table.id)
    with pytest.raises(HistoryGone):
        db.create_branch("old", db.as_of(db.place_of(1)))
    assert [b.name for b in db.branches()] == ["main"]


def test_a_branch_of_the_past_with_an_empty_table(db: Database) -> None:
    mine = db.begin()
    table = mine.create(entry())
    commit(mine)
    insert(db, table, (1, "a"))
    db.create_branch("old", db.as_of(db.place_of(1)))
    assert content(db.snapshot("old"), table) == []
    insert(db, table, (2, "b"), branch="old")
    mine = db.begin()
    other = mine.create(entry("other"))
    commit(mine)
    db.create_branch("both", db.as_of(db.place_of(4)))
    insert(db, other, (3, "c"))
    db.create_branch("late", db.as_of(db.place_of(4)))
    assert content(db.snapshot("late"), other) == content(db.snapshot("both"), other) == []


def test_commits_of_many_branches_at_once(tmp_path: Path) -> None:
    """Writers on branches of their own, one that makes and drops branches, one that checkpoints."""
    db = Database.open(tmp_path / "db")
    table = with_table(db, (0, "a"))
    names = ["main", "x", "y"]
    for name in names[1:]:
        db.create_branch(name)
    faults: list[BaseException] = []

    def run(work: Callable[[int], object]) -> None:
        try:
            for n in range(1, 31):
                work(n)
        except BaseException as fault:
            faults.append(fault)

    def branch_out(n: int) -> None:
        name = f"b{n}"
        made = db.create_branch(name, source=names[n % 3])
        seen = content(db.snapshot(name), table)
        assert content(db.as_of(db.place_of(made.fork)), table) == seen
        insert(db, table, (-n, None), branch=name)
        assert content(db.snapshot(name), table) == [(-n, None), *seen]
        if n % 2:
            db.drop_branch(name)

    jobs: list[Callable[[int], object]] = [
        *(lambda n, name=name: insert(db, table, (n, None), branch=name) for name in names),
        branch_out,
        lambda n: db.checkpoint() if n % 10 == 0 else None,
    ]
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    expected = [(0, "a"), *((n, None) for n in range(1, 31))]
    for _ in range(2):
        for name in names:
            assert content(db.snapshot(name), table) == expected
        assert len(db.branches()) == 3 + 15
        assert db.verify() == []
        db.close()
        db = Database.open(tmp_path / "db")
    db.close()
