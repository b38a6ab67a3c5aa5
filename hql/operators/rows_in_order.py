"""RowsInOrder: columns of the first rows in the order of an index, without the relational engine.

In: a scan with `first` whose index settles the whole order. Out: columns of it in their declared
types, in that order, from the plan's offset on. Where the index does not pay the operators in
`otherwise` do it. Memory: the rows found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.operators.base import BATCH_ROWS, Execution, Figures, Operator
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.rules.simple import value_of


@frozen
class RowsInOrder:
    """`names` are the scan's columns that the result's columns are."""

    scan: ScanOperator
    names: tuple[str, ...]
    offset: p.Expr | None
    schema: pa.Schema
    otherwise: Operator

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        from hartonomous.hql.operators.first_rows import find_first

        started = time.perf_counter()
        view = view_of(self.scan.scan.table, execution.at(self.scan.scan.moment))
        found = find_first(self.scan, view, execution)
        if found is None:
            return self.otherwise.start(execution)
        skipped = 0 if self.offset is None else value_of(self.offset, execution.parameters)
        addresses = found.addresses[skipped:]
        columns = [view.gather(name, addresses) for name in self.names]
        types = self.schema.types
        arrays = [c if c.type.equals(t) else c.cast(t) for c, t in zip(columns, types, strict=True)]
        rows = pa.Table.from_arrays(arrays, schema=self.schema)
        if execution.measured is not None:
            figures = Figures(rows=rows.num_rows, seconds=time.perf_counter() - started)
            figures.bytes, figures.index_entries = rows.nbytes, found.entries
            execution.measured.note(self.scan, figures)
        return self._batches(rows, execution)

    def _batches(self, rows: pa.Table, execution: Execution) -> Iterator[pa.RecordBatch]:
        execution.limits.account(rows.nbytes)
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            execution.limits.check()
            yield batch
