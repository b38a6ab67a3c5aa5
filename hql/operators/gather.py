"""Gather: the last operator. Engine types become HQL's Arrow types, handles become values.

Columns in by position, out by position under the result's names; order and number of rows kept. A
column whose type is right already passes without a copy. Memory: the wide values of one batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution, Figures, Operator
from hartonomous.hql.operators.stored import ELEMENTS_MAX
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
        wide = [i for i, t in enumerate(types) if t.is_wide]
        figures = Figures()
        for batch in _pieces(below, execution):
            execution.limits.check()
            started = time.perf_counter()
            columns = [
                _finish(column, type_, execution)
                for column, type_ in zip(batch.columns, types, strict=True)
            ]
            figures.seconds += time.perf_counter() - started
            if execution.measured is not None:
                figures.rows += batch.num_rows
                figures.bytes += sum(columns[i].nbytes for i in wide)
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if execution.measured is not None:
            execution.measured.note(self, figures)


def _pieces(below: Iterator[pa.RecordBatch], execution: Execution) -> Iterator[pa.RecordBatch]:
    """The batches, in pieces where wide values are made only now and are long."""
    for batch in below:
        rows = execution.store.rows_at_once(ELEMENTS_MAX)
        if rows is None or rows >= batch.num_rows:
            yield batch
        else:
            yield from (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))


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
