"""Database-wide counters: row ids, entry ids, identity values. Never handed out twice.

Reserved in memory, durable with the next commit record or manifest; after a crash a value is
handed out again only if no committed row has it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping


class Counters:
    """Safe for any number of threads."""

    def __init__(self, next_row_id: int, next_entry_id: int, identities: Mapping[int, int]) -> None:
        self._lock = threading.Lock()
        self.next_row_id, self.next_entry_id = next_row_id, next_entry_id
        self._identities = dict(identities)

    def reserve_row_ids(self, count: int) -> int:
        """The first of `count` row ids that nobody else gets."""
        with self._lock:
            first = self.next_row_id
            self.next_row_id = first + count
            return first

    def return_row_ids(self, first: int, end: int) -> None:
        """Give back the unused rest [first, end) of a reservation, if it was the last one."""
        with self._lock:
            if self.next_row_id == end:
                self.next_row_id = first

    def reserve_entry_id(self) -> int:
        with self._lock:
            self.next_entry_id += 1
            return self.next_entry_id - 1

    def next_identity(self, table_id: int, count: int, seed: int, step: int) -> int:
        with self._lock:
            first = self._identities.get(table_id, seed)
            self._identities[table_id] = first + count * step
            return first

    def bump_identity(self, table_id: int, value: int, seed: int, step: int) -> None:
        with self._lock:
            following = self._identities.get(table_id, seed)
            if (value - following) * step >= 0:
                self._identities[table_id] = value + step

    def identities_of(self, table_ids: Iterable[int]) -> dict[int, int]:
        """The next values of those tables that have a counter."""
        with self._lock:
            known = self._identities
            return {i: known[i] for i in table_ids if i in known}

    def all_identities(self) -> dict[int, int]:
        with self._lock:
            return dict(self._identities)
