"""Transactions: what they see, what they refuse, who wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from unit.store_tools import address_of, commit, content, entry, numbered, rows, with_table

from hartonomous.storage.catalog import (
    KeyEntry,
    RoutineEntry,
    SchemaEntry,
    TableEntry,
    ViewEntry,
)
from hartonomous.storage.database import Database
from hartonomous.storage.errors import (
    AlreadyExists,
    Conflict,
    ConstraintFault,
    NotFound,
)
from hartonomous.storage.state import TempStore


def test_own_changes_are_seen_by_oneself_alone_until_commit(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))
    mine, before = db.begin(), db.snapshot()
    mine.insert(table.id, rows((3, "c")))
    mine.delete(table.id, address_of(mine, table, 1))
    mine.update(table.id, address_of(mine, table, 2), rows((20, "bb")))
    assert content(mine, table) == [(3, "c"), (20, "bb")]
    assert content(db.snapshot(), table) == [(1, "a"), (2, "b")]
    commit(mine)
    assert content(db.snapshot(), table) == [(3, "c"), (20, "bb")]
    assert content(before, table) == [(1, "a"), (2, "b")], "an old snapshot stands still"


def test_update_keeps_the_row_id(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))

    def ids() -> dict[int, int]:
        found = db.snapshot().view(table.id).scan(["id"], row_id=True).table
        return dict(zip(found["id"].to_pylist(), found["__row_id"].to_pylist(), strict=True))

    before = ids()
    mine = db.begin()
    mine.update(table.id, address_of(mine, table, 2, 1), rows((22, None), (11, None)))
    commit(mine)
    assert ids() == {11: before[1], 22: before[2]}


def test_nothing_changed_is_no_commit(db: Database) -> None:
    table = with_table(db, (1, "a"))
    mine = db.begin()
    assert not mine.has_changes
    assert mine.commit(statement="", author="") is None
    mine = db.begin()
    mine.insert(table.id, rows((2, "b")))
    mine.delete(table.id, address_of(mine, table, 2))
    assert mine.commit(statement="", author="") is None
    assert len(db.commits()) == 1


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ([(None, "x")], "NOT_NULL_VIOLATION", 'column "id" of table "t"'),
        ([(1, "x")], "UNIQUE_VIOLATION", 'PRIMARY KEY "pk_t" (id) of table "t"'),
        (
            [(5, "a")],
            "UNIQUE_VIOLATION",
            'UNIQUE "uq_t" (name) of table "t" already has the value (\'a\')',
        ),
        ([(7, None), (7, None)], "UNIQUE_VIOLATION", "(7)"),
    ],
)
def test_a_refused_insert_adds_nothing(
    db: Database, given: list[tuple[int | None, str | None]], code: str, says: str
) -> None:
    table = with_table(db, (1, "a"))
    mine = db.begin()
    mine.insert(table.id, rows((2, "b")))
    with pytest.raises(ConstraintFault) as fault:
        mine.insert(table.id, rows((3, "c"), *given))
    assert fault.value.code == code and says in str(fault.value)
    assert content(mine, table) == [(1, "a"), (2, "b")]
    commit(mine)


def test_nulls_in_a_unique_key_never_collide(db: Database) -> None:
    table = with_table(db, (1, None), (2, None))
    mine = db.begin()
    mine.insert(table.id, rows((3, None)))
    commit(mine)
    assert db.snapshot().view(table.id).row_count == 3


def test_keys_are_checked_after_the_whole_update(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"), (3, "c"))
    mine = db.begin()
    mine.update(table.id, address_of(mine, table, 1, 2), rows((2, "b"), (1, "a")))
    assert content(mine, table) == [(1, "a"), (2, "b"), (3, "c")], "keys may change places"
    with pytest.raises(ConstraintFault):
        mine.update(table.id, address_of(mine, table, 1), rows((3, "z")))
    with pytest.raises(ConstraintFault):
        mine.update(table.id, address_of(mine, table, 1, 2), rows((9, "x"), (9, "y")))
    mine.update(table.id, address_of(mine, table, 1), rows((3 + 1, "a")))
    commit(mine)


def test_a_key_may_be_used_again_after_a_delete(db: Database) -> None:
    table = with_table(db, (1, "a"))
    mine = db.begin()
    mine.delete(table.id, address_of(mine, table, 1))
    mine.insert(table.id, rows((1, "a")))
    commit(mine)
    assert content(db.snapshot(), table) == [(1, "a")]


def test_two_changes_of_one_row_conflict(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"), (3, "c"))
    first, second, third = db.begin(), db.begin(), db.begin()
    first.update(table.id, address_of(first, table, 1), rows((1, "first")))
    second.delete(table.id, address_of(second, table, 1))
    third.update(table.id, address_of(third, table, 3), rows((3, "third")))
    commit(first)
    with pytest.raises(Conflict) as fault:
        commit(second)
    assert fault.value.retry and not second.is_open
    commit(third)
    assert content(db.snapshot(), table) == [(1, "first"), (2, "b"), (3, "third")]


def test_two_inserts_of_one_key_conflict(db: Database) -> None:
    table = with_table(db)
    first, second, third = db.begin(), db.begin(), db.begin()
    first.insert(table.id, rows((1, "x")))
    second.insert(table.id, rows((2, "x")))
    third.insert(table.id, rows((3, "y")))
    commit(first)
    with pytest.raises(Conflict, match="uq_t"):
        commit(second)
    commit(third)


def test_keys_without_case_conflict_too(db: Database) -> None:
    plain = entry()
    columns = tuple(replace(c, collation="NOCASE" if c.id == 2 else None) for c in plain.columns)
    setup = db.begin()
    table = setup.create(replace(plain, columns=columns))
    assert isinstance(table, TableEntry)
    commit(setup)
    first, second = db.begin(), db.begin()
    first.insert(table.id, rows((1, "Anna")))
    second.insert(table.id, rows((2, "anna")))
    commit(first)
    with pytest.raises(Conflict, match="UNIQUE"):
        commit(second)


def test_conflicts_are_found_after_chunks_were_merged(db: Database) -> None:
    table = with_table(db, (1, "a"))
    old, other = db.begin(), db.begin()
    old.delete(table.id, address_of(old, table, 1))
    other.delete(table.id, address_of(other, table, 1))
    for i in range(2, 40):
        mine = db.begin()
        mine.insert(table.id, rows((i, None)))
        commit(mine)
    commit(old)
    with pytest.raises(Conflict):
        commit(other)
    assert db.snapshot().view(table.id).row_count == 38


def test_savepoints(db: Database) -> None:
    table = with_table(db, (1, "a"))
    mine = db.begin()
    mine.insert(table.id, rows((2, "b")))
    saved = mine.savepoint()
    mine.delete(table.id, address_of(mine, table, 1, 2))
    other = mine.create(entry("other"))
    mine.rollback_to(saved)
    assert content(mine, table) == [(1, "a"), (2, "b")]
    with pytest.raises(NotFound):
        mine.view(other.id)
    mine.truncate(table.id)
    mine.rollback_to(saved)
    commit(mine)
    assert content(db.snapshot(), table) == [(1, "a"), (2, "b")]


def test_addresses_outlive_the_merging_of_own_rows(db: Database) -> None:
    table = with_table(db)
    mine = db.begin()
    mine.insert(table.id, rows((1000, None)))
    address = address_of(mine, table, 1000)
    for i in range(100):
        mine.insert(table.id, rows((i, None)))
    assert len(mine.view(table.id).parts) < 20
    mine.update(table.id, address, rows((2000, "late")))
    late = address_of(mine, table, 2000)
    for i in range(100, 200):
        mine.insert(table.id, rows((i, None)))
    assert mine.delete(table.id, late) == 1
    assert content(mine, table) == [(i, None) for i in range(200)]
    commit(mine)
    assert db.snapshot().view(table.id).row_count == 200


def test_ddl_is_part_of_the_transaction(db: Database) -> None:
    mine = db.begin()
    mine.create(SchemaEntry(0, "", "s"))
    table = mine.create(entry(schema="s"))
    assert isinstance(table, TableEntry) and table.id > 0
    mine.insert(table.id, rows((1, "a")))
    mine.create(ViewEntry(0, "S", "v", "SELECT 1"))
    mine.create(RoutineEntry(0, "S", "p", "PROCEDURE", "CREATE PROCEDURE s.p AS SELECT 1"))
    with pytest.raises(AlreadyExists):
        mine.create(entry("V", schema="s"))
    with pytest.raises(NotFound):
        mine.create(entry("x", schema="nowhere"))
    assert db.snapshot().catalog.find("s", "t") is None
    commit(mine)
    assert content(db.snapshot(), table) == [(1, "a")]
    mine = db.begin()
    with pytest.raises(ConstraintFault, match="still holds"):
        mine.drop(mine.catalog.get("", "s"))
    for name in ("t", "v", "p"):
        mine.drop(mine.catalog.get("s", name))
    mine.drop(mine.catalog.get("", "s"))
    commit(mine)
    assert [e.name for e in db.snapshot().catalog.entries.values()] == ["dbo"]


def test_ddl_conflicts(db: Database) -> None:
    table = with_table(db, (1, "a"))
    dropping, inserting, late = db.begin(), db.begin(), db.begin()
    dropping.drop(table)
    inserting.insert(table.id, rows((2, "b")))
    late.drop(table)
    commit(inserting)
    with pytest.raises(Conflict):
        commit(dropping)  # rows came that it did not know of
    mine = db.begin()
    mine.drop(table)
    commit(mine)
    with pytest.raises(Conflict):
        commit(late)
    first, second = db.begin(), db.begin()
    first.create(entry("new"))
    second.create(entry("NEW"))
    commit(first)
    with pytest.raises(Conflict):
        commit(second)


def test_unrelated_ddl_does_not_conflict(db: Database) -> None:
    first, second = db.begin(), db.begin()
    a, b = first.create(entry("a")), second.create(entry("b"))
    commit(first)
    commit(second)
    assert {t.id for t in db.snapshot().catalog.tables()} == {a.id, b.id}


def test_a_new_key_is_checked_on_the_rows_there_are(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"))
    plain = replace(table, keys=())
    mine = db.begin()
    mine.replace(plain)
    mine.insert(table.id, rows((1, "a")))
    commit(mine)
    mine = db.begin()
    with pytest.raises(ConstraintFault, match=r"\(1\)"):
        mine.replace(replace(plain, keys=(KeyEntry(9, "k", (1,), "UNIQUE"),)))
    mine.replace(replace(plain, keys=(KeyEntry(9, "k", (1,), "INDEX"),), name="renamed"))
    assert mine.catalog.find("dbo", "t") is None
    commit(mine)
    view = db.snapshot().view(table.id)
    assert len(view.lookup(9, pa.table([pa.array([1], pa.int32())], names=["id"]))) == 2


def test_versions_of_the_catalog_differ(db: Database) -> None:
    versions = {db.snapshot().catalog.version}
    for name in ("a", "b"):
        mine = db.begin()
        mine.create(entry(name))
        versions.add(mine.catalog.version)
        commit(mine)
        versions.add(db.snapshot().catalog.version)
    assert len(versions) == 5
    assert db.snapshot().catalog is db.snapshot().catalog


def test_temporary_tables_belong_to_their_session(db: Database) -> None:
    mine, other = TempStore(), TempStore()
    first = db.begin(mine)
    table = first.create(entry("#t", temporary=True))
    assert isinstance(table, TableEntry)
    first.insert(table.id, rows((1, "a"), (2, "b")))
    assert first.commit(statement="", author="") is None, "nothing of the database changed"
    assert db.begin(other).catalog.find("dbo", "#t") is None
    assert db.begin(mine).catalog is db.begin(mine).catalog, "plans may be cached"
    second = db.begin(mine)
    with pytest.raises(ConstraintFault):
        second.insert(table.id, rows((1, "x")))
    second.delete(table.id, address_of(second, table, 1))
    second.insert(table.id, rows((1, "again")))
    assert content(second, table) == [(1, "again"), (2, "b")]
    second.rollback()
    assert content(db.begin(mine), table) == [(1, "a"), (2, "b")]
    third = db.begin(mine)
    third.truncate(table.id)
    normal = third.create(entry("normal"))
    commit(third)
    assert content(db.begin(mine), table) == []
    fourth = db.begin(mine)
    fourth.drop(table)
    fourth.commit(statement="", author="")
    assert db.begin(mine).catalog.find("dbo", "#t") is None
    assert [t.id for t in db.snapshot().catalog.tables()] == [normal.id]
    assert db.verify() == []


def test_a_conflict_leaves_temporary_tables_as_they_were(db: Database) -> None:
    table = with_table(db, (1, "a"))
    store = TempStore()
    mine, other = db.begin(store), db.begin()
    mine.create(entry("#t", temporary=True))
    mine.delete(table.id, address_of(mine, table, 1))
    other.delete(table.id, address_of(other, table, 1))
    commit(other)
    with pytest.raises(Conflict):
        commit(mine)
    assert db.begin(store).catalog.find("dbo", "#t") is None


def test_a_reader_is_a_source_of_rows(db: Database) -> None:
    table = with_table(db)
    mine = db.begin()
    given = numbered(0, 200_000)
    assert mine.insert(table.id, given.to_reader(1000)) == 200_000
    swapped = given.select(["name", "id"]).slice(0, 0)
    assert mine.insert(table.id, swapped) == 0
    commit(mine)
    view = db.snapshot().view(table.id)
    assert view.row_count == 200_000
    assert [len(c) for c in view.scan(["id"]).table["id"].chunks] == [65536] * 3 + [3392]
    found = view.lookup(3, pa.table([pa.array([150_000, 7, -1], pa.int32())], names=["id"]))
    assert sorted(view.gather("id", found).to_pylist()) == [7, 150_000]


def test_a_reader_that_fails_adds_nothing(db: Database) -> None:
    table = with_table(db, (1, "a"))
    mine = db.begin()
    schema = rows((1, "a")).schema

    def batches() -> object:
        yield rows((2, "b")).to_batches()[0]
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        mine.insert(table.id, pa.RecordBatchReader.from_batches(schema, batches()))
    assert content(mine, table) == [(1, "a")]


def test_columns_are_matched_by_name(db: Database) -> None:
    table = with_table(db)
    mine = db.begin()
    mine.insert(table.id, rows((1, "a")).select(["name", "id"]))
    assert content(mine, table) == [(1, "a")]


def test_updating_an_address_twice_is_a_bug_of_the_caller(db: Database) -> None:
    table = with_table(db, (1, "a"))
    mine = db.begin()
    address = np.repeat(address_of(mine, table, 1), 2)
    with pytest.raises(AssertionError):
        mine.update(table.id, address, rows((1, "x"), (1, "y")))
