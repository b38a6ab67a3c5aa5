"""A progress line on stderr, only where a person looks: rows, rate, share done, time left."""

from __future__ import annotations

import os
import sys
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from hartonomous.hql.session_interface import AdvanceInterface

#: seconds between two drawings
INTERVAL_S = 0.1
#: nothing is drawn for work that takes less
DELAY_S = 0.5
#: cells of the bar, where the line has room for one
BAR_CELLS, BAR_CELLS_MIN = 20, 8
#: cells of a terminal that does not say how wide it is
WIDTH_DEFAULT = 80

#: lines that stand on the terminal now, of all threads
_shown: set[int] = set()


def is_shown() -> bool:
    """Whether a progress line stands on the terminal now."""
    return bool(_shown)


class Progress:
    """`update(rows, share)` draws in place
    `label  1,234,567 rows  890,123 rows/s  ━━━━━━────  43 %  0:12 left`.

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
        seconds = max(now - self._begun, 1e-9)
        self._draw(describe(self.label, rows, seconds, share, _width(self.stream)))

    def _draw(self, line: str) -> None:
        _shown.add(id(self))
        # known before it is written: a Ctrl-C in between leaves nothing that close() does not wipe
        before, self._length = self._length, max(self._length, len(line))
        self.stream.write("\r" + line.ljust(before))
        self.stream.flush()

    def close(self) -> None:
        """Wipes the line."""
        if self._length:
            # a ^C that was typed may stand behind the line
            blank = " " * self._length if os.environ.get("TERM") == "dumb" else "\x1b[2K"
            self.stream.write(f"\r{blank}\r")
            self.stream.flush()
            self._length = 0
        _shown.discard(id(self))


class Waiting(Progress):
    """The line of a statement that draws none itself: the time that it has taken, or how far it
    is."""

    def tick(self, advance: AdvanceInterface | None = None) -> None:
        """Draws once a second has passed, unless another line stands there."""
        now = time.monotonic()
        seconds = now - self._begun
        if not self.is_shown or seconds < 1 or now - self._drawn < INTERVAL_S:
            return
        if _shown - {id(self)}:
            self._length = 0  # what stood here was written over
            _shown.discard(id(self))
            return
        self._drawn, columns = now, _width(self.stream)
        if advance is not None and advance.done:
            took = max(advance.seconds, 1e-9)
            self._draw(describe(self.label, advance.done, took, advance.share, columns))
        else:
            self._draw(f"{self.label}  {seconds:.1f} s"[: columns - 1])


def describe(label: str, rows: int, seconds: float, share: float | None, width: int) -> str:
    """The line after `seconds` of work, in at most `width` cells: the bar grows shorter and goes
    first where there is no room, then the label's end."""
    end = f"  {rows:,} rows  {rows / seconds:,.0f} rows/s"
    if share is not None:
        share = min(max(share, 0.0), 1.0)
        left = f"  {_clock(seconds * (1 - share) / share)} left" if share > 0.01 else ""
        tail = f"  {100 * share:.0f} %{left}"
        cells = min(width - 3 - len(label) - len(end) - len(tail), BAR_CELLS)
        done = round(cells * share)
        bar = f"  {'━' * done}{'─' * (cells - done)}"
        end += (bar if cells >= BAR_CELLS_MIN else "") + tail
    room = width - 1 - len(end)
    if len(label) > room:
        label = label[: max(room - 1, 0)] + "…"
    return f"{label}{end}"[: width - 1]


def _clock(seconds: float) -> str:
    """`0:07`, `12:30`, `3:05:00`."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _width(stream: IO[str]) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH_DEFAULT
    except (OSError, ValueError):  # no terminal that says
        return WIDTH_DEFAULT
