"""Searching in the order of an index or a key: ranges, look-ups of many rows, rows in order.

Every chunk's part is asked, and what a snapshot cannot see is left out. Keys (PRIMARY KEY, UNIQUE)
answer as indexes do: where a chunk's key ascends as its rows lie, the column is the part; elsewhere
a part is built when first asked for.

    search_range    addresses of the rows within ranges       count_range   how many entries that is
    look_up         addresses of the rows equal to others     in_order      addresses by key, lazily
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import pyarrow as pa

from hartonomous.storage.access.base import Int64, OrderedPart
from hartonomous.storage.access.btree import SortedRows
from hartonomous.storage.access.merged import Cursor, merged
from hartonomous.storage.access.parts import (
    ChunkRows,
    as_index,
    chunk_index,
    compared,
    indexed_columns,
)
from hartonomous.storage.catalog import ColumnEntry, IndexEntry, KeyEntry, TableEntry
from hartonomous.storage.chunk import Chunk, Selection, concat, expand
from hartonomous.storage.frozen import frozen
from hartonomous.storage.keys import KeyColumns, chunk_key
from hartonomous.storage.table import ADDRESS_BITS, TableView

METHOD = "BTREE"


@frozen
class KeyRange:
    """A stretch of an index: rows whose first columns are `equal` to values (of the columns' own
    types, in Python's form; None is NULL; texts of columns under COLLATE NOCASE in lower case), and
    whose next column lies between `low` and `high` (None: no end there; `_open` excludes the end).
    With an end, NULL is not within; without both, every row is that has the first columns."""

    equal: tuple[Any, ...] = ()
    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False


#: every row
EVERYTHING = KeyRange()


@frozen
class Stretches:
    """Places [starts[i], stops[i]) of the order of one chunk's part, for range or row number i."""

    ordinal: int
    selection: Selection
    rows: ChunkRows
    part: OrderedPart
    starts: Int64
    stops: Int64


def search_range(
    view: TableView, index: IndexEntry | KeyEntry, ranges: Sequence[KeyRange] = (EVERYTHING,)
) -> Int64:
    """Addresses, ascending and distinct, of the visible rows within one of the ranges of a BTREE
    index or a key. Costs what it finds: ask `count_range` first."""
    return OrderedSearch(view, index).search(ranges)


def count_range(
    view: TableView, index: IndexEntry | KeyEntry, ranges: Sequence[KeyRange] = (EVERYTHING,)
) -> int:
    """How many entries of the index lie within the ranges: an upper bound of the rows that
    `search_range` finds (invisible ones are counted, rows within two ranges twice). Microseconds,
    once the parts are there."""
    return OrderedSearch(view, index).count(ranges)


def look_up(
    view: TableView, index: IndexEntry | KeyEntry, columns: Sequence[pa.Array]
) -> tuple[Int64, Int64]:
    """All pairs (number of a probed row, address of a visible row) where the index's first columns
    equal the probe's, given as arrays of the columns' types, in the index's order, perhaps fewer
    than it has. A probe with a NULL finds nothing. By ordinal, then by probe, then by key."""
    return OrderedSearch(view, index).look_up(columns)


def in_order(
    view: TableView,
    index: IndexEntry | KeyEntry,
    *,
    descending: bool = False,
    within: KeyRange = EVERYTHING,
    block: int = 64,
) -> Iterator[Int64]:
    """Addresses of the visible rows within a range in the order of the index's columns (all of them
    ascending, or all descending; NULL is the lowest), block after block, each twice the last; rows
    with equal keys in any order. Chunks are merged as blocks are asked for, so the first rows cost
    little; whoever has enough stops asking."""
    return OrderedSearch(view, index).in_order(descending, within, block)


class OrderedSearch:
    """One BTREE index or key as one view of its table sees it; for one statement. The functions
    above, for whoever asks more than once."""

    def __init__(self, view: TableView, index: IndexEntry | KeyEntry) -> None:
        self._view, self._key = view, None
        self._last: tuple[Sequence[KeyRange], list[Stretches]] | None = None
        if isinstance(index, KeyEntry):
            self._key = KeyColumns.of(view.table, index)
            index = as_index(index)
        assert index.method == METHOD, index
        self.entry, self.columns = index, indexed_columns(view.table, index)

    @cached_property
    def parts(self) -> list[tuple[int, Selection, ChunkRows, OrderedPart]]:
        """Of each chunk with visible rows: its ordinal, these rows, what is indexed of it, and its
        part of the index."""
        found = []
        for ordinal, selection in self._view.parts:
            if selection.row_count:
                rows = ChunkRows(selection.chunk, self.columns)
                found.append((ordinal, selection, rows, self._part(selection.chunk, rows)))
        return found

    def _part(self, chunk: Chunk, rows: ChunkRows) -> OrderedPart:
        if self._key is not None and self.entry.id not in chunk.indexes:
            values = chunk_key(chunk, self._key).ascending
            if values is not None:
                return SortedRows([values], [b""], None)
        return cast(OrderedPart, chunk_index(chunk, self.entry).part(rows))

    def search(self, ranges: Sequence[KeyRange]) -> Int64:
        found = []
        for s in self._stretches(ranges):
            offsets = _rows(s)[1]
            if not len(offsets):
                continue
            found.append(offsets[s.selection.is_visible(offsets)] + (s.ordinal << ADDRESS_BITS))
        if len(found) == 1 and len(found[0]) <= 1:
            return found[0]
        return np.unique(concat(found))

    def count(self, ranges: Sequence[KeyRange]) -> int:
        return sum(int((s.stops - s.starts).sum()) for s in self._stretches(ranges))

    def look_up(self, columns: Sequence[pa.Array]) -> tuple[Int64, Int64]:
        numbers, columns = _without_nulls(columns)
        values = [compared(v, c) for v, c in zip(columns, self.columns, strict=False)]
        probes, addresses = [], []
        for ordinal, selection, rows, part in self.parts if len(numbers) else ():
            low, high = _equal(rows, part, values)
            which, offsets = _rows(Stretches(ordinal, selection, rows, part, low, high))
            seen = selection.is_visible(offsets)
            probes.append(numbers[which[seen]])
            addresses.append(offsets[seen] + (ordinal << ADDRESS_BITS))
        return concat(probes), concat(addresses)

    def in_order(self, descending: bool, within: KeyRange, block: int) -> Iterator[Int64]:
        cursors = [
            Cursor(s.ordinal, s.selection, s.rows, s.part, int(s.starts[0]), int(s.stops[0]))
            for s in self._stretches((within,))
            if s.starts[0] < s.stops[0]
        ]
        return merged(cursors, self.columns, descending, block)

    def _stretches(self, ranges: Sequence[KeyRange]) -> list[Stretches]:
        """Of each chunk and each form of range where the ranges lie; those of the last call are
        kept, as who counts often searches then."""
        if self._last is None or self._last[0] is not ranges:
            self._last = ranges, list(self._find_stretches(ranges))
        return self._last[1]

    def _find_stretches(self, ranges: Sequence[KeyRange]) -> Iterator[Stretches]:
        forms: dict[tuple[int, bool, bool, bool, bool], list[KeyRange]] = {}
        for r in ranges:
            form = (len(r.equal), r.low is None, r.high is None, r.low_open, r.high_open)
            forms.setdefault(form, []).append(r)
        for alike in forms.values():
            first, depth = alike[0], len(alike[0].equal)
            equal = [self._values([r.equal[i] for r in alike], i) for i in range(depth)]
            low = None if first.low is None else self._values([r.low for r in alike], depth)
            high = None if first.high is None else self._values([r.high for r in alike], depth)
            for ordinal, selection, rows, part in self.parts:
                starts, stops = _equal(rows, part, equal, len(alike))
                if low is not None or high is not None:
                    ends = (low, high)
                    starts, stops = _between(rows, part, depth, ends, first, starts, stops)
                yield Stretches(ordinal, selection, rows, part, starts, stops)

    def _values(self, values: list[Any], place: int) -> pa.Array:
        type_ = self.columns[place].arrow
        # a number that a REAL cannot hold lies between two of them
        return pa.array(values, pa.float64() if pa.types.is_floating(type_) else type_)


def find_ordered(table: TableEntry, index_id: int) -> IndexEntry | KeyEntry:
    """The table's BTREE index or key of that id."""
    entries: Iterable[IndexEntry | KeyEntry] = (*table.indexes, *table.keys)
    return next(e for e in entries if e.id == index_id)


def is_orderable(column: ColumnEntry) -> bool:
    """Whether a key over the column answers ranges."""
    from hartonomous.storage.access.key_words import can_order

    return can_order(column.arrow)


def _equal(
    rows: ChunkRows, part: OrderedPart, values: Sequence[pa.Array], count: int | None = None
) -> tuple[Int64, Int64]:
    """Where the first columns equal the values; everything, `count` times, if there are none."""
    count = len(values[0]) if count is None else count
    low, high = np.zeros(count, np.int64), np.full(count, part.count)
    for place, column in enumerate(values):
        low, high = part.span(rows, place, column, low, high)
    return low, high


def _between(
    rows: ChunkRows,
    part: OrderedPart,
    place: int,
    ends: tuple[pa.Array | None, pa.Array | None],
    form: KeyRange,
    starts: Int64,
    stops: Int64,
) -> tuple[Int64, Int64]:
    low, high = ends
    if low is None:  # NULL, the least, is below no end
        low, is_open = pa.nulls(len(starts), rows.types[place]), True
    else:
        is_open = form.low_open
    first = part.bound(rows, place, low, starts, stops, right=is_open)
    if high is not None:
        stops = part.bound(rows, place, high, first, stops, right=not form.high_open)
    return first, stops


def _rows(s: Stretches) -> tuple[Int64, Int64]:
    """(numbers of the stretches, offsets)."""
    if len(s.starts) == 1:
        offsets = s.part.rows(int(s.starts[0]), int(s.stops[0]))
        return np.zeros(len(offsets), np.int64), offsets
    order = cast(SortedRows, s.part).order
    places = np.arange(s.part.count) if order is None else order
    return expand(s.starts, s.stops, places)


def _without_nulls(columns: Sequence[pa.Array]) -> tuple[Int64, Sequence[pa.Array]]:
    """The numbers of the rows without NULL, and these rows."""
    valid = np.ones(len(columns[0]), np.bool_)
    for column in columns:
        if column.null_count:
            valid &= column.is_valid().to_numpy(zero_copy_only=False)
    if valid.all():
        return np.arange(len(valid)), columns
    numbers = np.flatnonzero(valid)
    return numbers, [c.take(pa.array(numbers)) for c in columns]
