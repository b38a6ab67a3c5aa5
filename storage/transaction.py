"""Transaction: a snapshot plus its own changes, until commit publishes them or nobody sees them.

Every changing call is all or nothing: it makes a new `WorkingTable`, checks keys against it, and
only then puts it in place. The first committer wins; see committer.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import (
    DEFAULT_SCHEMA,
    Catalog,
    Entry,
    RoutineEntry,
    SchemaEntry,
    TableEntry,
    ViewEntry,
    key_of,
    next_version,
)
from hartonomous.storage.chunk import Int64, distinct
from hartonomous.storage.constraints import changed_rows, check_keys, check_new_key
from hartonomous.storage.errors import ConstraintFault, NotFound, ReadOnly
from hartonomous.storage.frozen import frozen
from hartonomous.storage.load import load, load_few
from hartonomous.storage.references import (
    Broken,
    check_all,
    check_new,
    note_added,
    note_removed,
    note_updated,
    refuse_lost_key,
    refuse_referenced,
)
from hartonomous.storage.state import CommitInfo, DatabaseState, TempStore
from hartonomous.storage.table import TableState, TableView
from hartonomous.storage.variables import TableVariables
from hartonomous.storage.working import WorkingTable

if TYPE_CHECKING:
    from hartonomous.storage.database import Database


@frozen
class CatalogChange:
    """An entry before the transaction (None: created) and now (None: dropped)."""

    before: Entry | None
    after: Entry | None


@frozen
class Savepoint:
    """What a transaction had at one moment."""

    catalog: Catalog
    changes: Mapping[int, CatalogChange]
    tables: Mapping[int, WorkingTable]


class Transaction:
    """Used by one thread at a time. After commit, rollback or Conflict it is over."""

    def __init__(
        self,
        database: Database,
        state: DatabaseState,
        temp: TempStore | None,
        branch: str = "main",
        line_id: int = 0,
    ) -> None:
        self.database, self.state, self.temp = database, state, temp
        self.branch, self.line_id = branch, line_id
        #: further parents of the commit: what it merges
        self.parents: tuple[bytes, ...] = ()
        #: tables into which rows came under given ids
        self.exact: set[int] = set()
        self.sequence = state.sequence
        self.catalog = state.catalog if temp is None else temp.join(state.catalog)
        self.changes: Mapping[int, CatalogChange] = {}
        self.tables: Mapping[int, WorkingTable] = {}
        #: what the running statement may have left without its row (references.py)
        self.broken: list[Broken] = []
        #: the account that makes what is created; empty: an owner of the database
        self.definer = ""
        #: what is asked about rows that come, before they do; raises what forbids them
        self.row_check: Callable[[TableEntry, pa.Table], None] | None = None
        #: the table variables of the text whose statement runs
        self.variables: TableVariables | None = None
        self.objects: list[str] = []  # written by bulk inserts; removed if nobody commits them
        self.is_open = True

    # --- reading

    def view(self, table_id: int) -> TableView:
        """The table's rows as this transaction sees them, own changes included."""
        working = self.tables.get(table_id)
        if working is None:
            working = self._variable(table_id)
        if working is not None:
            return working.view()
        return self._base(table_id).view(self._table(table_id))

    def _variable(self, table_id: int) -> WorkingTable | None:
        """The rows of a table variable; None for other tables."""
        return None if self.variables is None else self.variables.find(table_id)

    def _table(self, table_id: int) -> TableEntry:
        table = self.catalog.tables_by_id.get(table_id)
        if table is None:
            raise NotFound(f"there is no table number {table_id}")
        return table

    def _base(self, table_id: int) -> TableState:
        if self.temp is not None and table_id in self.temp.tables:
            return self.temp.tables[table_id]
        return self.state.table(table_id)

    def _working(self, table_id: int) -> WorkingTable:
        assert self.is_open, "the transaction is over"
        working = self.tables.get(table_id) or self._variable(table_id)
        if working is None:
            table = self._table(table_id)
            if self.database.read_only and not table.temporary:
                raise ReadOnly("the database was opened read-only")
            working = WorkingTable.of(table, self._base(table_id))
        return working

    def _put(self, working: WorkingTable) -> None:
        if self.variables is not None and self.variables.find(working.table.id) is not None:
            self.variables.put(working)
            return
        self.tables = {**self.tables, working.table.id: working}

    # --- rows

    def insert(
        self,
        table_id: int,
        rows: pa.Table | pa.RecordBatchReader,
        row_ids: Int64 | None = None,
    ) -> int:
        """Add rows: the table's stored columns by name, of exactly their Arrow types; under new row
        ids, or under `row_ids` (distinct, of rows of this database that are not in the table now),
        and then the commit is a Conflict if anybody changed the table meanwhile. Raises
        ConstraintFault NOT_NULL_VIOLATION or UNIQUE_VIOLATION, and then nothing is added."""
        working = self._working(table_id)
        if row_ids is not None:
            self.exact.add(table_id)
        if self.row_check is not None:
            rows = self._checked(working.table, rows)
        chunks = load(self.database, self.objects, working.table, rows, row_ids)
        grown = working
        for chunk in chunks:
            grown = grown.with_rows(chunk)
        check_keys(grown, working, chunks)
        if chunks:
            self._put(grown)
            note_added(self, working.table, chunks)
        return sum(c.count for c in chunks)

    def insert_few(self, table_id: int, columns: list[pa.Array]) -> int:
        """Like insert, for at most load.FEW_ROWS rows, at least one, given as the table's stored
        columns in order, of exactly their Arrow types."""
        working = self._working(table_id)
        if self.row_check is not None:
            given = pa.Table.from_arrays(columns, schema=working.table.arrow_schema)
            self.row_check(working.table, given)
        chunk = load_few(self.database, working.table, columns)
        grown = working.with_rows(chunk)
        check_keys(grown, working, [chunk])
        self._put(grown)
        note_added(self, working.table, [chunk])
        return chunk.count

    def _checked(
        self, table: TableEntry, rows: pa.Table | pa.RecordBatchReader
    ) -> pa.RecordBatchReader:
        """The rows, each batch asked about before it goes on."""
        check = self.row_check
        assert check is not None

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows if isinstance(rows, pa.RecordBatchReader) else rows.to_batches():
                check(table, pa.Table.from_batches([batch]))
                yield batch

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

    def delete(self, table_id: int, addresses: Int64) -> int:
        """Remove the rows at addresses of this transaction's view; how many they were."""
        working = self._working(table_id)
        gone = distinct(working.resolve(np.asarray(addresses, np.int64)))
        if len(gone):
            self._put(working.without(gone))
            note_removed(self, working.view(), gone)
        return len(gone)

    def update(self, table_id: int, addresses: Int64, rows: pa.Table) -> int:
        """Give the rows at `addresses` (distinct) new contents: whole stored rows, aligned. They
        keep their ids. Keys are checked after all changes; raises as insert does."""
        addresses = np.asarray(addresses, np.int64)
        assert len(addresses) == rows.num_rows, (len(addresses), rows.num_rows)
        if not len(addresses):
            return 0
        working = self._working(table_id)
        if self.row_check is not None:
            self.row_check(working.table, rows)
        addresses = working.resolve(addresses)
        order = np.argsort(addresses, kind="stable")
        if not np.array_equal(order, np.arange(len(order))):
            addresses, rows = addresses[order], rows.take(pa.array(order))
        assert (addresses[1:] > addresses[:-1]).all(), "an address is updated twice"
        before = working.view()
        ids = before.row_ids(addresses)
        chunks = load(self.database, self.objects, working.table, rows, ids)
        rest = working.without(addresses)
        grown = rest
        for chunk in chunks:
            grown = grown.with_rows(chunk)
        changed = changed_rows(before, addresses, rows)
        check_keys(grown, rest, chunks, changed)
        self._put(grown)
        note_updated(self, before, addresses, rows)
        return len(addresses)

    def truncate(self, table_id: int) -> int:
        """Remove all rows; how many they were."""
        working = self._working(table_id)
        count = working.view().row_count
        if count:
            self._put(working.emptied())
            note_removed(self, working.view(), None)
        return count

    def next_identity(self, table_id: int, count: int, seed: int, step: int) -> int:
        """The first of `count` identity values, `step` apart; they are nobody else's."""
        owner = self.database if self._variable(table_id) is None else self.variables
        assert owner is not None
        return owner.next_identity(table_id, count, seed, step)

    def bump_identity(self, table_id: int, value: int, seed: int, step: int) -> None:
        """Move the counter past a value that was given explicitly, if it is not past it."""
        owner = self.database if self._variable(table_id) is None else self.variables
        assert owner is not None
        owner.bump_identity(table_id, value, seed, step)

    def take_broken(self) -> list[Broken]:
        """What may have been left without its row since it was last asked for."""
        broken, self.broken = self.broken, []
        return broken

    # --- catalog

    def create(self, entry: Entry) -> Entry:
        """Add an entry under a fresh id; the entry with its id. Raises AlreadyExists, NotFound."""
        return self.adopt(replace(entry, id=self.database.counters.reserve_entry_id()))

    def adopt(self, entry: Entry) -> Entry:
        """Add an entry that another branch made, under the id that it has there. Raises
        AlreadyExists, NotFound."""
        self._may_define(entry)
        in_schema = isinstance(entry, (TableEntry, ViewEntry, RoutineEntry))
        if in_schema and self.catalog.find("", entry.schema) is None:
            raise NotFound(f'schema "{entry.schema}" does not exist')
        self.catalog = self.catalog.with_entry(entry, next_version())
        self._record(entry.id, None, entry)
        if isinstance(entry, TableEntry):
            self._put(WorkingTable.of(entry, TableState(entry.id, self.sequence)))
        return entry

    def replace(self, entry: Entry) -> Entry:
        """A new definition under the same id. Raises NotFound, AlreadyExists (a taken name), and
        ConstraintFault if rows break a key or NOT NULL that the table did not have."""
        self._may_define(entry)
        before = self._entry(entry.id)
        catalog = self.catalog
        if key_of(before) != key_of(entry):
            catalog = catalog.without(before, next_version()).with_entry(entry, next_version())
        else:
            catalog = catalog.with_entry(entry, next_version(), or_replace=True)
        if isinstance(entry, TableEntry):
            assert isinstance(before, TableEntry)
            refuse_lost_key(self, entry)
            working = self._working(entry.id).with_table(entry)
            check_new_key(before, working.view())
            check_new(self, before, working.view())
            self._put(working)
        self.catalog = catalog
        self._record(entry.id, before, entry)
        return entry

    def drop(self, entry: Entry) -> None:
        """Remove an entry (found by its id), a table with its rows. Raises NotFound, and
        ConstraintFault for a schema that still holds something."""
        self._may_define(entry)
        before = self._entry(entry.id)
        if isinstance(before, SchemaEntry):
            self._may_drop(before)
        if isinstance(before, TableEntry):
            refuse_referenced(self, before, "dropped")
        self.catalog = self.catalog.without(before, next_version())
        self._record(before.id, before, None)
        self.tables = {i: t for i, t in self.tables.items() if i != before.id}

    def _may_define(self, entry: Entry) -> None:
        assert self.is_open, "the transaction is over"
        temporary = isinstance(entry, TableEntry) and entry.temporary
        assert not temporary or self.temp is not None, "temporary tables need a TempStore"
        if self.database.read_only and not temporary:
            raise ReadOnly("the database was opened read-only")

    def _may_drop(self, schema: SchemaEntry) -> None:
        if schema.id == DEFAULT_SCHEMA.id:
            raise ConstraintFault(f'schema "{schema.name}" is the default one and stays')
        inside = self.catalog.members(schema.name)
        if inside:
            raise ConstraintFault(
                f'schema "{schema.name}" still holds "{inside[0].name}"', hint="drop it first"
            )

    def _entry(self, entry_id: int) -> Entry:
        found = next((e for e in self.catalog.entries.values() if e.id == entry_id), None)
        if found is None:
            raise NotFound(f"there is no catalog entry number {entry_id}")
        return found

    def _record(self, entry_id: int, before: Entry | None, after: Entry | None) -> None:
        first = self.changes.get(entry_id)
        changes = dict(self.changes)
        change = CatalogChange(before if first is None else first.before, after)
        if change.before is None and change.after is None:
            changes.pop(entry_id, None)
        else:
            changes[entry_id] = change
        self.changes = changes

    # --- the end

    def savepoint(self) -> Savepoint:
        return Savepoint(self.catalog, self.changes, self.tables)

    def rollback_to(self, savepoint: Savepoint) -> None:
        """Forget what was changed after the savepoint, which stays valid."""
        assert self.is_open, "the transaction is over"
        self.catalog, self.changes = savepoint.catalog, savepoint.changes
        self.tables, self.broken = savepoint.tables, []

    @property
    def has_changes(self) -> bool:
        return bool(self.changes) or any(t.has_changes for t in self.tables.values())

    def commit(
        self, *, statement: str, author: str, parents: tuple[bytes, ...] = ()
    ) -> CommitInfo | None:
        """Make the changes durable, then visible to others; None if there are none of the
        database's own and nothing is merged. `parents`: hashes of commits that it merges. Raises
        Conflict (run the transaction again) and DiskFault; in either case the transaction is over
        and nothing of it stays."""
        assert self.is_open, "the transaction is over"
        check_all(self)
        self.is_open, self.parents = False, parents
        return self.database.commit(self, statement, author)

    def rollback(self) -> None:
        """Forget everything; nothing happens if the transaction is over."""
        if self.is_open:
            self.is_open = False
            self.database.discard(self)
