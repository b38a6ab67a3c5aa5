"""Merging definitions: tables, views, routines, schemas, spaces and models, entry by entry.

An entry that one branch alone changed since the base is taken. What both changed is merged if it is
a table (merge_tables.py); else it is a conflict, unless both did the same. Entries of one name and
one meaning that both branches made (system tables come with their first row) are one.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace

from hartonomous.hql.errors import NotSupported
from hartonomous.hql.frozen import frozen
from hartonomous.hql.history.applying import in_order, with_history
from hartonomous.hql.history.comparing import (
    DefinitionChange,
    Parting,
    Side,
    definition_changes,
)
from hartonomous.hql.history.merge_tables import merge_tables, renumbered
from hartonomous.storage.catalog import Catalog, Entry, TableEntry
from hartonomous.storage.transaction import Transaction


@frozen
class DefinitionConflict:
    """What both branches did to an entry; None: it was not there, or they dropped it."""

    base: Entry | None
    ours: Entry | None
    theirs: Entry | None


@frozen
class Definitions:
    """What is to become of our entries. `adopted` are theirs and keep their ids, `replaced` are new
    forms of ours; `dropped` go. `conflicts` are settled as OURS or THEIRS say."""

    adopted: tuple[Entry, ...]
    replaced: tuple[Entry, ...]
    dropped: tuple[Entry, ...]
    conflicts: tuple[DefinitionConflict, ...]

    @property
    def count(self) -> int:
        return len(self.adopted) + len(self.replaced) + len(self.dropped)


def merge_definitions(
    base: Side,
    ours: Side,
    theirs: Side,
    take: str | None,
    partings: tuple[Parting, Parting],
    has_changes: Callable[[TableEntry, bool], bool],
) -> Definitions:
    """What to do to our definitions; with `take` conflicts are among it. `partings` say where
    our line and theirs part from the base's. `has_changes` says whether
    we, or they (True), changed rows of a table of the base."""
    mine = {c.entry.id: c for c in definition_changes(base.catalog, ours.catalog)}
    adopted: list[Entry] = []
    replaced: list[Entry] = []
    dropped: list[Entry] = []
    conflicts: list[DefinitionConflict] = []
    changes = definition_changes(base.catalog, theirs.catalog)
    gone_ids = {  # their names are free
        c.entry.id
        for c in changes
        if c.after is None
        and c.entry.id not in mine
        and not (isinstance(c.entry, TableEntry) and has_changes(c.entry, False))
    }
    for change in changes:
        found = _merged(change, mine.get(change.entry.id), ours.catalog, partings, gone_ids)
        if isinstance(change.before, TableEntry) and isinstance(found, tuple):
            gone = found[2]
            if isinstance(gone, TableEntry) and has_changes(change.before, False):
                found = DefinitionConflict(change.before, gone, None)
        if isinstance(found, DefinitionConflict):
            conflicts.append(found)
            if take != "THEIRS":
                continue
            found = _taken(found, partings)
        for entries, entry in zip((adopted, replaced, dropped), found, strict=True):
            if entry is not None and all(e.id != entry.id for e in entries):
                entries.append(entry)
    known = {c.base.id for c in conflicts if c.base is not None}
    for own in mine.values():  # what we dropped, and they went on with
        before = own.before
        if own.after is not None or not isinstance(before, TableEntry) or before.id in known:
            continue
        kept = theirs.table(before.id)
        is_gone = kept is None or before.id < 0 or table_of(ours.catalog, before) is not None
        if kept is None or is_gone or not has_changes(before, True):
            continue
        conflicts.append(DefinitionConflict(before, None, kept))
        if take == "THEIRS":
            _refuse_dropped(kept)
    return Definitions(tuple(adopted), tuple(replaced), tuple(dropped), tuple(conflicts))


#: to adopt, to replace, to drop
Outcome = tuple[Entry | None, Entry | None, Entry | None]
_NOTHING: Outcome = (None, None, None)


def _merged(
    change: DefinitionChange,
    own: DefinitionChange | None,
    ours: Catalog,
    partings: tuple[Parting, Parting],
    gone_ids: Set[int],
) -> Outcome | DefinitionConflict:
    base, theirs = change.before, change.after
    if base is None:
        assert theirs is not None
        same = _named(ours, theirs)
        if same is None or same.id in gone_ids:
            return theirs, None, None
        is_one = replace(theirs, id=same.id) == same
        return _NOTHING if is_one else DefinitionConflict(None, same, theirs)
    if own is None:
        now = _by_id(ours, base.id)
        if now is None:  # it lives on under another id: both branches made it
            return _NOTHING
        if theirs is None:
            return None, None, now
        if isinstance(base, TableEntry) and isinstance(theirs, TableEntry):
            assert isinstance(now, TableEntry)
            return None, _table(base, now, theirs, partings), None
        return None, theirs, None
    if own.after == theirs:
        return _NOTHING
    if isinstance(own.after, TableEntry) and isinstance(theirs, TableEntry):
        assert isinstance(base, TableEntry)
        merged = _table(base, own.after, theirs, partings)
        if merged is not None:
            return None, merged, None
    return DefinitionConflict(base, own.after, theirs)


def _table(
    base: TableEntry, ours: TableEntry, theirs: TableEntry, partings: tuple[Parting, Parting]
) -> TableEntry | None:
    """Both definitions of a table as one; theirs as it is where its ids mean the same here."""
    shared = partings[0].shared(base, ours), partings[1].shared(base, theirs)
    if ours == base and min(shared) >= base.next_id:
        return theirs
    return merge_tables(base, ours, theirs, shared)


def _taken(conflict: DefinitionConflict, partings: tuple[Parting, Parting]) -> Outcome:
    """The conflict settled for the other branch."""
    if conflict.theirs is None:
        return None, None, conflict.ours
    if conflict.ours is None:
        _refuse_dropped(conflict.theirs)
        return conflict.theirs, None, None
    if conflict.base is None:
        return conflict.theirs, None, conflict.ours
    if isinstance(conflict.theirs, TableEntry) and isinstance(conflict.ours, TableEntry):
        assert isinstance(conflict.base, TableEntry)
        shared = min(p.shared(conflict.base, conflict.theirs) for p in partings)
        return None, renumbered(conflict.theirs, conflict.ours, shared), None
    return None, conflict.theirs, None


def _refuse_dropped(theirs: Entry) -> None:
    """A table that this branch dropped has an end here, in its rows' history and in its Merkle log;
    a second life under its id would be taken for the first."""
    if isinstance(theirs, TableEntry):
        name = theirs.name
        raise NotSupported(
            f'not supported yet: TAKE THEIRS of table "{name}", which this branch dropped',
            hint="MERGE BRANCH … TAKE OURS, then "
            f"SELECT * INTO {name} FROM {name} FOR SYSTEM_TIME AS OF BRANCH …",
        )


def apply_definitions(transaction: Transaction, definitions: Definitions) -> None:
    """Drops, then makes, then replaces, so that names become free first."""
    for entry in reversed(in_order(list(definitions.dropped))):
        transaction.drop(entry)
    for entry in in_order(list(definitions.adopted)):
        transaction.adopt(entry)
    for entry in in_order(list(definitions.replaced)):
        if isinstance(entry, TableEntry):
            entry = with_history(entry, transaction.catalog.tables_by_id[entry.id])
        transaction.replace(entry)


def relaxed(table: TableEntry, ours: Catalog) -> TableEntry:
    """A new form of a table of ours without the promises that are new: keys, NOT NULL, foreign
    keys. The same object if there is none."""
    before = ours.tables_by_id[table.id]
    known = {c.id: c for c in before.columns}
    columns = tuple(
        c
        if c.nullable or (c.id in known and not known[c.id].nullable)
        else replace(c, nullable=True)
        for c in table.columns
    )
    keys = tuple(k for k in table.keys if k in before.keys)
    foreign_keys = tuple(k for k in table.foreign_keys if k in before.foreign_keys)
    if (columns, keys, foreign_keys) == (table.columns, table.keys, table.foreign_keys):
        return table
    return replace(table, columns=columns, keys=keys, foreign_keys=foreign_keys)


def table_of(catalog: Catalog, table: TableEntry) -> TableEntry | None:
    """What a table of another branch is here: the same by its id, else by its name."""
    found = catalog.tables_by_id.get(table.id)
    if found is None:
        named = _named(catalog, table)
        found = named if isinstance(named, TableEntry) else None
    return found


def _named(catalog: Catalog, entry: Entry) -> Entry | None:
    return catalog.find(entry.schema, entry.name)


def _by_id(catalog: Catalog, entry_id: int) -> Entry | None:
    return next((e for e in catalog.entries.values() if e.id == entry_id), None)
