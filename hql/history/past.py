"""PastSource: the database as a commit left it, in the place of a transaction that only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hartonomous.storage.catalog import Catalog
    from hartonomous.storage.commit_log import CommitPlace
    from hartonomous.storage.database import Database
    from hartonomous.storage.state import Snapshot
    from hartonomous.storage.table import TableView


class PastSource:
    """What plans and system tables read of a state; it lives as long as whoever reads."""

    __slots__ = ("branch", "catalog", "database", "sequence", "snapshot")

    def __init__(self, database: Database, snapshot: Snapshot) -> None:
        self.database, self.snapshot = database, snapshot
        self.branch, self.sequence = snapshot.branch, snapshot.sequence
        self.catalog: Catalog = snapshot.catalog

    @classmethod
    def of(cls, database: Database, commit: CommitPlace) -> PastSource:
        """The database as of a commit; raises HISTORY_GONE."""
        return cls(database, database.as_of(commit))

    def view(self, table_id: int) -> TableView:
        """The rows of a table; raises NotFound."""
        return self.snapshot.view(table_id)
