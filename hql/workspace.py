"""What one transaction of a session sees and changes: the database and the session's #temp tables.

Temp tables live in a database of their own, in memory, which ends with the session. Here both look
like one: a temp table's id is negative, everything else goes to the real database. Both sides have
transactions and savepoints; only the real one can conflict, so it commits first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import Catalog, Entry, TableEntry

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.table import TableView
    from hartonomous.storage.transaction import CommitInfo


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that a workspace can go back to."""

    stored: Any
    temporary: Any


class Merger:
    """Joins the two catalogs into one; equal inputs give the same object, on which plans are
    cached."""

    def __init__(self) -> None:
        self._stored: Catalog | None = None
        self._temporary: Catalog | None = None
        self._merged = Catalog()

    def merge(self, stored: Catalog, temporary: Catalog | None) -> Catalog:
        if temporary is None or not temporary.entries:
            return stored
        if stored is not self._stored or temporary is not self._temporary:
            entries = dict(stored.entries)
            for key, entry in temporary.entries.items():
                if isinstance(entry, TableEntry):
                    entries[key] = replace(entry, id=-entry.id)
            self._merged = Catalog(stored.version, entries)
            self._stored, self._temporary = stored, temporary
        return self._merged


class Workspace:
    """Shaped like a storage Transaction. `reading` takes snapshots only: nothing can change."""

    def __init__(
        self, database: Database, temporary: Database | None, merger: Merger, *, reading: bool
    ) -> None:
        self.database = database
        self.reading = reading
        self._merger = merger
        self._temporary_database = temporary
        self._stored: Any = database.snapshot() if reading else database.begin()
        self._temporary: Any = None
        if temporary is not None:
            self._temporary = temporary.snapshot() if reading else temporary.begin()

    # --- reading ---

    @property
    def sequence(self) -> int:
        sequence: int = self._stored.sequence
        return sequence

    @property
    def catalog(self) -> Catalog:
        temporary = self._temporary.catalog if self._temporary is not None else None
        return self._merger.merge(self._stored.catalog, temporary)

    def view(self, table_id: int) -> TableView:
        side = self._temporary if table_id < 0 else self._stored
        view: TableView = side.view(abs(table_id))
        return view

    # --- changing ---

    def insert(self, table_id: int, rows: pa.Table | pa.RecordBatchReader) -> int:
        return int(self._side(table_id).insert(abs(table_id), rows))

    def delete(self, table_id: int, addresses: np.ndarray) -> int:
        return int(self._side(table_id).delete(abs(table_id), addresses))

    def update(self, table_id: int, addresses: np.ndarray, rows: pa.Table) -> int:
        return int(self._side(table_id).update(abs(table_id), addresses, rows))

    def truncate(self, table_id: int) -> int:
        return int(self._side(table_id).truncate(abs(table_id)))

    def create(self, entry: Entry) -> Entry:
        if isinstance(entry, TableEntry) and entry.temporary:
            assert self._temporary is not None, "the session opens its temporary database first"
            created = self._temporary.create(entry)
            return replace(created, id=-created.id)
        created_: Entry = self._stored.create(entry)
        return created_

    def replace(self, entry: Entry) -> Entry:
        side = self._side(entry.id)
        replaced: Entry = side.replace(replace(entry, id=abs(entry.id)))
        return replace(replaced, id=entry.id)

    def drop(self, entry: Entry) -> None:
        self._side(entry.id).drop(replace(entry, id=abs(entry.id)))

    def next_identity(self, table_id: int, count: int, seed: int, step: int) -> int:
        """The first of `count` new identity values of a table."""
        return int(self._owner(table_id).next_identity(abs(table_id), count, seed, step))

    def bump_identity(self, table_id: int, value: int, seed: int, step: int) -> None:
        """Moves a table's counter past a value that a statement gave explicitly."""
        self._owner(table_id).bump_identity(abs(table_id), value, seed, step)

    def open_temporary(self, database: Database) -> None:
        """Joins the session's temp database in, once it has one."""
        assert self._temporary is None and not self.reading
        self._temporary_database = database
        self._temporary = database.begin()

    def _side(self, table_id: int) -> Any:
        assert not self.reading, "a reading workspace was asked for a change"
        return self._temporary if table_id < 0 else self._stored

    def _owner(self, table_id: int) -> Database:
        if table_id >= 0:
            return self.database
        assert self._temporary_database is not None
        return self._temporary_database

    # --- ending ---

    @property
    def has_changes(self) -> bool:
        return not self.reading and bool(
            self._stored.has_changes
            or (self._temporary is not None and self._temporary.has_changes)
        )

    def savepoint(self) -> Mark:
        temporary = self._temporary.savepoint() if self._temporary is not None else None
        return Mark(self._stored.savepoint(), temporary)

    def rollback_to(self, mark: Mark) -> None:
        self._stored.rollback_to(mark.stored)
        if mark.temporary is not None:
            self._temporary.rollback_to(mark.temporary)
        elif self._temporary is not None:  # it was opened after the mark
            self._temporary.rollback()
            assert self._temporary_database is not None
            self._temporary = self._temporary_database.begin()

    def commit(self, *, statement: str, author: str) -> CommitInfo | None:
        """Makes the changes durable. Conflict: both sides are undone."""
        if self.reading:
            return None
        try:
            info: CommitInfo | None = self._stored.commit(statement=statement, author=author)
        except BaseException:
            if self._temporary is not None:
                self._temporary.rollback()
            raise
        if self._temporary is not None:
            self._temporary.commit(statement="", author=author)
        return info

    def rollback(self) -> None:
        if self.reading:
            return
        self._stored.rollback()
        if self._temporary is not None:
            self._temporary.rollback()
