"""One index of one chunk: built when first asked for, or read from its object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hartonomous.storage.access import METHODS
from hartonomous.storage.access.base import IndexedRows, IndexPart, Int64
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import (
    NOCASE,
    ColumnEntry,
    IndexEntry,
    KeyEntry,
    TableEntry,
    physical_name,
)
from hartonomous.storage.chunk import BATCH_ROWS, Chunk
from hartonomous.storage.decoding import decoding
from hartonomous.storage.errors import Corruption
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import Pack, write_pack

KIND = "index"


class ChunkRows:
    """What an index reads of a chunk (base.IndexedRows); texts under COLLATE NOCASE are compared in
    lower case."""

    __slots__ = ("_chunk", "_columns", "_names", "count", "types")

    def __init__(self, chunk: Chunk, columns: tuple[ColumnEntry, ...]) -> None:
        self._chunk, self._columns = chunk, columns
        self._names = tuple(map(physical_name, columns))
        self.count, self.types = chunk.count, tuple(c.arrow for c in columns)

    def batches(self, place: int) -> Iterator[pa.Array]:
        name, column = self._names[place], self._columns[place]
        for batch in range(self._chunk.batch_count):
            yield compared(self._chunk.column(name, column.arrow, batch), column)

    def take(self, place: int, offsets: Int64) -> pa.Array:
        column = self._columns[place]
        return compared(self._chunk.take(self._names[place], column.arrow, offsets), column)

    def value(self, place: int, offset: int) -> Any:
        batch, within = divmod(offset, BATCH_ROWS)
        column = self._columns[place]
        values = self._chunk.column(self._names[place], column.arrow, batch)
        if column.collation == NOCASE:
            values = compared(values.slice(within, 1), column)
            within = 0
        return values[within].as_py()


def compared(values: pa.Array, column: ColumnEntry) -> pa.Array:
    """Values of a column as indexes compare them."""
    if column.collation != NOCASE:
        return values
    import pyarrow.compute as pc

    return pc.utf8_lower(values)


class ChunkIndex:
    """Where a chunk's part of an index is. `stored`: its object, once it has one."""

    __slots__ = ("_objects", "_part", "entry", "stored")

    def __init__(
        self, entry: IndexEntry, objects: Objects | None = None, stored: ObjectRef | None = None
    ) -> None:
        self.entry, self.stored = entry, stored
        self._objects = objects
        self._part: IndexPart | None = None

    def serves(self, entry: IndexEntry) -> bool:
        """Whether it is over the same columns, by the same method."""
        return self.entry.columns == entry.columns and self.entry.method == entry.method

    def part(self, rows: IndexedRows) -> IndexPart:
        """The part over its chunk's rows. Corruption if its object is damaged, FormatFault if it is
        no index's."""
        if self._part is None:
            stored = self._read()
            self._part = METHODS[self.entry.method].build(rows) if stored is None else stored
        return self._part

    def fault(self, rows: IndexedRows) -> str | None:
        """What is wrong with the part, as it is stored or else as it was built, compared with the
        rows; None if nothing is, or there is no part yet. Raises what `part` does."""
        stored = self._read()
        part = self._part if stored is None else stored
        if part is None:
            return None
        return METHODS[self.entry.method].check(part, rows)

    def _read(self) -> IndexPart | None:
        """The part as its object has it; None if it is not stored."""
        while (stored := self.stored) is not None:
            try:
                return self._open(stored)
            except Corruption:
                # a checkpoint may have detached it, and removed the object, just now
                if self.stored is stored:
                    raise
        return None

    def _open(self, stored: ObjectRef) -> IndexPart:
        assert self._objects is not None
        pack = Pack(self._objects, stored, KIND, f'index "{self.entry.name}"')
        with decoding(f"object {stored.name}"):
            return METHODS[self.entry.method].open({name: pack.array(name) for name in pack.names})

    @property
    def is_made(self) -> bool:
        """Whether somebody asked for the part, so that it is worth keeping."""
        return self._part is not None or self.stored is not None

    def store(self, objects: Objects, rows: IndexedRows) -> ObjectRef:
        """Writes the part, unless it is there already."""
        if self.stored is None:
            self._objects = objects
            self.stored = write_pack(objects, KIND, self.part(rows).arrays())
        return self.stored

    def detach(self) -> None:
        """Before the object may be removed: what was not read yet is built again if needed."""
        self.stored = None


def chunk_index(chunk: Chunk, entry: IndexEntry) -> ChunkIndex:
    """The chunk's own part of an index, perhaps not built yet. An id says which index only once it
    is committed: one that was rolled back may have left its part here."""
    found = chunk.indexes.get(entry.id)
    if found is None or not found.serves(entry):
        found = chunk.indexes[entry.id] = ChunkIndex(entry)
    return found


def as_index(key: KeyEntry) -> IndexEntry:
    """A key as the index that answers ranges of it. Its parts are built when first asked for, and
    kept then."""
    return IndexEntry(key.id, key.name, key.columns, "BTREE")


def indexed_columns(table: TableEntry, entry: IndexEntry) -> tuple[ColumnEntry, ...]:
    """The columns of an index, in its order."""
    by_id = {c.id: c for c in table.columns}
    return tuple(by_id[i] for i in entry.columns)


def indexed_rows(table: TableEntry, entry: IndexEntry, chunk: Chunk) -> ChunkRows:
    """What an index reads of a chunk of its table."""
    return ChunkRows(chunk, indexed_columns(table, entry))
