"""A progress line on stderr, only where a person looks: rows, rate, share done."""

from __future__ import annotations

import sys
import time
from typing import IO

#: seconds between two drawings
INTERVAL_S = 0.1
#: nothing is drawn for work that takes less
DELAY_S = 0.5


class Progress:
    """`update(rows, share)` draws `label  1,234,567 rows  890,123 rows/s  43 %` in place.

    `share` is 0 to 1, or None if the end is unknown. Draws only if the stream is a terminal.
    """

    def __init__(self, label: str, stream: IO[str] | None = None) -> None:
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.is_shown = bool(self.stream is not None and self.stream.isatty())
        self._begun = time.monotonic()
        self._drawn = self._begun + DELAY_S - INTERVAL_S
        self._length = 0

    def update(self, rows: int, share: float | None = None) -> None:
        """Cheap enough to be called for every batch."""
        if not self.is_shown:
            return
        now = time.monotonic()
        if now - self._drawn < INTERVAL_S:
            return
        self._drawn = now
        rate = rows / max(now - self._begun, 1e-9)
        percent = f"  {100 * min(share, 1.0):.0f} %" if share is not None else ""
        line = f"{self.label}  {rows:,} rows  {rate:,.0f} rows/s{percent}"
        self.stream.write("\r" + line.ljust(self._length))
        self.stream.flush()
        self._length = len(line)

    def close(self) -> None:
        """Wipes the line."""
        if self._length:
            self.stream.write("\r" + " " * self._length + "\r")
            self.stream.flush()
            self._length = 0
