"""Gather: the last operator. Engine types become HQL's Arrow types, handles become values.

Columns in by position, out by position under the result's names; order and number of rows kept. A
column whose type is right already passes without a copy. Memory: the wide values of one batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution, Operator
from hartonomous.hql.types import Type


@frozen
class Gather:
    below: Operator
    fields: tuple[p.Field, ...]
    schema: pa.Schema

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        return self._finished(self.below.start(execution), execution)

    def _finished(
        self, below: Iterator[pa.RecordBatch], execution: Execution
    ) -> Iterator[pa.RecordBatch]:
        types = [f.type for f in self.fields]
        for batch in below:
            execution.limits.check()
            columns = [
                _finish(column, type_, execution)
                for column, type_ in zip(batch.columns, types, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _finish(column: pa.Array, type_: Type, execution: Execution) -> pa.Array:
    wanted = type_.arrow
    if type_.is_wide:
        gathered = execution.store.gather(column, wanted)
        execution.limits.account(execution.store.nbytes + gathered.nbytes)
        return gathered
    if column.type.equals(wanted):
        return column
    if type_.kind == "NULL":
        return pa.nulls(len(column))
    if type_.kind == "DATETIMEOFFSET":
        return column.view(wanted)
    return column.cast(wanted)
