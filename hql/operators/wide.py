"""The wide values of one running statement, and the handles that stand for them in fragments.

A handle is `source << 40 | position`. A source is one column of a scan (position: the row's ordinal
in the scan), one constant, or the results of one native call (position: in order of arrival).
Sources are numbered by the lowering; this store holds their arrays and gives values for handles.

Interning maps handles to handles so that equal values have equal ones. Values are equal when their
elements are: -0 equals 0, and a NaN another NaN (then they are grouped together, as numbers are).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.storage.table import Deferred

POSITION_BITS = 40
POSITION_MASK = (1 << POSITION_BITS) - 1

#: of the fingerprints
_SEED = 7

#: values interned at once: what is made of them on the way stays in the processor's cache
_INTERN_ROWS = 2048

Int64 = npt.NDArray[np.int64]


class Source:
    """Arrays of one Arrow type, one after the other; grows at the end."""

    __slots__ = ("chunks", "starts")

    def __init__(self, chunks: Sequence[pa.Array] = ()) -> None:
        self.chunks: list[pa.Array] = []
        self.starts = [0]
        for chunk in chunks:
            self.append(chunk)

    def append(self, chunk: pa.Array) -> int:
        """The position of the chunk's first value."""
        start = self.starts[-1]
        self.chunks.append(chunk)
        self.starts.append(start + len(chunk))
        return start

    def take(self, positions: Int64) -> pa.Array:
        """The values at the positions, in their order; no copy of a run within one chunk."""
        starts = np.asarray(self.starts, np.int64)
        where = np.searchsorted(starts, positions, side="right") - 1
        first = int(where[0])
        if (where == first).all():
            return _take(self.chunks[first], positions - starts[first])
        order = np.argsort(where, kind="stable")
        numbers, cuts = np.unique(where[order], return_index=True)
        parts = [
            _take(self.chunks[n], positions[rows] - starts[n])
            for n, rows in zip(numbers.tolist(), np.split(order, cuts[1:]), strict=True)
        ]
        if (order[1:] > order[:-1]).all():
            return pa.concat_arrays(parts)
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.arange(len(order))
        return take_rows(pa.concat_arrays(parts), inverse)


class DeferredSource(Source):
    """Values that are made when they are gathered; positions are the numbers they are made of."""

    __slots__ = ("values",)

    def __init__(self, values: Deferred) -> None:
        super().__init__()
        self.values = values

    def take(self, positions: Int64) -> pa.Array:
        return self.values.read(positions)


def _take(chunk: pa.Array, offsets: Int64) -> pa.Array:
    count, first = len(offsets), int(offsets[0])
    if int(offsets[-1]) - first == count - 1 and (np.diff(offsets) == 1).all():
        return chunk.slice(first, count)
    return take_rows(chunk, offsets)


def take_rows(array: pa.Array, rows: Int64) -> pa.Array:
    """array.take, several times faster for vectors without NULLs."""
    if pa.types.is_fixed_size_list(array.type) and array.null_count == 0:
        flat = array.flatten()
        if flat.null_count == 0 and pa.types.is_primitive(flat.type):
            matrix = flat.to_numpy().reshape(len(array), array.type.list_size)
            return pa.FixedSizeListArray.from_arrays(
                pa.array(matrix[rows].reshape(-1)), array.type.list_size
            )
    return array.take(pa.array(rows))


class WideStore:
    """Sources by number. Filled before a fragment runs, and by native calls while it does, from
    any of the engine's threads."""

    def __init__(self) -> None:
        self._sources: dict[int, Source] = {}
        self._interned: Interned | None = None
        self._lock = threading.Lock()

    def add(self, number: int, chunks: Sequence[pa.Array]) -> None:
        """A source whose values are all there already."""
        assert number not in self._sources, number
        self._sources[number] = Source(chunks)

    def add_column(self, number: int, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Adds a column's values as a source, and gives their handles: NULL for NULL."""
        self.add(number, values.chunks)
        made, start = [], 0
        for chunk in values.chunks:
            made.append(handles(number, start, chunk))
            start += len(chunk)
        return pa.chunked_array(made, pa.int64())

    def defer(self, number: int, values: Deferred, numbers: pa.ChunkedArray) -> pa.ChunkedArray:
        """A source whose values are made when they are wanted, and the handles of some: NULL for
        NULL."""
        assert number not in self._sources, number
        self._sources[number] = DeferredSource(values)
        return pc.add(numbers, pa.scalar(number << POSITION_BITS, pa.int64()))

    def rows_at_once(self, elements_max: int) -> int | None:
        """How many values of the longest deferred source have so many elements; None if none is
        deferred."""
        sources = (s for s in self._sources.values() if isinstance(s, DeferredSource))
        longest = max((s.values.longest for s in sources), default=0)
        return max(1, elements_max // longest) if longest else None

    def append(self, number: int, values: pa.Array) -> pa.Array:
        """Keeps computed values and gives their handles (int64, NULL for NULL)."""
        with self._lock:
            source = self._sources.setdefault(number, Source())
            start = source.append(values)
        return handles(number, start, values)

    def gather(self, given: pa.Array, type_: pa.DataType) -> pa.Array:
        """The values of handles, as `type_`; NULL for NULL."""
        count = len(given)
        if given.null_count == count:
            return pa.nulls(count, type_)
        if given.null_count:
            valid = given.is_valid().to_numpy(zero_copy_only=False)
            values = self.values(given.drop_null().to_numpy())
            places = np.zeros(count, np.int64)
            places[valid] = np.arange(len(values))
            found = values.take(pa.array(places, mask=~valid))
        else:
            found = self.values(given.to_numpy())
        return found if found.type.equals(type_) else found.cast(type_)

    def values(self, given: Int64) -> pa.Array:
        """The values of handles, none of them NULL."""
        numbers = given >> POSITION_BITS
        positions = given & POSITION_MASK
        first = int(numbers[0])
        if (numbers == first).all():
            return self._sources[first].take(positions)
        order = np.argsort(numbers, kind="stable")
        found, cuts = np.unique(numbers[order], return_index=True)
        parts = [
            self._sources[n].take(positions[rows])
            for n, rows in zip(found.tolist(), np.split(order, cuts[1:]), strict=True)
        ]
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.arange(len(order))
        return take_rows(pa.concat_arrays(alike(parts)), inverse)

    def intern(self, given: pa.Array) -> pa.Array:
        """For each handle that of the first equal value seen in this statement."""
        if given.null_count == len(given):
            return given
        valid = given.is_valid().to_numpy(zero_copy_only=False) if given.null_count else None
        known = given.drop_null().to_numpy() if valid is not None else given.to_numpy()
        found = np.empty(len(known), np.int64)
        for start in range(0, len(known), _INTERN_ROWS):
            part = slice(start, start + _INTERN_ROWS)
            values = self.values(known[part])
            with self._lock:
                if self._interned is None:
                    self._interned = Interned()
                found[part] = self._interned.intern(known[part], values, self)
        if valid is None:
            return pa.array(found)
        out = np.zeros(len(given), np.int64)
        out[valid] = found
        return pa.array(out, mask=~valid)

    @property
    def nbytes(self) -> int:
        """Bytes of computed values (what scans give is mapped or shared)."""
        sources = tuple(self._sources.values())
        kept: int = sum(s.values.nbytes for s in sources if isinstance(s, DeferredSource))
        computed: int = sum(c.nbytes for s in sources for c in tuple(s.chunks))
        return kept + computed


def handles(number: int, start: int, values: pa.Array) -> pa.Array:
    """Handles of values that stand at `start` of source `number`; NULL where the value is."""
    first = (number << POSITION_BITS) | start
    made = np.arange(first, first + len(values), dtype=np.int64)
    if values.null_count == 0:
        return pa.array(made)
    return pa.array(made, mask=values.is_null().to_numpy(zero_copy_only=False))


def alike(parts: list[pa.Array]) -> list[pa.Array]:
    """Arrays of one type: vectors of different or unknown length as lists."""
    if all(part.type.equals(parts[0].type) for part in parts):
        return parts
    return [part.cast(pa.list_(pa.float32())) for part in parts]


class Interned:
    """Handles by value. Values are found by a 64-bit fingerprint and then compared whole, so a
    collision costs time and never changes an answer."""

    def __init__(self) -> None:
        self._by_print: dict[Any, int] = {}

    def intern(self, given: Int64, values: pa.Array, store: WideStore) -> Int64:
        """The handles to use for `given`, whose values are `values`."""
        offsets, bits = canonical_bits(values)
        prints = fingerprints(offsets, bits)
        unique, first, back = np.unique(prints, return_index=True, return_inverse=True)
        table = self._by_print
        fresh = given[first].tolist()
        found = [table.setdefault(k, h) for k, h in zip(unique.tolist(), fresh, strict=True)]
        chosen = np.asarray(found, np.int64)[back]
        same = _equal(offsets, bits, *canonical_bits(store.values(chosen)))
        if not same.all():
            self._collide(np.flatnonzero(~same), given, offsets, bits, chosen)
        return chosen

    def _collide(
        self, rows: Int64, given: Int64, offsets: Int64, bits: npt.NDArray[np.uint32], out: Int64
    ) -> None:
        """Different values under one fingerprint: these are kept by their bytes."""
        for row in rows.tolist():
            exact = bits[offsets[row] : offsets[row + 1]].tobytes()
            out[row] = self._by_print.setdefault(exact, int(given[row]))


def canonical_bits(values: pa.Array) -> tuple[Int64, npt.NDArray[np.uint32]]:
    """Offsets int64[N+1] and the elements' bits; equal values have equal bits."""
    if pa.types.is_struct(values.type):
        from hartonomous.hql.functions.geometry_kernels import canonical_words

        return canonical_words(values)
    count = len(values)
    if pa.types.is_fixed_size_list(values.type):
        offsets = np.arange(count + 1, dtype=np.int64) * values.type.list_size
    else:
        lengths = np.diff(values.offsets.to_numpy()).astype(np.int64)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
    flat = values.flatten().to_numpy(zero_copy_only=False)
    flat = flat.astype(np.float32) + np.float32(0)  # a copy in which -0 is 0
    flat[np.isnan(flat)] = np.nan
    return offsets, flat.view(np.uint32)


def fingerprints(offsets: Int64, bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """uint64[N]: a sum of the elements times odd numbers that depend on the place, mixed."""
    starts, lengths = offsets[:-1], np.diff(offsets)
    if len(bits) == 0:
        return np.zeros(len(starts), np.uint64)
    width = int(lengths.max())
    # the same for every width: equal values of unequal batches have one fingerprint
    generator = np.random.Generator(np.random.PCG64(_SEED))
    weights = generator.integers(1, 1 << 63, width, np.uint64) | np.uint64(1)
    with np.errstate(over="ignore"):
        if (lengths == width).all():
            sums = bits.reshape(-1, width).astype(np.uint64) @ weights
        else:
            place = np.arange(len(bits)) - np.repeat(starts, lengths)
            products = np.append(bits.astype(np.uint64) * weights[place], np.uint64(0))
            sums = np.where(lengths > 0, np.add.reduceat(products, starts), np.uint64(0))
        mixed = (sums ^ (sums >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ lengths.astype(np.uint64), np.uint64)


def _equal(
    a_offsets: Int64,
    a_bits: npt.NDArray[np.uint32],
    b_offsets: Int64,
    b_bits: npt.NDArray[np.uint32],
) -> npt.NDArray[np.bool_]:
    """bool[N]: whether value i of one side equals value i of the other."""
    lengths = np.diff(a_offsets)
    same = lengths == np.diff(b_offsets)
    if not same.all():
        return np.array(
            [
                np.array_equal(a_bits[a0:a1], b_bits[b0:b1])
                for a0, a1, b0, b1 in zip(
                    a_offsets[:-1], a_offsets[1:], b_offsets[:-1], b_offsets[1:], strict=True
                )
            ]
        )
    if len(a_bits) == 0:
        return np.asarray(same, np.bool_)
    differs = np.append(a_bits != b_bits, False)
    counted = np.add.reduceat(differs.astype(np.int64), a_offsets[:-1])
    return np.asarray((counted == 0) | (lengths == 0))
