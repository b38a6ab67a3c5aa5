"""Rows in memory: the tail of a table (its rows lie in the WAL), or all of an in-memory one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from hartonomous.storage.chunk import BATCH_ROWS
from hartonomous.storage.physical import plain
from hartonomous.storage.statistics import ZoneMap, measure

#: below this, reading rows is cheaper than knowing their minimum and maximum
MEASURED_ROWS_MIN = 4096


class MemoryRows:
    """Record batches with physical column names, all but the last of 65,536 rows. `columns`: the
    columns of a single batch, if they are at hand (taking them out of it costs 2 µs each)."""

    is_mapped = False

    __slots__ = ("_columns", "_zone_maps", "batches", "count", "schema")

    def __init__(
        self,
        schema: pa.Schema,
        batches: Sequence[pa.RecordBatch],
        columns: Sequence[pa.Array] | None = None,
    ) -> None:
        self.schema = schema
        self.batches = batches
        self._columns = columns
        if len(batches) == 1:
            self.count: int = batches[0].num_rows
        else:
            assert columns is None
            assert all(b.num_rows == BATCH_ROWS for b in batches[:-1])
            self.count = sum(b.num_rows for b in batches)
        self._zone_maps: dict[str, ZoneMap] = {}

    @property
    def bytes(self) -> int:
        return sum(b.nbytes for b in self.batches)

    def open(self) -> None:
        """Nothing to open."""

    def column(self, name: str, batch: int) -> pa.Array | None:
        index = self.schema.get_field_index(name)
        if index < 0:
            return None
        return self.batches[batch].column(index) if self._columns is None else self._columns[index]

    def columns(self, batch: int) -> Sequence[pa.Array]:
        """All columns of one batch."""
        return self.batches[batch].columns if self._columns is None else self._columns

    def has(self, name: str) -> bool:
        return bool(self.schema.get_field_index(name) >= 0)

    def batch_bytes(self, name: str, batch: int) -> int:
        column = self.column(name, batch)
        return 0 if column is None else int(column.nbytes)

    def zone_map(self, name: str) -> ZoneMap | None:
        """Measured at the first question, and only for rows worth leaving out."""
        index = self.schema.get_field_index(name)
        if index < 0 or self.count < MEASURED_ROWS_MIN:
            return None
        found = self._zone_maps.get(name)
        if found is None:
            batches = [measure(plain(b.column(index))) for b in self.batches]
            found = self._zone_maps[name] = ZoneMap(self.schema.field(index).type, batches)
        return found


def rebatch(schema: pa.Schema, pieces: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows in batches of exactly 65,536, the last one shorter."""
    pieces = [p for p in pieces if p.num_rows]
    if len(pieces) == 1 and pieces[0].num_rows <= BATCH_ROWS:
        return list(pieces)
    table = pa.Table.from_batches(pieces, schema)
    return [one_batch(table.slice(start, BATCH_ROWS)) for start in range(0, len(table), BATCH_ROWS)]


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """A table's rows as one record batch."""
    arrays = [
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.num_chunks
        else pa.nulls(0, column.type)
        for column in table.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)
