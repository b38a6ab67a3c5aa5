"""Comparing two moments of the database: definitions by ids, rows by storage's differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.history.row_keys import codes_of, match_key
from hartonomous.storage.branches import limits_of
from hartonomous.storage.catalog import Catalog, ColumnEntry, Entry, TableEntry, fold
from hartonomous.storage.chunk import Int64
from hartonomous.storage.differences import (
    NOWHERE,
    ColumnPair,
    Differences,
    Moment,
    differences,
    values_at,
)
from hartonomous.storage.keys import KeyColumns
from hartonomous.storage.state import Snapshot

if TYPE_CHECKING:
    from hartonomous.storage.commit_log import CommitPlace
    from hartonomous.storage.database import Database


@frozen
class Side:
    """One moment: its commit, its rows, and its definitions as they were."""

    commit: CommitPlace
    snapshot: Snapshot
    catalog: Catalog

    @staticmethod
    def of(database: Database, commit: CommitPlace) -> Side:
        """The database after a commit; raises HISTORY_GONE."""
        snapshot = database.as_of(commit)
        with database.guard:
            catalog = database.repository.catalog_at(commit)
        return Side(commit, snapshot, catalog)

    def table(self, table_id: int) -> TableEntry | None:
        return self.catalog.tables_by_id.get(table_id)

    def moment(self, table_id: int) -> Moment:
        """The rows of a table, of which there are none before it was made."""
        if table_id not in self.catalog.tables_by_id:
            return Moment((), self.commit.sequence)
        self.snapshot.view(table_id)  # raises for a table whose rows are gone
        return Moment.of(self.snapshot.state.table(table_id), self.commit.sequence)


@frozen
class DefinitionChange:
    """An entry of the catalog before and after; None: there was or is none."""

    before: Entry | None
    after: Entry | None

    @property
    def entry(self) -> Entry:
        entry = self.after if self.after is not None else self.before
        assert entry is not None
        return entry

    @property
    def verb(self) -> str:
        """create, alter or drop, and the kind."""
        verb = "create" if self.before is None else "drop" if self.after is None else "alter"
        return f"{verb} {self.entry.kind}"


@frozen
class Parting:
    """The last commit that the lines of two others have in common. (Unlike their common ancestor it
    counts no merges: up to it the rows of both are one story.)"""

    sequence: int
    catalog: Catalog

    @staticmethod
    def of(database: Database, a: CommitPlace, b: CommitPlace) -> Parting:
        """Raises HISTORY_GONE if what happened since is not whole any more."""
        with database.guard:
            origins = dict(database.repository.origins)
        one = limits_of(origins, a.branch_id, a.sequence)
        other = limits_of(origins, b.branch_id, b.sequence)
        sequence = max((min(one[i], other[i]) for i in one if i in other), default=0)
        commit = database.place_of(sequence)
        with database.guard:
            return Parting(sequence, database.repository.catalog_at(commit))

    def shared(self, one: TableEntry | None, other: TableEntry | None) -> int:
        """Ids of columns below this mean the same in two forms of a table; later ones were given
        out twice."""
        if one is None or other is None or one.id != other.id:
            return 0
        table = self.catalog.tables_by_id.get(one.id)
        return 0 if table is None else table.next_id


def definition_changes(before: Catalog, after: Catalog) -> list[DefinitionChange]:
    """What was created, altered and dropped, by schema and name."""
    old = {e.id: e for e in before.entries.values()}
    new = {e.id: e for e in after.entries.values()}
    changes = [
        DefinitionChange(old.get(i), new.get(i)) for i in old | new if old.get(i) != new.get(i)
    ]
    return sorted(changes, key=lambda c: (fold(c.entry.schema), fold(c.entry.name), c.entry.id))


def table_ids(before: Side, after: Side) -> list[int]:
    """Tables that either side has, by schema and name."""
    found = {**before.catalog.tables_by_id, **after.catalog.tables_by_id}
    stored = (t for t in found.values() if t.id > 0)
    return [t.id for t in sorted(stored, key=lambda t: (fold(t.schema), fold(t.name), t.id))]


def changed_rows(before: Side, after: Side, common: Parting, table_id: int) -> Differences:
    """The rows of a table that really differ; `common` is where the lines of both part. A table
    that is no more has none: its rows went with it."""
    if after.table(table_id) is None:
        nothing = Moment((), common.sequence)
        return differences(nothing, nothing, common.sequence)
    found = differences(before.moment(table_id), after.moment(table_id), common.sequence)
    old, new = before.table(table_id), after.table(table_id)
    shared = common.shared(old, new)
    pairs = column_pairs(old, new, shared)
    found = found.really(pairs)
    if old is None or new is None:
        return found
    return _rejoined(found, old, new, shared).really(pairs)


def _rejoined(
    found: Differences, before: TableEntry, after: TableEntry, shared: int
) -> Differences:
    """A row that was deleted, and one with its primary key that was inserted, are one that was
    updated; its id is the new one."""
    gone, come = (np.flatnonzero(p == NOWHERE) for p in (found.after, found.before))
    key = match_key(after)
    if key is None or not len(gone) or not len(come):
        return found
    columns = KeyColumns.of(after, key)
    old = counterparts(columns.columns, before.columns, shared)
    if len(old) < len(columns.columns):
        return found
    arrays = []
    for column in columns.columns:
        left = values_at(found.chunks, found.before[gone], old[column.id], column.arrow)
        right = values_at(found.chunks, found.after[come], column, column.arrow)
        arrays.append(pa.concat_arrays([left.cast(column.arrow), right]))
    codes = codes_of(columns.compared(arrays))
    _, one, other = np.intersect1d(
        codes[: len(gone)], codes[len(gone) :], assume_unique=True, return_indices=True
    )
    before_places = found.before.copy()
    before_places[come[other]] = found.before[gone[one]]
    keep = np.ones(len(found), np.bool_)
    keep[gone[one]] = False
    joined = Differences(found.row_ids, before_places, found.after, found.chunks)
    return joined.take(keep)


def column_pairs(
    before: TableEntry | None, after: TableEntry | None, shared: int
) -> list[ColumnPair]:
    """The stored columns of two definitions, those of both side by side; `shared` as of Parting."""
    old = () if before is None else before.stored
    new = () if after is None else after.stored
    became = counterparts(old, new, shared)
    added = [c for c in new if c not in became.values()]
    return [*((c, became.get(c.id)) for c in old), *((None, c) for c in added)]


def counterparts(
    old: Sequence[ColumnEntry], new: Sequence[ColumnEntry], shared: int
) -> dict[int, ColumnEntry]:
    """What columns are in another definition of the table, by their ids: the column of the same
    name, else the one with the same id, if that is below `shared`: it was renamed."""
    by_name = {fold(c.name): c for c in new}
    found = {c.id: by_name[fold(c.name)] for c in old if fold(c.name) in by_name}
    taken = {c.id for c in found.values()}
    by_id = {c.id: c for c in new if c.id not in taken and c.id < shared}
    renamed = {c.id: by_id[c.id] for c in old if c.id not in found and c.id in by_id}
    return {**found, **renamed}


def rows_at(found: Differences, table: TableEntry, places: Int64) -> pa.Table:
    """Versions of rows as the table's stored columns, in the order of the places."""
    view = found.view(table)
    arrays = [view.gather(c.name, places) for c in table.stored]
    return pa.Table.from_arrays(arrays, schema=table.arrow_schema)


def slices(count: int, size: int) -> Iterator[Int64]:
    """0 … count - 1, some at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count), dtype=np.int64)
