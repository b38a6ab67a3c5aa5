"""Foreign keys in storage, without what hql/changes/references.py makes of them."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from unit.store_tools import address_of, commit, content, entry, rows, with_table

from hartonomous.storage.catalog import ForeignKeyEntry, KeyEntry, TableEntry
from hartonomous.storage.catalog_maps import entry_from_map, entry_to_map
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Conflict, ConstraintFault
from hartonomous.storage.references import find_children, references_of


def child_of(database: Database, parent: TableEntry) -> TableEntry:
    """A table whose names are names of the parent's rows."""
    transaction = database.begin()
    own = replace(
        entry("child"),
        keys=(KeyEntry(3, "pk", (1,), "PRIMARY KEY"),),
        foreign_keys=(ForeignKeyEntry(4, "fk", (2,), parent.id, (2,)),),
    )
    child = transaction.create(own)
    commit(transaction)
    assert isinstance(child, TableEntry)
    return child


def test_what_nobody_settled_is_an_error_at_commit(db: Database) -> None:
    parent = with_table(db, (1, "a"), (2, "b"))
    child = child_of(db, parent)
    mine = db.begin()
    mine.insert(child.id, rows((10, "a"), (11, None)))
    assert not mine.broken
    commit(mine)
    mine = db.begin()
    mine.insert(child.id, rows((12, "z")))
    with pytest.raises(ConstraintFault, match=r"has no row \('z'\)") as caught:
        commit(mine)
    assert caught.value.code == "FOREIGN_KEY_VIOLATION"
    mine.rollback()
    mine = db.begin()
    mine.delete(parent.id, address_of(mine, parent, 1))
    with pytest.raises(ConstraintFault, match=r"refers to the row \('a'\)"):
        commit(mine)
    mine.rollback()
    assert content(db.snapshot(), child) == [(10, "a"), (11, None)]


def test_what_is_broken_in_between_may_be_mended(db: Database) -> None:
    parent = with_table(db, (1, "a"))
    child = child_of(db, parent)
    mine = db.begin()
    mine.insert(child.id, rows((10, "later")))
    mine.update(parent.id, address_of(mine, parent, 1), rows((1, "later")))
    commit(mine)
    assert content(db.snapshot(), child) == [(10, "later")]


def test_a_savepoint_forgets_what_was_broken_after_it(db: Database) -> None:
    parent = with_table(db, (1, "a"))
    child = child_of(db, parent)
    mine = db.begin()
    mine.insert(child.id, rows((10, "a")))
    before = mine.savepoint()
    mine.insert(child.id, rows((11, "z")))
    mine.rollback_to(before)
    commit(mine)
    assert content(db.snapshot(), child) == [(10, "a")]


def test_children_are_found_in_own_and_in_committed_rows(db: Database) -> None:
    parent = with_table(db, (1, "a"), (2, "b"))
    child = child_of(db, parent)
    mine = db.begin()
    mine.insert(child.id, rows((10, "a"), (11, "b")))
    commit(mine)
    mine = db.begin()
    mine.insert(child.id, rows((12, "b"), (13, None)))
    mine.delete(child.id, address_of(mine, child, 10))
    (reference,) = references_of(mine.catalog).of_parent[parent.id]
    keys = [pa.array(["a", "b", None])]
    numbers, addresses = find_children(mine.view(child.id), reference, keys)
    assert numbers.tolist() == [1, 1]
    assert mine.view(child.id).gather("id", addresses).to_pylist() == [11, 12]


def test_a_parent_that_goes_meanwhile_is_a_conflict(db: Database) -> None:
    parent = with_table(db, (1, "a"), (2, "b"))
    child = child_of(db, parent)
    mine, theirs = db.begin(), db.begin()
    mine.insert(child.id, rows((10, "a")))
    theirs.delete(parent.id, address_of(theirs, parent, 1))
    commit(theirs)
    with pytest.raises(Conflict, match='rows of table "t" were changed'):
        commit(mine)


def test_entries_without_foreign_keys_have_the_bytes_that_they_had() -> None:
    assert "foreign_keys" not in entry_to_map(entry())
    whole = replace(entry(), foreign_keys=(ForeignKeyEntry(5, "fk", (2,), 0, (2,), "CASCADE"),))
    assert entry_from_map(entry_to_map(whole)) == whole
