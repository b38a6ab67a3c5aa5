"""NearestRows: the rows of a top-k scan as the statement's result, without the relational engine.

In: a scan whose rows come nearest first (topk.py). Out: columns of it in their declared types, less
the rows of OFFSET. To hand ten rows to the engine, have them sorted again and take them back costs
it a millisecond, as much as comparing 20,000 vectors. Memory: the k rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import BATCH_ROWS, Execution
from hartonomous.hql.operators.fragment import Count
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.rules.simple import value_of


@frozen
class NearestRows:
    """`names` are the scan's columns that the `fields` of the result stand for."""

    scan: ScanOperator
    names: tuple[str, ...]
    fields: tuple[p.Field, ...]
    offset: p.Expr | None
    counts: tuple[Count, ...]

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        for count in self.counts:
            count.check(execution)
        rows = self.scan.values(self.names, execution)
        execution.limits.account(rows.nbytes)
        skipped = 0 if self.offset is None else value_of(self.offset, execution.parameters)
        return self._batches(rows.slice(skipped), execution)

    def _batches(self, rows: pa.Table, execution: Execution) -> Iterator[pa.RecordBatch]:
        schema = p.schema_of(self.fields)
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            execution.limits.check()
            columns = [
                c if c.type.equals(f.type) else c.cast(f.type)
                for c, f in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
