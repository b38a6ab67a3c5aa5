"""Loaded networks by the content hash of their model: one bounded cache per process.

What counts is memory of a network's own (repacked, widened, joined matrices), not what is mapped
from the store. The least recently used go first; a network that is larger than the bound alone is
made, used, and not kept. Two threads that ask for one model load it once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol


class Loaded(Protocol):
    """Anything that knows what it weighs."""

    @property
    def bytes(self) -> int: ...


def default_bytes() -> int:
    """A quarter of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


class NetworkCache:
    """Least recently used out. Safe across threads."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.hits = self.misses = 0
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._loading: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """What the kept networks weigh."""
        with self._lock:
            return sum(network.bytes for network in self._kept.values())

    def get(self, key: Hashable, load: Callable[[], Loaded]) -> tuple[Any, bool]:
        """The network of that key, and whether it was there; else `load` makes it."""
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
                made = load()
            finally:
                with self._lock:
                    self._loading.pop(key, None)
            with self._lock:
                self.misses += 1
                self._keep(key, made)
            return made, False

    def resize(self, bytes_max: int) -> None:
        """Another bound, from now on."""
        with self._lock:
            self.bytes_max = bytes_max
            self._shrink()

    def clear(self) -> None:
        """Forget all; what still runs keeps its network until it ends."""
        with self._lock:
            self._kept.clear()

    def _find(self, key: Hashable) -> Any:
        found = self._kept.get(key)
        if found is not None:
            self.hits += 1
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: Hashable, made: Loaded) -> None:
        if made.bytes <= self.bytes_max:
            self._kept[key] = made
            self._shrink()

    def _shrink(self) -> None:
        weight = sum(network.bytes for network in self._kept.values())
        while weight > self.bytes_max and self._kept:
            _, gone = self._kept.popitem(last=False)
            weight -= gone.bytes


CACHE: Final = NetworkCache(default_bytes())
