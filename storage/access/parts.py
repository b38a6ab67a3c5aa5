"""One index of one chunk: built when first asked for, or read from its object."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hartonomous.storage.access import METHODS
from hartonomous.storage.access.base import IndexPart
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import ColumnEntry, IndexEntry, TableEntry, physical_name
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.decoding import decoding
from hartonomous.storage.errors import Corruption
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import Pack, write_pack

KIND = "index"


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

    def part(self, chunk: Chunk, column: ColumnEntry) -> IndexPart:
        """The part. Corruption if its object is damaged, FormatFault if it is no index's."""
        if self._part is None:
            stored = self._read()
            self._part = self._build(chunk, column) if stored is None else stored
        return self._part

    def fault(self, chunk: Chunk, column: ColumnEntry) -> str | None:
        """What is wrong with the part, as it is stored or else as it was built, compared with the
        rows; None if nothing is, or there is no part yet. Raises what `part` does."""
        stored = self._read()
        part = self._part if stored is None else stored
        if part is None:
            return None
        return METHODS[self.entry.method].check(part, list(column_batches(chunk, column)))

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

    def _build(self, chunk: Chunk, column: ColumnEntry) -> IndexPart:
        return METHODS[self.entry.method].build(column_batches(chunk, column), chunk.count)

    def store(self, objects: Objects, chunk: Chunk, column: ColumnEntry) -> ObjectRef:
        """Writes the part, unless it is there already."""
        if self.stored is None:
            self._objects = objects
            self.stored = write_pack(objects, KIND, self.part(chunk, column).arrays())
        return self.stored

    def detach(self) -> None:
        """Before the object may be removed: what was not read yet is built again if needed."""
        self.stored = None


def column_batches(chunk: Chunk, column: ColumnEntry) -> Iterator[pa.Array]:
    """The column's values, hidden rows included."""
    name = physical_name(column)
    return (chunk.column(name, column.arrow, batch) for batch in range(chunk.batch_count))


def chunk_index(chunk: Chunk, entry: IndexEntry) -> ChunkIndex:
    """The chunk's own part of an index, perhaps not built yet. An id says which index only once it
    is committed: one that was rolled back may have left its part here."""
    found = chunk.indexes.get(entry.id)
    if found is None or not found.serves(entry):
        found = chunk.indexes[entry.id] = ChunkIndex(entry)
    return found


def indexed_column(table: TableEntry, entry: IndexEntry) -> ColumnEntry:
    return next(c for c in table.columns if c.id == entry.columns[0])
