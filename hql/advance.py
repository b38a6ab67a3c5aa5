"""Advance: how far a statement is in work whose number of rows is known, for who waits for it."""

from __future__ import annotations

import time


class Advance:
    """`done` of `total` rows since `begun` (time.monotonic()). One thread counts, another looks."""

    __slots__ = ("begun", "done", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.begun = time.monotonic()

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.done / self.total if self.total else 1.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun
