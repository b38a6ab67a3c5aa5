"""Standing in line for the log: who waits until it is durable, or until they are the one that
writes (wal.py)."""

from __future__ import annotations

import threading


class Turn:
    """A thread's place in the line for writing: it waits until the log is durable up to `at`, or
    until it is the one that writes."""

    __slots__ = ("_gate", "at")

    def __init__(self, at: int) -> None:
        self.at = at
        self._gate: threading.Lock | None = None

    def close_gate(self) -> None:
        """Before others know of it: it will have to wait."""
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self) -> None:
        if self._gate is not None:
            self._gate.acquire()

    def wake(self) -> None:
        """More than once does no harm."""
        if self._gate is not None and self._gate.locked():
            self._gate.release()
