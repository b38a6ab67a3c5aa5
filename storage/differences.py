"""Differences: which rows of a table differ between two states of it, found in the time that the
change takes.

A row is followed by its id, which UPDATE keeps. What changed between two moments of one line of
commits stands in the chunks themselves: rows born after the first moment that are visible at the
second, and rows of the first one that the death logs bury up to the second. Chunks without newer
births are not looked at but for the end of their death log.

    common     (fork)  ── … ──  before        two branches are compared by way of the state
         └──── … ────  after                  at which their lines part

Rows are named by *places*: ordinal of a chunk in `Differences.chunks` << 32 | offset, -1 for none.
A place holds a version of a row for as long as its chunk lives, visible or not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, TableEntry, physical_name
from hartonomous.storage.chunk import NO_ROWS, Chunk, Int64, Selection, concat
from hartonomous.storage.frozen import frozen
from hartonomous.storage.row_equality import equal_values
from hartonomous.storage.table import ADDRESS_BITS, TableState, TableView

#: no version of the row
NOWHERE = -1

#: a column as the state before has it and as the one after has it; None: it has none
ColumnPair = tuple[ColumnEntry | None, ColumnEntry | None]


@frozen
class Moment:
    """A table at one moment: its chunks, of which the rows visible at `sequence` count."""

    chunks: tuple[Chunk, ...]
    sequence: int

    @staticmethod
    def of(state: TableState, sequence: int) -> Moment:
        return Moment(state.chunks, sequence)


@frozen
class Differences:
    """Rows of which the two states may have different versions: ids ascending and distinct, the
    place of the version before and of the one after, int64[N] each."""

    row_ids: Int64
    before: Int64
    after: Int64
    chunks: tuple[Chunk, ...]

    def __len__(self) -> int:
        return len(self.row_ids)

    def view(self, table: TableEntry) -> TableView:
        """What `gather` reads the versions from, by the columns of `table`."""
        parts = [(i, Selection(chunk, 0, {})) for i, chunk in enumerate(self.chunks)]
        return TableView(table, tuple(parts))

    def take(self, rows: Int64 | npt.NDArray[np.bool_]) -> Differences:
        """Some of the rows."""
        return Differences(self.row_ids[rows], self.before[rows], self.after[rows], self.chunks)

    def really(self, columns: Sequence[ColumnPair]) -> Differences:
        """Without the rows whose two versions are equal in these columns."""
        both = np.flatnonzero((self.before != NOWHERE) & (self.after != NOWHERE))
        if not len(both):
            return self
        same = same_rows(self.chunks, self.before[both], self.after[both], columns)
        keep = np.ones(len(self), np.bool_)
        keep[both[same]] = False
        return self if keep.all() else self.take(keep)


def differences(before: Moment, after: Moment, common: int) -> Differences:
    """The rows that were changed after sequence `common`, up to which both have the same commits,
    on the way to either state. Versions may turn out to be equal (`Differences.really`)."""
    if before.sequence == common:
        gone, born = _changed(after, common, 0)
        return _joined(gone, born, after.chunks)
    if after.sequence == common:
        gone, born = _changed(before, common, 0)
        return _joined(born, gone, before.chunks)
    shift = len(before.chunks)
    gone_before, born_before = _changed(before, common, 0)
    gone_after, born_after = _changed(after, common, shift)
    changed_before = np.union1d(gone_before[0], born_before[0])
    changed_after = np.union1d(gone_after[0], born_after[0])
    # a row that only one side changed is, on the other, still the version that died on the one
    only_after = np.isin(gone_after[0], changed_before, invert=True)
    only_before = np.isin(gone_before[0], changed_after, invert=True)
    left = _both(born_before, (gone_after[0][only_after], gone_after[1][only_after]))
    right = _both(born_after, (gone_before[0][only_before], gone_before[1][only_before]))
    return _joined(left, right, (*before.chunks, *after.chunks))


Versions = tuple[Int64, Int64]  # row ids, ascending, and places


def _changed(moment: Moment, since: int, shift: int) -> tuple[Versions, Versions]:
    """Versions visible at `since` that are not any more, and visible ones that are younger."""
    gone: list[tuple[Int64, Int64]] = []
    born: list[tuple[Int64, Int64]] = []
    for ordinal, chunk in enumerate(moment.chunks, shift):
        found = _born(chunk, since, moment.sequence)
        if len(found):
            born.append((chunk.row_ids_at(found), found + (ordinal << ADDRESS_BITS)))
        found = _gone(chunk, since, moment.sequence)
        if len(found):
            gone.append((chunk.row_ids_at(found), found + (ordinal << ADDRESS_BITS)))
    return _ordered(gone), _ordered(born)


def _born(chunk: Chunk, since: int, until: int) -> Int64:
    """Offsets of rows born in (since, until] that are visible at `until`."""
    if chunk.newest_birth <= since:
        return NO_ROWS
    births = chunk.births
    if isinstance(births, int):
        if births > until:
            return NO_ROWS
        is_born = np.ones(chunk.count, np.bool_)
    else:
        is_born = (births > since) & (births <= until)
    dead = chunk.deaths.offsets(0, chunk.deaths.prefix(until))
    is_born[dead] = False
    return np.flatnonzero(is_born)


def _gone(chunk: Chunk, since: int, until: int) -> Int64:
    """Offsets of rows visible at `since` that died in (since, until]."""
    deaths = chunk.deaths
    dead = deaths.offsets(deaths.prefix(since), deaths.prefix(until))
    if not len(dead) or chunk.newest_birth <= since:
        return dead
    return dead[chunk.births_at(dead) <= since]


def _ordered(parts: list[tuple[Int64, Int64]]) -> Versions:
    ids = concat([ids for ids, _ in parts])
    places = concat([places for _, places in parts])
    order = np.argsort(ids, kind="stable")
    ids, places = ids[order], places[order]
    assert (ids[1:] > ids[:-1]).all(), "a row has two versions at one moment"
    return ids, places


def _both(some: Versions, others: Versions) -> Versions:
    return _ordered([some, others])


def _joined(before: Versions, after: Versions, chunks: tuple[Chunk, ...]) -> Differences:
    ids = np.union1d(before[0], after[0])
    places = []
    for known, where in (before, after):
        out = np.full(len(ids), NOWHERE, np.int64)
        out[np.searchsorted(ids, known)] = where
        places.append(out)
    return Differences(ids, places[0], places[1], chunks)


def same_rows(
    chunks: tuple[Chunk, ...], left: Int64, right: Int64, columns: Sequence[ColumnPair]
) -> npt.NDArray[np.bool_]:
    """Whether the versions at two lists of places are equal in these columns, bool[N]. A column
    that a chunk lacks is NULL there. Floats are compared by their bits, every NaN being one."""
    out = np.ones(len(left), np.bool_)
    for one, other in columns:
        undecided = np.flatnonzero(out)
        if not len(undecided):
            break
        known = one if one is not None else other
        assert known is not None, "a pair has a column"
        before = values_at(chunks, left[undecided], one, known.arrow)
        after = values_at(chunks, right[undecided], other, known.arrow)
        out[undecided] = equal_values(*_alike(before, after))
    return out


def _alike(before: pa.Array, after: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Values of a column and of what it became, as one type: the wider one, else texts."""
    if before.type == after.type:
        return before, after
    for one, other in ((before, after), (after, before)):
        try:
            return one.cast(other.type), other
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return before.cast(pa.string()), after.cast(pa.string())


def values_at(
    chunks: tuple[Chunk, ...], places: Int64, column: ColumnEntry | None, type_: pa.DataType
) -> pa.Array:
    """A column's values at places, in their order; without a column NULLs of a type."""
    if column is None:
        return pa.nulls(len(places), type_)
    if not len(places):
        return pa.nulls(0, column.arrow)
    name = physical_name(column)
    ordinals = places >> ADDRESS_BITS
    if (ordinals == ordinals[0]).all():
        offsets = places & ((1 << ADDRESS_BITS) - 1)
        return chunks[int(ordinals[0])].take(name, column.arrow, offsets)
    parts: list[pa.Array] = []
    order = np.argsort(ordinals, kind="stable")
    numbers, starts = np.unique(ordinals[order], return_index=True)
    for number, some in zip(numbers.tolist(), np.split(places[order], starts[1:]), strict=True):
        offsets = some & ((1 << ADDRESS_BITS) - 1)
        parts.append(chunks[number].take(name, column.arrow, offsets))
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(parts).take(pa.array(back))
