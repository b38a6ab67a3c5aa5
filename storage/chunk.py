"""Chunk: an immutable block of rows of one table, and who can see which of them.

    rows      batches of 65,536 rows (the last may be shorter), columns named c<id>
    row_ids   one number (contiguous, ascending) or int64[rows]
    births    the sequence of the commit that made the row: one number or int64[rows]
    deaths    a growing log of (sequence, offset), appended in sequence order

A row is visible at s when birth <= s < death. The log is shared by all snapshots of one branch: a
snapshot at s reads the prefix of deaths up to s. It is written by the committing thread alone,
under the commit lock, and a reader takes a consistent prefix because the count is published last.

Which rows a batch hides is kept per batch (`Hidden`), so that one delete in a segment of a million
rows leaves all other batches uncopied and their caches warm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.deaths import DeathLog

if TYPE_CHECKING:
    from hartonomous.storage.access.parts import ChunkIndex
    from hartonomous.storage.keys import ChunkKey
    from hartonomous.storage.manifest import PackPart
    from hartonomous.storage.rows import Rows

BATCH_BITS = 16
BATCH_ROWS = 1 << BATCH_BITS  # 65,536
SEGMENT_ROWS = 1 << 20

#: columns of a segment for what is not one number
ROW_ID_COLUMN = "__row_id"
BIRTH_COLUMN = "__birth"

#: filtered columns of a batch that are kept: 64 bytes a row, which vectors exceed
CACHED_BYTES_MAX = 4 << 20

Int64 = npt.NDArray[np.int64]
NO_ROWS: Int64 = np.empty(0, np.int64)


class Hidden:
    """The rows of one batch that a selection leaves out, and the columns without them."""

    __slots__ = ("_columns", "_keep", "offsets", "size")

    def __init__(self, offsets: Int64, size: int) -> None:
        self.offsets = offsets  # within the batch, ascending, distinct
        self.size = size
        self._keep: pa.Array | None = None
        self._columns: dict[str, pa.Array] = {}

    @property
    def kept(self) -> int:
        return self.size - len(self.offsets)

    def keep(self) -> npt.NDArray[np.bool_]:
        mask = np.ones(self.size, np.bool_)
        mask[self.offsets] = False
        return mask

    def filter(self, name: str, values: pa.Array) -> pa.Array:
        """`values` of this batch without the hidden rows; kept for the next scan if not wide. (Two
        branches, which share what is kept, may have columns of one id and different types: both
        are younger than the rows.)"""
        found = self._columns.get(name)
        if found is None or found.type != values.type:
            if self._keep is None:
                self._keep = pa.array(self.keep())
            found = values.filter(self._keep)
            if found.nbytes <= CACHED_BYTES_MAX:
                self._columns[name] = found
        return found

    def mask(self, offsets: Int64) -> npt.NDArray[np.bool_]:
        """Which of `offsets` (within the batch) are hidden."""
        place = np.searchsorted(self.offsets, offsets)
        place[place == len(self.offsets)] = 0
        return np.asarray(self.offsets[place] == offsets)


class Selection:
    """The visible rows of a chunk: all but those in `hidden`, by batch number."""

    __slots__ = ("chunk", "deaths", "hidden", "row_count")

    def __init__(self, chunk: Chunk, deaths: int, hidden: Mapping[int, Hidden]) -> None:
        self.chunk, self.deaths, self.hidden = chunk, deaths, hidden
        self.row_count = chunk.count
        if hidden:
            self.row_count -= sum(len(h.offsets) for h in hidden.values())

    @staticmethod
    def hiding(chunk: Chunk, mask: npt.NDArray[np.bool_]) -> Selection:
        """All rows of a chunk but those in `mask`, bool[rows]."""
        hidden = {}
        for batch in range(chunk.batch_count):
            size = chunk.batch_size(batch)
            offsets = np.flatnonzero(mask[batch << BATCH_BITS : (batch << BATCH_BITS) + size])
            if len(offsets):
                hidden[batch] = Hidden(offsets, size)
        return Selection(chunk, 0, hidden)

    def without(self, offsets: Int64, deaths: int | None = None) -> Selection:
        """This selection less more rows; batches that lose nothing keep their caches."""
        if len(offsets) == 0:
            return Selection(self.chunk, self.deaths if deaths is None else deaths, self.hidden)
        hidden = dict(self.hidden)
        offsets = distinct(offsets)
        batches = offsets >> BATCH_BITS
        numbers, starts = np.unique(batches, return_index=True)
        for number, part in zip(numbers.tolist(), np.split(offsets, starts[1:]), strict=True):
            within = part & (BATCH_ROWS - 1)
            old = hidden.get(number)
            if old is not None:
                within = np.union1d(old.offsets, within)
            hidden[number] = Hidden(within, self.chunk.batch_size(number))
        return Selection(self.chunk, self.deaths if deaths is None else deaths, hidden)

    def is_visible(self, offsets: Int64) -> npt.NDArray[np.bool_]:
        """Which rows of the chunk are visible, bool[len(offsets)]."""
        out = np.ones(len(offsets), np.bool_)
        if not self.hidden or not len(offsets):
            return out
        batches = offsets >> BATCH_BITS
        for number in np.unique(batches).tolist():
            hidden = self.hidden.get(number)
            if hidden is not None:
                here = batches == number
                out[here] = ~hidden.mask(offsets[here] & (BATCH_ROWS - 1))
        return out

    def offsets(self) -> Int64:
        """The visible rows' offsets, ascending."""
        if not self.hidden:
            return np.arange(self.chunk.count, dtype=np.int64)
        mask = np.ones(self.chunk.count, np.bool_)
        for number, hidden in self.hidden.items():
            mask[hidden.offsets + (number << BATCH_BITS)] = False
        return np.flatnonzero(mask)


class Chunk:
    """See the module's head. Everything but `deaths` and the caches is fixed once made.

    `row_ids` or `births` None: they are the columns `__row_id`, `__birth` of `rows`, read when
    first needed; then `newest_birth` must be given.
    """

    __slots__ = (
        "__weakref__",
        "_births",
        "_id_order",
        "_latest",
        "_row_ids",
        "count",
        "deaths",
        "indexes",
        "keys",
        "newest_birth",
        "rows",
        "stored_deaths",
    )

    def __init__(
        self,
        rows: Rows,
        row_ids: int | Int64 | None,
        births: int | Int64 | None,
        deaths: DeathLog | None = None,
        newest_birth: int | None = None,
    ) -> None:
        self.rows, self.count = rows, rows.count
        self._row_ids, self._births = row_ids, births
        self.deaths = deaths if deaths is not None else DeathLog()
        if newest_birth is None:
            assert births is not None
            newest_birth = births if isinstance(births, int) else int(births.max(initial=0))
        self.newest_birth = newest_birth
        self.keys: dict[int, ChunkKey] = {}
        #: by index id; chunks of the same rows share it
        self.indexes: dict[int, ChunkIndex] = {}
        #: where a manifest keeps the first so many deaths
        self.stored_deaths: tuple[PackPart, int] | None = None
        self._latest: tuple[int, Mapping[int, Hidden]] = (0, {})  # Selection's, the newest
        self._id_order: tuple[Int64, Int64] | None = None

    @property
    def row_ids(self) -> int | Int64:
        if self._row_ids is None:
            self._row_ids = self._hidden_column(ROW_ID_COLUMN)
        return self._row_ids

    @property
    def births(self) -> int | Int64:
        if self._births is None:
            self._births = self._hidden_column(BIRTH_COLUMN)
        return self._births

    @property
    def birth(self) -> int | None:
        """The one commit all rows were born in, if there is one that is known at once."""
        return self._births if isinstance(self._births, int) else None

    def _hidden_column(self, name: str) -> Int64:
        parts = [self.rows.column(name, batch) for batch in range(self.batch_count)]
        return np.concatenate([p.to_numpy() for p in parts if p is not None])

    @property
    def batch_count(self) -> int:
        return (self.count + BATCH_ROWS - 1) >> BATCH_BITS

    def batch_size(self, batch: int) -> int:
        return min(BATCH_ROWS, self.count - (batch << BATCH_BITS))

    def selection(self, sequence: int) -> Selection:
        """The rows visible at `sequence`; what the newest selection hides is kept and grown."""
        if self.newest_birth > sequence:
            mask = self.births_at(slice(None)) > sequence
            mask[self.deaths.offsets(0, self.deaths.prefix(sequence))] = True
            return Selection.hiding(self, mask)
        seen, (deaths, hidden) = self.deaths.prefix(sequence), self._latest
        if deaths == seen:
            return Selection(self, deaths, hidden)
        if deaths > seen:
            return Selection(self, 0, {}).without(self.deaths.offsets(0, seen), seen)
        grown = Selection(self, deaths, hidden).without(self.deaths.offsets(deaths, seen), seen)
        self._latest = seen, grown.hidden
        return grown

    def fork(self, sequence: int) -> Chunk | None:
        """The same rows for a branch that begins after commit `sequence`: what dies later is its
        own. Rows born later were never on it: they are dead from sequence 0 on, and if no others
        are left, so is the chunk (None)."""
        count = self.deaths.prefix(sequence)
        deaths = self.deaths.shared(count)
        if self.newest_birth > sequence:
            later = np.flatnonzero(self.births_at(slice(None)) > sequence)
            if len(later) == self.count:
                return None
            deaths = DeathLog(
                np.concatenate([np.zeros(len(later), np.int64), deaths.sequences(0, count)]),
                np.concatenate([later, deaths.offsets(0, count)]),
            )
        newest = min(self.newest_birth, sequence)
        fork = Chunk(self.rows, self._row_ids, self._births, deaths, newest)
        for key_id, part in list(self.keys.items()):  # readers add to it meanwhile
            fork.keys[key_id] = part.moved_to(fork)
        fork.indexes = self.indexes
        fork._id_order = self._id_order
        if deaths.count == count:
            stored, latest = self.stored_deaths, self._latest
            if stored is not None and stored[1] == count:
                fork.stored_deaths = stored
            if latest[0] <= count:
                fork._latest = latest
        return fork

    def detach(self) -> None:
        """Before objects may be removed: open what old snapshots will still read (a mapping
        outlives its file's name), and forget key indexes, which can be made again."""
        self.rows.open()
        self.detach_parts()

    def detach_parts(self) -> None:
        """As detach, of indexes alone."""
        for part in list(self.keys.values()):  # readers add to both meanwhile
            part.detach()
        for index in list(self.indexes.values()):
            index.detach()

    def row_ids_at(self, offsets: Int64 | slice) -> Int64:
        row_ids = self.row_ids
        if isinstance(row_ids, int):
            if isinstance(offsets, slice):
                start, stop, _ = offsets.indices(self.count)
                return np.arange(row_ids + start, row_ids + stop, dtype=np.int64)
            return offsets + row_ids
        return row_ids[offsets]

    def births_at(self, offsets: Int64 | slice) -> Int64:
        births = self.births
        if isinstance(births, int):
            if isinstance(offsets, slice):
                offsets = np.empty(len(range(*offsets.indices(self.count))), np.int64)
            return np.full(len(offsets), births, np.int64)
        return births[offsets]

    def find_row_ids(self, ids: Int64) -> tuple[Int64, Int64]:
        """Where rows with these ids lie: (index into `ids`, offset), all pairs. An id occurs more
        than once when an update put a new version into the same chunk."""
        row_ids = self.row_ids
        if isinstance(row_ids, int):
            index = np.flatnonzero((ids >= row_ids) & (ids < row_ids + self.count))
            return index, ids[index] - row_ids
        if self._id_order is None:
            order = np.argsort(row_ids, kind="stable")
            self._id_order = order, row_ids[order]
        order, ordered = self._id_order
        return expand(
            np.searchsorted(ordered, ids, "left"), np.searchsorted(ordered, ids, "right"), order
        )

    def column(self, name: str, type_: pa.DataType, batch: int) -> pa.Array:
        """One column of one batch, hidden rows included."""
        found = self.rows.column(name, batch)
        return found if found is not None else pa.nulls(self.batch_size(batch), type_)

    def take(self, name: str, type_: pa.DataType, offsets: Int64) -> pa.Array:
        """Values at offsets, in their order."""
        if self.batch_count == 1:
            return taken(self.column(name, type_, 0), pa.array(offsets))
        batches = offsets >> BATCH_BITS
        ascending = bool(np.all(batches[1:] >= batches[:-1]))
        order = None if ascending else np.argsort(batches, kind="stable")
        inner = offsets if order is None else offsets[order]
        numbers, starts = np.unique(inner >> BATCH_BITS, return_index=True)
        parts = [
            self.column(name, type_, number).take(pa.array(part & (BATCH_ROWS - 1)))
            for number, part in zip(numbers.tolist(), np.split(inner, starts[1:]), strict=True)
        ]
        if not parts:
            return pa.nulls(0, type_)
        whole = pa.concat_arrays(parts)
        return whole if order is None else whole.take(pa.array(inverse(order)))


def taken(values: pa.Array, places: pa.Array) -> pa.Array:
    """Values at places."""
    return value_at(values, places[0].as_py()) if len(places) == 1 else values.take(places)


def value_at(values: pa.Array, place: int) -> pa.Array:
    """One value, as an array: a slice, as kernels of Arrow take ten times as long to call, but of
    nested values that would keep what lies around it."""
    if values.type.num_fields:
        return values.take(pa.array([place]))
    return values.slice(place, 1)


def inverse(order: Int64) -> Int64:
    """The permutation that undoes `order`."""
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order))
    return out


def expand(left: Int64, right: Int64, order: Int64) -> tuple[Int64, Int64]:
    """Ranges [left, right) of `order` as pairs (number of the range, element)."""
    counts = right - left
    if not counts.any():
        return NO_ROWS, NO_ROWS
    index = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    within = np.arange(int(ends[-1])) - np.repeat(ends - counts, counts)
    return index, order[np.repeat(left, counts) + within].astype(np.int64, copy=False)


def concat(parts: Sequence[Int64]) -> Int64:
    return np.concatenate(parts) if parts else NO_ROWS


def distinct(numbers: Int64) -> Int64:
    """The numbers ascending, each once. (np.unique hashes them: seconds for a few million.)"""
    if len(numbers) < 2 or bool((numbers[1:] > numbers[:-1]).all()):
        return numbers
    ordered = np.sort(numbers)
    is_first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
