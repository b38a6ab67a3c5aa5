"""USING BTREE: rows in the order of some columns, ascending, one packed leaf level for each chunk.

A part holds for each column the words of its values (key_words.py) in the order of the rows, and
the rows' offsets, unless they lie in that order already: 8 bytes a column and 4 a row. Where a word
does not tell values apart, they are compared themselves. NULL is lowest, columns under COLLATE
NOCASE are compared in lower case.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.kernels.btree import Level, bisect, bisect_words, sort_rows
from hartonomous.storage.access.base import COLUMNS_MAX, ORDER, IndexedRows, IndexPart, Int64
from hartonomous.storage.access.key_words import (
    can_order,
    common_start,
    is_exact,
    may_mislead,
    ranks,
    words_of,
    words_sought,
)


class SortedRows:
    """The part of a BTREE over one chunk. `words`: of each column int64[rows], in the order of the
    rows; `starts`: what the texts of each column begin with; `order`: the rows' offsets, None if
    they lie in it."""

    __slots__ = ("count", "order", "starts", "words")

    def __init__(
        self,
        words: Sequence[Int64],
        starts: Sequence[bytes],
        order: npt.NDArray[Any] | None,
    ) -> None:
        self.words, self.starts, self.order = tuple(words), tuple(starts), order
        self.count = len(words[0])

    @property
    def bytes(self) -> int:
        return sum(int(a.nbytes) for a in self.arrays().values())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        out: dict[str, npt.NDArray[Any]] = {}
        for place, (words, start) in enumerate(zip(self.words, self.starts, strict=True)):
            out[f"words.{place}"] = words.astype("<i8", copy=False)
            out[f"start.{place}"] = np.frombuffer(start, np.uint8)
        if self.order is not None:
            out["order"] = self.order.astype("<u4", copy=False)
        return out

    def rows(self, start: int, stop: int) -> Int64:
        if self.order is None:
            return np.arange(start, stop)
        return self.order[start:stop].astype(np.int64)

    def bound(
        self,
        rows: IndexedRows,
        place: int,
        values: pa.Array,
        low: Int64,
        high: Int64,
        *,
        right: bool,
    ) -> Int64:
        words, sought = self.words[place], words_sought(values, self.starts[place])
        exact = is_exact(sought, values.type)
        if exact.all():
            return bisect_words(words, sought, low, high, right=right)
        first = bisect_words(words, sought, low, high, right=False)
        last = bisect_words(words, sought, first, high, right=True)
        self._settle(rows, place, values, ~exact & (first < last), first, last)
        return last if right else first

    def span(
        self, rows: IndexedRows, place: int, values: pa.Array, low: Int64, high: Int64
    ) -> tuple[Int64, Int64]:
        words, sought = self.words[place], words_sought(values, self.starts[place])
        first = bisect_words(words, sought, low, high, right=False)
        last = bisect_words(words, sought, first, high, right=True)
        unsure = ~is_exact(sought, values.type) & (first < last)
        self._settle(rows, place, values, unsure, first, last)
        return first, last

    def _settle(
        self,
        rows: IndexedRows,
        place: int,
        values: pa.Array,
        unsure: npt.NDArray[np.bool_],
        first: Int64,
        last: Int64,
    ) -> None:
        """Brings [first, last), where words are equal, to where values are."""
        queries = np.flatnonzero(unsure)
        if len(queries) == 1:
            one = int(queries[0])
            value, ends = values[one].as_py(), (int(first[one]), int(last[one]))
            first[one], last[one] = self._span_of(rows, place, value, *ends)
        elif len(queries):
            picked = values.take(pa.array(queries))
            low, high = first[queries], last[queries]
            first[queries] = self._bisect_values(rows, place, picked, low, high, False)
            last[queries] = self._bisect_values(rows, place, picked, low, high, True)

    def _span_of(
        self, rows: IndexedRows, place: int, value: Any, low: int, high: int
    ) -> tuple[int, int]:
        """Where one value stands among places whose words are equal."""

        def value_at(here: int) -> Any:
            return rows.value(place, here if self.order is None else int(self.order[here]))

        least, greatest = value_at(low), value_at(high - 1)
        if value == least == greatest:
            return low, high
        if value < least:
            return low, low
        if value > greatest:
            return high, high
        first = bisect_left(range(high), value, low, high, key=value_at)
        return first, bisect_right(range(high), value, first, high, key=value_at)

    def _bisect_values(
        self, rows: IndexedRows, place: int, values: pa.Array, low: Int64, high: Int64, right: bool
    ) -> Int64:
        import pyarrow.compute as pc

        compare = pc.less_equal if right else pc.less
        if pa.types.is_fixed_size_binary(values.type):
            values = values.cast(pa.binary())

        def is_before(places: Int64, queries: Int64) -> npt.NDArray[np.bool_]:
            offsets = places if self.order is None else self.order[places].astype(np.int64)
            here = rows.take(place, offsets)
            if here.type != values.type:
                here = here.cast(values.type)
            found = compare(here, values.take(pa.array(queries)))
            return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)

        return bisect(is_before, low, high)


class BTree:
    name = "BTREE"
    capabilities = frozenset({ORDER})
    columns_max = COLUMNS_MAX
    takes = "it takes columns whose values have an order"

    def accepts(self, type_: pa.DataType) -> bool:
        return can_order(type_)

    def build(self, rows: IndexedRows) -> SortedRows:
        places = range(len(rows.types))
        starts = [common_start(rows.batches(p)) for p in places]
        words = [_words(rows, p, start) for p, start in zip(places, starts, strict=True)]
        order, _ = sort_rows(rows.count, _levels(rows, words))
        if order is None:
            return SortedRows(words, starts, None)
        return SortedRows([w[order] for w in words], starts, order.astype(np.uint32))

    def open(self, arrays: Mapping[str, npt.NDArray[Any]]) -> SortedRows:
        count = sum(name.startswith("words.") for name in arrays)
        words = [arrays[f"words.{place}"] for place in range(count)]
        starts = [arrays[f"start.{place}"].tobytes() for place in range(count)]
        order = arrays.get("order")
        if not words or any(w.dtype != np.int64 or w.shape != words[0].shape for w in words):
            raise ValueError("words of other types or lengths")
        if words[0].ndim != 1 or len(arrays) != 2 * count + (order is not None):
            raise ValueError("more arrays than an index has")
        if order is not None:
            if order.dtype != np.uint32 or order.shape != words[0].shape:
                raise ValueError("an order of another type or length")
            if len(order) and int(order.max()) >= len(order):
                raise ValueError("rows that are none")
        return SortedRows(words, starts, order)

    def check(self, part: IndexPart, rows: IndexedRows) -> str | None:
        assert isinstance(part, SortedRows)
        right = self.build(rows)
        if part.count != right.count:
            return f"{part.count} rows instead of {right.count}"
        if not np.array_equal(part.rows(0, part.count), right.rows(0, right.count)):
            return "rows in another order"
        if part.starts != right.starts or len(part.words) != len(right.words):
            return "other keys"
        for mine, wanted in zip(part.words, right.words, strict=True):
            wrong = np.flatnonzero(mine != wanted)
            if len(wrong):
                return f"another key for row {part.rows(int(wrong[0]), int(wrong[0]) + 1)[0]}"
        return None


BTREE = BTree()


def _words(rows: IndexedRows, place: int, start: bytes) -> Int64:
    parts = [words_of(batch, start) for batch in rows.batches(place)]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int64), *parts])


def _levels(rows: IndexedRows, words: Sequence[Int64]) -> Iterator[Level]:
    """Per column its words, then, if they may say too little, the values' places."""
    for place, own in enumerate(words):
        yield partial(_some, own)
        if may_mislead(own, rows.types[place]):
            yield partial(_ranks, rows, place)


def _some(words: Int64, rows: Int64 | None) -> Int64:
    return words if rows is None else words[rows]


def _ranks(rows: IndexedRows, place: int, some: Int64 | None) -> Int64:
    return ranks([rows.take(place, np.arange(rows.count) if some is None else some)])
