"""TopK: the k rows of a scan whose distance is smallest, without handing the scan to the engine.

In: the stored columns of the scan, and where there is a WHERE the ordinals of the rows that it lets
through (a fragment of its own, run first). Out: at most k rows, shaped as the scan's, with the
distance as a computed column. Exact: distances come from the function's own kernel, batch by batch,
ties break by row id. Memory: one batch and k rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.evaluate import evaluate
from hartonomous.hql.operators.wide import Int64, Source
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.rules.tree import columns_in
from hartonomous.kernels.topk import Smallest

if TYPE_CHECKING:
    from hartonomous.hql.operators.fragment import FragmentOperator
    from hartonomous.hql.operators.scan import ScanOperator

ROW_ID = "__row_id"
#: with a filter: the part of a batch's rows up to which they are copied out before the kernel runs
_SPARSE = 0.25


@frozen
class TopK:
    nearest: p.Nearest
    filter: FragmentOperator | None = None

    def table(self, scan: ScanOperator, stored: pa.Table, execution: Execution) -> pa.Table:
        """The nearest rows of `stored`, in no particular order."""
        count = sum(value_of(e, execution.parameters) for e in self.nearest.count)
        best = Smallest(min(count, stored.num_rows), self.nearest.nulls_first)
        expr = next(c.expr for c in scan.scan.computed if c.name == self.nearest.by)
        if best.capacity:
            for batch, first, rows in self._batches(stored, expr, execution):
                execution.limits.check()
                self._add(best, expr, batch, first, rows, execution)
        columns = [Source(c.chunks).take(best.places) for c in stored.columns if len(best.places)]
        kept = pa.table(columns, schema=stored.schema) if columns else stored.slice(0, 0)
        values = np.where(best.is_nan, np.nan, best.keys)
        distances = pa.array(values, mask=best.is_null)
        return scan.shape(kept, execution, {self.nearest.by: pa.chunked_array([distances])})

    def _batches(
        self, stored: pa.Table, expr: p.Expr, execution: Execution
    ) -> Iterator[tuple[pa.RecordBatch, int, Int64 | None]]:
        """Batches with the columns of the distance and row ids, the ordinal of their first row,
        and the offsets of the rows that the filter lets through (None: all)."""
        names = [*sorted({c.name for c in columns_in(expr)}), ROW_ID]
        passed = None if self.filter is None else self._passed(execution)
        first = 0
        for batch in stored.select(names).to_batches():
            rows = None
            if passed is not None:
                low, high = np.searchsorted(passed, (first, first + batch.num_rows))
                rows = passed[low:high] - first
            if rows is None or len(rows):
                yield batch, first, rows
            first += batch.num_rows

    def _passed(self, execution: Execution) -> Int64:
        assert self.filter is not None
        parts = [b.column(0).to_numpy() for b in self.filter.start(execution)]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _add(
        self,
        best: Smallest,
        expr: p.Expr,
        batch: pa.RecordBatch,
        first: int,
        rows: Int64 | None,
        execution: Execution,
    ) -> None:
        places = np.arange(first, first + batch.num_rows) if rows is None else rows + first
        columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
        row_ids = columns[ROW_ID].to_numpy()
        is_sparse = rows is not None and len(rows) < _SPARSE * batch.num_rows
        if rows is not None:
            row_ids = row_ids[rows]
        if rows is not None and is_sparse:
            columns = {n: Source([c]).take(rows) for n, c in columns.items()}
        distances = evaluate(expr, columns, execution.parameters)
        if rows is not None and not is_sparse:
            distances = distances.take(pa.array(rows))
        nulls = None
        if distances.null_count:
            nulls = distances.is_null().to_numpy(zero_copy_only=False)
            distances = distances.fill_null(0.0)
        best.add(distances.to_numpy(), nulls, row_ids, places)
