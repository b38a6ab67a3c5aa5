"""Time, handed in: commits take their moment from a Clock, so that tests can hold it still."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC; never less than an earlier answer."""
        ...


class SystemClock:
    """The machine's clock, except that it never goes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_us = 0

    def now_us(self) -> int:
        with self._lock:
            self._last_us = max(self._last_us, time.time_ns() // 1_000)
            return self._last_us


@dataclass
class FixedClock:
    """Stands still, or moves by `step_us` at every look. For tests."""

    at_us: int = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
    step_us: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def now_us(self) -> int:
        with self._lock:
            now = self.at_us
            self.at_us += self.step_us
            return now
