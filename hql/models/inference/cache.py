"""Loaded networks by the content hash of their model: one bounded cache per process.

What counts is all that a network keeps from being freed: memory of its own and the stored tensors,
which are pages of mapped files, or, of a database in memory, that database's. The least recently
used go first; a network that is larger than the bound alone is made, used, and not kept. Two
threads that ask for one model load it once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final


def default_bytes() -> int:
    """Half of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class NetworkCache:
    """Least recently used out. Safe across threads."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        self.hits = self.misses = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._loading: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], tuple[Any, int]]) -> tuple[Any, bool]:
        """The network of that key, and whether it was there; else `load` gives it, and the bytes
        that count."""
        with self._lock:
            found = self._find(key)
            if found is not None:
                return found, True
            gate = self._loading.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                found = self._find(key)  # another thread was faster
            if found is not None:
                return found, True
            try:
                made, weight = load()
            finally:
                with self._lock:
                    self._loading.pop(key, None)
            with self._lock:
                self.misses += 1
                self._keep(key, made, weight)
            return made, False

    def _find(self, key: Hashable) -> Any:
        found = self._kept.get(key)
        if found is None:
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return found[0]

    def _keep(self, key: Hashable, made: Any, weight: int) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self.bytes -= before[1]
        if weight <= self.bytes_max:
            self._kept[key] = made, weight
            self.bytes += weight
        while self.bytes > self.bytes_max:
            _, (_, oldest) = self._kept.popitem(last=False)
            self.bytes -= oldest


CACHE: Final = NetworkCache(default_bytes())
