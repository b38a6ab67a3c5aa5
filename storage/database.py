"""Database: one folder (or nothing but memory), its published state, and the commit path."""

from __future__ import annotations

import threading
from pathlib import Path

from hartonomous.storage.catalog import first_catalog
from hartonomous.storage.clock import Clock, SystemClock
from hartonomous.storage.commit_path import CommitPath
from hartonomous.storage.disk import Disk
from hartonomous.storage.state import CommitInfo, DatabaseState, Snapshot, TempStore
from hartonomous.storage.transaction import Transaction


class Database:
    """See docs/ARCHITECTURE.md section 3. Any number of threads may begin transactions."""

    def __init__(self, clock: Clock) -> None:
        self.path: Path | None = None
        self.read_only = False
        self.clock = clock
        self.published = DatabaseState(0, first_catalog())
        self._counters = threading.Lock()
        self._next_row_id = 1
        self._next_entry_id = 2  # 1 is the default schema
        self._identities: dict[int, int] = {}
        self._commits = CommitPath(self)

    @staticmethod
    def open(
        path: str | Path | None,
        *,
        read_only: bool = False,
        disk: Disk | None = None,
        clock: Clock | None = None,
        checkpoint_bytes: int = 64 << 20,
    ) -> Database:
        """None or ":memory:" keeps nothing."""
        assert path is None or path == ":memory:"
        return Database(clock or SystemClock())

    def begin(self, temp: TempStore | None = None) -> Transaction:
        """A transaction on the last published state; `temp`: the session's temporary tables."""
        return Transaction(self, self.published, temp)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.published)

    def commit(self, transaction: Transaction, statement: str, author: str) -> CommitInfo | None:
        """Transaction.commit's other half."""
        return self._commits.commit(transaction, statement, author)

    def discard(self, transaction: Transaction) -> None:
        """Transaction.rollback's other half."""

    # --- counters

    def reserve_row_ids(self, count: int) -> int:
        """The first of `count` row ids that nobody else gets."""
        with self._counters:
            first = self._next_row_id
            self._next_row_id = first + count
            return first

    def next_entry_id(self) -> int:
        with self._counters:
            self._next_entry_id += 1
            return self._next_entry_id - 1

    def next_identity(self, table_id: int, count: int, seed: int, step: int) -> int:
        """The first of `count` identity values, `step` apart; they are nobody else's. Durable
        with the next commit that changes the table."""
        with self._counters:
            first = self._identities.get(table_id, seed)
            self._identities[table_id] = first + count * step
            return first

    def bump_identity(self, table_id: int, value: int, seed: int, step: int) -> None:
        """Move the counter past a value that was given explicitly, if it is not past it."""
        with self._counters:
            following = self._identities.get(table_id, seed)
            if (value - following) * step >= 0:
                self._identities[table_id] = value + step

    def close(self) -> None:
        """Release everything; idempotent."""
