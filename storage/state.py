"""What a database is at one commit. Immutable; publishing one is an assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta

from hartonomous.storage.catalog import Catalog, TableEntry, next_version
from hartonomous.storage.errors import NotFound
from hartonomous.storage.frozen import frozen
from hartonomous.storage.table import TableState, TableView

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class CommitInfo:
    """A commit as its author sees it."""

    sequence: int
    hash: bytes
    at_us: int

    @property
    def at(self) -> datetime:
        return moment(self.at_us)


def moment(at_us: int) -> datetime:
    """Microseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)


@frozen
class DatabaseState:
    """Catalog and tables after commit `sequence`; 0 is the empty database."""

    sequence: int
    catalog: Catalog
    tables: Mapping[int, TableState] = field(default_factory=dict)
    commit_hash: bytes = b""
    at_us: int = 0
    catalog_hash: bytes = b""

    def table_sequence(self, table_id: int) -> int:
        """The last commit that changed a table's rows; 0 if none did."""
        state = self.tables.get(table_id)
        return 0 if state is None else state.sequence

    def table(self, table_id: int) -> TableState:
        return self.tables.get(table_id) or TableState(table_id, self.sequence)


class Snapshot:
    """One state of a branch, for reading. Holds no lock; old rows stay while it lives."""

    __slots__ = ("__weakref__", "branch", "catalog", "sequence", "state")

    def __init__(self, state: DatabaseState, branch: str = "main") -> None:
        self.state, self.branch = state, branch
        self.sequence = state.sequence
        self.catalog = state.catalog

    def view(self, table_id: int) -> TableView:
        """The rows of a table; raises NotFound."""
        table = self.catalog.tables_by_id.get(table_id)
        if table is None:
            raise NotFound(f"there is no table number {table_id}")
        return self.state.table(table_id).view(table)


class TempStore:
    """A session's temporary tables. Same chunks and changes as the database's own, but seen by
    one session, changed with its transactions, and never written anywhere."""

    def __init__(self) -> None:
        self.entries: Mapping[int, TableEntry] = {}
        self.tables: Mapping[int, TableState] = {}
        self.sequence = 0
        self._joined: tuple[Catalog, Mapping[int, TableEntry], Catalog] | None = None

    def join(self, catalog: Catalog) -> Catalog:
        """The catalog with the temporary tables in it; the same object while neither changes."""
        if not self.entries:
            return catalog
        joined = self._joined
        if joined is None or joined[0] is not catalog or joined[1] is not self.entries:
            whole = catalog
            for entry in self.entries.values():
                whole = whole.with_entry(entry, next_version())
            joined = self._joined = catalog, self.entries, whole
        return joined[2]

    def publish(
        self,
        entries: Mapping[int, TableEntry],
        tables: Mapping[int, TableState],
        sequence: int,
    ) -> None:
        """What a commit left."""
        self.entries, self.tables, self.sequence = entries, tables, sequence
