"""Stored: the rows that a scan read, before they are what a fragment or a result wants.

A deferred column holds whole numbers in place of its values, which cost something to make: they are
made of the rows that need them, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.wide import Int64
from hartonomous.hql.operators.wide import Source as Values
from hartonomous.storage.table import Deferred

#: elements of deferred values that are made at once
ELEMENTS_MAX = 1 << 22


@frozen
class Stored:
    """`table`: the columns as they were read, by their names."""

    table: pa.Table
    deferred: Mapping[str, Deferred]

    @property
    def num_rows(self) -> int:
        count: int = self.table.num_rows
        return count

    @property
    def names(self) -> list[str]:
        names: list[str] = self.table.schema.names
        return names

    def column(self, name: str) -> pa.ChunkedArray:
        """The column as it was read: numbers, if it is deferred."""
        return self.table.column(name)

    def values(self, name: str, type_: pa.DataType) -> pa.ChunkedArray:
        """The values of a column, as `type_` if it is deferred."""
        if name not in self.deferred:
            return self.table.column(name)
        made = [b.column(0).cast(type_) for b in self.batches([name], self.table.num_rows)]
        return pa.chunked_array(made, type_)

    def select(self, names: Sequence[str]) -> Stored:
        deferred = {n: d for n, d in self.deferred.items() if n in names}
        return Stored(self.table.select(list(names)), deferred)

    def slice(self, start: int, count: int) -> Stored:
        return Stored(self.table.slice(start, count), self.deferred)

    def take(self, rows: Int64) -> Stored:
        """The rows at places, in their order."""
        if not len(rows):
            return self.slice(0, 0)
        columns = [Values(self.table.column(n).chunks).take(rows) for n in self.names]
        return Stored(pa.table(columns, names=self.names), self.deferred)

    def batches(self, names: Sequence[str], rows_max: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most so many rows with the values of these columns."""
        waiting = [n for n in names if n in self.deferred]
        for name in waiting:
            rows_max = min(rows_max, max(1, ELEMENTS_MAX // self.deferred[name].longest))
        for batch in self.table.select(list(names)).to_batches(max_chunksize=max(1, rows_max)):
            if not waiting:
                yield batch
                continue
            columns = [
                made_of(self.deferred[n], c) if n in self.deferred else c
                for n, c in zip(names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, names=list(names))


def made_of(deferred: Deferred, numbers: pa.Array) -> pa.Array:
    """The values of numbers, NULL for NULL."""
    if not numbers.null_count:
        return deferred.read(numbers.to_numpy())
    valid = numbers.is_valid().to_numpy(zero_copy_only=False)
    values = deferred.read(numbers.drop_null().to_numpy())
    places = np.zeros(len(numbers), np.int64)
    places[valid] = np.arange(len(values))
    return values.take(pa.array(places, mask=~valid))
