"""The death log of a chunk: which of its rows died, and with which commit.

Shared by all snapshots of one branch: one at s reads the prefix of deaths up to s. A branch begins
with a prefix of its parent's, which it copies when it grows. Written by the committing thread
alone, under the commit lock.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
_NONE: Int64 = np.empty(0, np.int64)


class DeathLog:
    """Deaths of a chunk's rows in sequence order; grows, never shrinks, never changes."""

    __slots__ = ("_offsets", "_sequences", "count")

    def __init__(self, sequences: Int64 = _NONE, offsets: Int64 = _NONE) -> None:
        self._sequences, self._offsets = sequences, offsets
        self.count = len(sequences)
        assert self.count == len(offsets)

    def append(self, sequence: int, offsets: Int64) -> None:
        """Deaths at one sequence, not below the last one. Under the commit lock only."""
        self.extend(np.full(len(offsets), sequence, np.int64), offsets)

    def extend(self, sequences: Int64, offsets: Int64) -> None:
        """Deaths in sequence order. The count is set last: readers see whole appends."""
        start, stop = self.count, self.count + len(offsets)
        if start == stop:
            return
        assert start == 0 or self._sequences[start - 1] <= sequences[0]
        if stop > len(self._sequences) or not self._sequences.flags.writeable:
            capacity = max(stop, 2 * start, 8)
            grown, places = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
            grown[:start], places[:start] = self._sequences[:start], self._offsets[:start]
            grown[start:stop], places[start:stop] = sequences, offsets
            self._sequences, self._offsets = grown, places
        else:
            self._sequences[start:stop], self._offsets[start:stop] = sequences, offsets
        self.count = stop

    def prefix(self, sequence: int) -> int:
        """How many deaths there are up to and including `sequence`."""
        count = self.count
        sequences = self._sequences
        if count == 0 or sequences[count - 1] <= sequence:
            return count
        return int(np.searchsorted(sequences[:count], sequence, "right"))

    def shared(self, count: int) -> DeathLog:
        """The first `count` deaths as a log of their own, copied when it grows."""
        sequences, offsets = self._sequences[:count], self._offsets[:count]
        sequences.flags.writeable = offsets.flags.writeable = False
        return DeathLog(sequences, offsets)

    def offsets(self, start: int, stop: int) -> Int64:
        return self._offsets[start:stop]

    def sequences(self, start: int, stop: int) -> Int64:
        return self._sequences[start:stop]
