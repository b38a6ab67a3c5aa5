"""Rows of several chunks in the order of an index, merged lazily.

Each chunk's part is a sorted list with a cursor. Blocks of all cursors are sorted together; what
comes no later than the end of every unfinished block is sure and given out, the rest waits for the
next blocks. Blocks double, so the first rows come soon and many rows cost O(n log n).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hartonomous.kernels.btree import Level, sort_rows
from hartonomous.storage.access.base import Int64, OrderedPart
from hartonomous.storage.access.key_words import common_start, may_mislead, ranks, words_of
from hartonomous.storage.access.parts import ChunkRows
from hartonomous.storage.catalog import ColumnEntry
from hartonomous.storage.chunk import NO_ROWS, Selection, concat
from hartonomous.storage.table import ADDRESS_BITS

#: rows of a block, at most
BLOCK_MAX = 1 << 16


class Cursor:
    """Places [start, stop) of one chunk's part. `waiting`: offsets that were read and not given
    out, in the direction of reading."""

    def __init__(
        self,
        ordinal: int,
        selection: Selection,
        rows: ChunkRows,
        part: OrderedPart,
        start: int,
        stop: int,
    ) -> None:
        self.ordinal, self.rows = ordinal, rows
        self._selection, self._part, self._start, self._stop = selection, part, start, stop
        self.waiting: Int64 = NO_ROWS

    @property
    def is_read(self) -> bool:
        return self._start >= self._stop

    def fill(self, count: int, descending: bool) -> None:
        """Visible rows to wait, unless there are some or no more."""
        while not len(self.waiting) and not self.is_read:
            size = min(count, self._stop - self._start)
            if descending:
                self._stop -= size
                offsets = self._part.rows(self._stop, self._stop + size)[::-1]
            else:
                self._start += size
                offsets = self._part.rows(self._start - size, self._start)
            self.waiting = offsets[self._selection.is_visible(offsets)]
            count = min(2 * count, BLOCK_MAX)


def merged(
    cursors: Sequence[Cursor], columns: Sequence[ColumnEntry], descending: bool, block: int
) -> Iterator[Int64]:
    """Addresses, in arrays that are not empty."""
    left = list(cursors)
    while left:
        for cursor in left:
            cursor.fill(block, descending)
        left = [c for c in left if len(c.waiting)]
        if len(left) == 1:
            yield left[0].waiting + (left[0].ordinal << ADDRESS_BITS)
            left[0].waiting = NO_ROWS
        elif left:
            yield _merge(left, columns, descending)
        block = min(2 * block, BLOCK_MAX)


def _merge(cursors: Sequence[Cursor], columns: Sequence[ColumnEntry], descending: bool) -> Int64:
    """What of the waiting rows no row that is yet to be read can come before."""
    lengths = np.array([len(c.waiting) for c in cursors])
    addresses = concat([c.waiting + (c.ordinal << ADDRESS_BITS) for c in cursors])
    ends = np.cumsum(lengths)
    order, _ = sort_rows(len(addresses), _levels(cursors, len(columns), descending))
    if order is None:
        order = np.arange(len(addresses))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    open_ends = [int(places[e - 1]) for c, e in zip(cursors, ends, strict=True) if not c.is_read]
    sure = min(open_ends, default=len(order) - 1) + 1
    # rows of one cursor come in its own order, so what is given out of it is its beginning
    owner = np.repeat(np.arange(len(cursors)), lengths)[order[:sure]]
    given = np.bincount(owner, minlength=len(cursors))
    for cursor, count in zip(cursors, given.tolist(), strict=True):
        cursor.waiting = cursor.waiting[count:]
    found: Int64 = addresses[order[:sure]]
    return found


def _levels(cursors: Sequence[Cursor], count: int, descending: bool) -> Iterator[Level]:
    """The waiting rows' keys; descending, with every level turned round."""
    for place in range(count):
        parts = [c.rows.take(place, c.waiting) for c in cursors]
        start = common_start(parts)
        words = np.concatenate([words_of(p, start) for p in parts])
        yield _turned(words) if descending else _plain(words)
        if may_mislead(words, parts[0].type):
            exact = ranks(parts)
            yield _turned(exact) if descending else _plain(exact)


def _plain(words: Int64) -> Level:
    return lambda some: words if some is None else words[some]


def _turned(words: Int64) -> Level:
    return _plain(~words)  # -1 - word: the order turned round, within 64 bits
