"""Keys: finding rows by the values of PRIMARY KEY, UNIQUE and INDEX columns.

Every chunk has, per key, the hashes of its rows in ascending order beside the rows' offsets, and
for a key whose first column is a whole number or a time that column's minimum and maximum. A probe
skips chunks by the range (ascending keys touch none), finds candidates by binary search, and
compares their values. Made when first asked for; a checkpoint keeps it as an object.

A key of one such column that ascends strictly in its chunk needs no hashes: the column is its own
index (`ascending`), and nothing is kept.
"""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa

from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import (
    NOCASE,
    ColumnEntry,
    KeyEntry,
    TableEntry,
    physical_name,
)
from hartonomous.storage.chunk import BATCH_ROWS, NO_ROWS, Chunk, Int64, Selection, expand
from hartonomous.storage.errors import ConstraintFault, Corruption, Offence
from hartonomous.storage.frozen import frozen
from hartonomous.storage.keyhash import UInt64, equal_rows, hash_rows, integers, valid_rows


@frozen
class KeyColumns:
    """A key with its columns resolved. `folded`: places of the columns that a unique key compares
    without case."""

    key: KeyEntry
    columns: tuple[ColumnEntry, ...]
    folded: tuple[int, ...] = ()

    @staticmethod
    def of(table: TableEntry, key: KeyEntry) -> KeyColumns:
        by_id = {c.id: c for c in table.columns}
        columns = tuple(by_id[i] for i in key.columns)
        folds = [i for i, c in enumerate(columns) if key.is_unique and c.collation == NOCASE]
        return KeyColumns(key, columns, tuple(folds))

    def compared(self, columns: Sequence[pa.Array]) -> Sequence[pa.Array]:
        """What the key compares and hashes of its columns: of folded ones the lower case."""
        if not self.folded:
            return columns
        import pyarrow.compute as pc

        return [pc.utf8_lower(c) if i in self.folded else c for i, c in enumerate(columns)]


class Probe:
    """Rows looked for: their key columns (as `compared` gives them), hashes and range. Rows with a
    NULL match nothing."""

    __slots__ = ("_hashes", "columns", "count", "range", "rows")

    def __init__(self, columns: Sequence[pa.Array]) -> None:
        valid = valid_rows(columns)
        #: numbers of the rows that can match, or None for all
        self.rows = None if valid is None else np.flatnonzero(valid)
        if self.rows is not None:
            picked = pa.array(self.rows)
            columns = [c.take(picked) for c in columns]
        self.columns = columns
        self.count = len(columns[0])
        self.range = value_range(columns[0])
        self._hashes: UInt64 | None = None

    @property
    def hashes(self) -> UInt64:
        if self._hashes is None:
            self._hashes = hash_rows(self.columns)
        return self._hashes

    def numbers(self, index: Int64) -> Int64:
        """Row numbers as the caller counts them."""
        return index if self.rows is None else self.rows[index]


#: the first row alone, as numbers of rows
FIRST_ROW: Int64 = np.zeros(1, np.int64)
FIRST_ROW.flags.writeable = False
#: the range of no values at all
NOTHING = (1 << 63, -(1 << 63))


def union_of(ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The least range that holds all of them."""
    low, high = NOTHING
    for least, greatest in ranges:
        low, high = min(low, least), max(high, greatest)
    return low, high


def outside(span: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    """Whether two ranges are known and have nothing in common."""
    return span is not None and other is not None and (other[0] > span[1] or other[1] < span[0])


def value_range(column: pa.Array) -> tuple[int, int] | None:
    """Minimum and maximum of a column of whole numbers without NULLs; None for others."""
    if len(column) == 1 and pa.types.is_int64(column.type):
        only = column[0].as_py()
        return only, only
    values = integers(column)
    if values is None or not len(values):
        return None
    if len(values) == 1:
        only = int(values[0])
        return only, only
    return int(values.min()), int(values.max())


class ChunkKey:
    """One key of one chunk. `hashes` ascending uint64[M], `offsets` int64[M], M <= rows: rows with
    a NULL in the key are left out. `load` brings the index from the object `stored`."""

    __slots__ = ("_ascending", "_chunk", "_index", "_load", "key", "range", "stored")

    def __init__(
        self,
        chunk: Chunk,
        key: KeyColumns,
        range_: tuple[int, int] | None,
        index: tuple[UInt64, Int64] | None,
        load: Callable[[], tuple[UInt64, Int64]] | None = None,
    ) -> None:
        self._chunk, self.key, self.range = weakref.ref(chunk), key, range_
        self._index, self._load = index, load
        self.stored: ObjectRef | None = None
        self._ascending: Int64 | bool | None = None  # None: not looked yet; False: it does not

    @property
    def chunk(self) -> Chunk:
        """The chunk, which has this key; whoever asks has the chunk."""
        chunk = self._chunk()
        assert chunk is not None, "a key is asked whose chunk is gone"
        return chunk

    @property
    def ascending(self) -> Int64 | None:
        """The key's only column as int64[rows], if it ascends strictly and has no NULL."""
        if self._ascending is None:
            can = self.range is not None and len(self.key.columns) == 1 and not self.has_index
            self._ascending = ascending_values(self.chunk, self.key.columns[0]) if can else False
        return None if isinstance(self._ascending, bool) else self._ascending

    @property
    def index(self) -> tuple[UInt64, Int64]:
        if self._index is None:
            self._index = self._stored_index() or build_index(self.chunk, self.key)
        return self._index

    def _stored_index(self) -> tuple[UInt64, Int64] | None:
        load = self._load
        try:
            return None if load is None else load()
        except Corruption:
            # a checkpoint may have detached it, and removed the object, just now
            if self._load is load:
                raise
        return None

    @property
    def has_index(self) -> bool:
        return self._index is not None or self._load is not None

    def serves(self, key: KeyColumns) -> bool:
        """Whether it is over the same columns, compared in the same way."""
        return self.key.key.columns == key.key.columns and self.key.folded == key.folded

    def detach(self) -> None:
        """Make the index from the rows if it is needed and was not read yet."""
        self._load, self.stored = None, None

    def moved_to(self, chunk: Chunk) -> ChunkKey:
        """The same key for a chunk of the same rows."""
        moved = ChunkKey(chunk, self.key, self.range, self._index, self._load)
        moved.stored = self.stored
        return moved

    def excludes(self, probe: Probe) -> bool:
        """Whether no probed row can be here, judged by ranges alone."""
        return outside(self.range, probe.range)

    def find(self, probe: Probe) -> tuple[Int64, Int64]:
        """(index into the probe, offset) of all rows here with equal keys, visible or not."""
        values = self.ascending
        if values is not None:
            return _find_ascending(values, probe)
        hashes, offsets = self.index
        if not len(hashes):
            return NO_ROWS, NO_ROWS
        wanted = probe.hashes
        left = np.searchsorted(hashes, wanted, "left")
        right = np.searchsorted(hashes, wanted, "right")
        rows, found = expand(left, right, offsets)
        if not len(rows):
            return rows, found
        picked = pa.array(rows)
        theirs = [c.take(picked) for c in probe.columns]
        mine = [self.chunk.take(physical_name(c), c.arrow, found) for c in self.key.columns]
        same = equal_rows(self.key.compared(mine), theirs)
        return rows[same], found[same]


def _find_ascending(values: Int64, probe: Probe) -> tuple[Int64, Int64]:
    if probe.count == 1 and probe.range is not None:
        only = probe.range[0]
        place = int(values.searchsorted(only))
        if place == len(values) or values[place] != only:
            return NO_ROWS, NO_ROWS
        return FIRST_ROW, np.array([place])
    wanted = integers(probe.columns[0])
    assert wanted is not None
    places = np.searchsorted(values, wanted)
    places[places == len(values)] = 0
    rows = np.flatnonzero(values[places] == wanted)
    return rows, places[rows]


def ascending_values(chunk: Chunk, column: ColumnEntry) -> Int64 | bool:
    """A column of whole numbers or times as int64[rows]; False unless it ascends strictly."""
    parts = []
    last = None
    for batch in range(chunk.batch_count):
        array = chunk.column(physical_name(column), column.arrow, batch)
        values = None if array.null_count else integers(array)
        if values is None or (last is not None and values[0] <= last):
            return False
        if not (values[1:] > values[:-1]).all():
            return False
        last = values[-1]
        parts.append(values)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def chunk_key(chunk: Chunk, key: KeyColumns) -> ChunkKey:
    """A chunk's part of a key, its range computed now and its index when needed. An id says which
    key only once the key is committed: one that was rolled back may have left its part here."""
    found = chunk.keys.get(key.key.id)
    if found is None or not found.serves(key):
        span = chunk_range(chunk, key.columns[0])
        found = chunk.keys[key.key.id] = ChunkKey(chunk, key, span, None)
    return found


def chunk_range(chunk: Chunk, column: ColumnEntry) -> tuple[int, int] | None:
    """Least and greatest value of a column of whole numbers or times, by its zone map if it has
    one; None for other types, and if all is NULL."""
    if not (pa.types.is_integer(column.arrow) or pa.types.is_temporal(column.arrow)):
        return None
    name = physical_name(column)
    zone_map = chunk.rows.zone_map(name) if chunk.rows.is_mapped else None
    if zone_map is not None:
        ranges = [(b.low, b.high) for b in zone_map.batches if b.low is not None]
    else:
        ranges = []
        for batch in range(chunk.batch_count):
            array = chunk.column(name, column.arrow, batch)
            part = value_range(array.drop_null() if array.null_count else array)
            if part is not None:
                ranges.append(part)
    return union_of(ranges) if ranges else None


def build_index(chunk: Chunk, key: KeyColumns) -> tuple[UInt64, Int64]:
    """Hashes of all rows (the invisible ones too), sorted, with offsets."""
    hashes: list[UInt64] = []
    offsets: list[Int64] = []
    for batch in range(chunk.batch_count):
        columns = [chunk.column(physical_name(c), c.arrow, batch) for c in key.columns]
        start = batch * BATCH_ROWS
        here = np.arange(start, start + len(columns[0]), dtype=np.int64)
        hashed, valid = hash_rows(key.compared(columns)), valid_rows(columns)
        hashes.append(hashed if valid is None else hashed[valid])
        offsets.append(here if valid is None else here[valid])
    if len(hashes) == 1 and len(hashes[0]) <= 1:
        return hashes[0], offsets[0]
    return sort_index(np.concatenate(hashes), np.concatenate(offsets))


def sort_index(hashes: UInt64, offsets: Int64) -> tuple[UInt64, Int64]:
    order = np.argsort(hashes, kind="stable")
    return hashes[order], offsets[order]


def merge_keys(parts: Sequence[Chunk], merged: Chunk) -> None:
    """Give a merged chunk the keys that all of its parts have, without hashing again."""
    for key_id, first in list(parts[0].keys.items()):  # readers add to it meanwhile
        keys = [part.keys.get(key_id) for part in parts]
        known = [k for k in keys if k is not None]
        if len(known) < len(parts) or not all(k.serves(first.key) for k in known):
            continue
        ranges = [k.range for k in known if k.range is not None]
        whole = (min(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else None
        index = None
        if all(k.has_index for k in known):
            starts = np.cumsum([0, *(p.count for p in parts[:-1])])
            index = sort_index(
                np.concatenate([k.index[0] for k in known]),
                np.concatenate(
                    [k.index[1] + s for k, s in zip(known, starts.tolist(), strict=True)]
                ),
            )
        merged.keys[key_id] = ChunkKey(merged, first.key, whole, index)


def find_visible(
    selections: Iterable[tuple[int, Selection]], key: KeyColumns, probe: Probe
) -> Iterable[tuple[int, Int64, Int64]]:
    """Per chunk: (its ordinal, rows of the probe, offsets) of visible rows with equal keys."""
    if not probe.count:
        return
    for ordinal, selection in selections:
        if not selection.row_count:
            continue
        part = chunk_key(selection.chunk, key)
        if part.excludes(probe):
            continue
        rows, offsets = part.find(probe)
        if not len(rows):
            continue
        if not selection.hidden:
            yield ordinal, probe.numbers(rows), offsets
        else:
            visible = selection.is_visible(offsets)
            if visible.any():
                yield ordinal, probe.numbers(rows[visible]), offsets[visible]


def find_duplicate(probe: Probe) -> int | None:
    """The number of a row whose key occurs earlier among the probed rows themselves."""
    if probe.count < 2:
        return None
    if _is_ascending(probe):
        return None
    hashes, order = sort_index(probe.hashes, np.arange(probe.count, dtype=np.int64))
    start = 1
    while True:  # equal hashes at distance 1, then 2, … until no run is that long
        same = np.flatnonzero(hashes[start:] == hashes[:-start])
        if not len(same):
            return None
        left, right = pa.array(order[same]), pa.array(order[same + start])
        equal = equal_rows(
            [c.take(left) for c in probe.columns], [c.take(right) for c in probe.columns]
        )
        if equal.any():
            later = np.maximum(order[same], order[same + start])[equal]
            return int(probe.numbers(later[:1])[0])
        start += 1


def _is_ascending(probe: Probe) -> bool:
    """Strictly ascending whole numbers in the first column cannot repeat."""
    values = integers(probe.columns[0])
    return values is not None and bool(np.all(values[1:] > values[:-1]))


def unique_violation(
    table: TableEntry, key: KeyColumns, columns: Sequence[pa.Array], row: int, hint: str
) -> ConstraintFault:
    """The error for row number `row` of the offered key columns."""
    names = tuple(c.name for c in key.columns)
    return ConstraintFault(
        f'{key.key.kind} "{key.key.name}" ({", ".join(names)}) of table "{table.name}" '
        f"already has the value ({shown_values(key, columns, row)})",
        code="UNIQUE_VIOLATION",
        hint=hint,
        offence=Offence(table, names, row),
    )


def shown_values(key: KeyColumns, columns: Sequence[pa.Array], row: int) -> str:
    """One row's values of a key's columns, for errors."""
    pairs = zip(columns, key.columns, strict=True)
    return ", ".join(_shown(c[row].as_py(), entry.type) for c, entry in pairs)


def _shown(value: object, type_: str) -> str:
    """A key's value as it is written in HQL, shortened."""
    if value is None:
        text = "NULL"
    elif isinstance(value, bytes):
        is_uuid = type_ == "UNIQUEIDENTIFIER"
        text = f"'{uuid.UUID(bytes=value)}'" if is_uuid else f"0x{value.hex().upper()}"
    elif isinstance(value, bool):
        text = str(int(value))
    else:
        text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
