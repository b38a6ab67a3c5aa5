"""TopK: the k rows of a scan whose distance is smallest, without handing the scan to the engine.

In: the stored columns of the scan, and where there is a WHERE the ordinals of the rows that it lets
through (a fragment of its own, run first). Out: at most k rows, nearest first, shaped as the
scan's, with the distance as a computed column. Exact: distances come from the function's own
kernel, batch by batch, ties break by row id. Memory: one batch and k rows. Where many vectors are
compared with one, a pass in float32 (kernels/nearest.py, all threads) first finds the few rows that
can be among the k.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.engine import relational
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.vector_arrays import vector_of
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.evaluate import call_kernel, evaluate, rows_at_once
from hartonomous.hql.operators.stored import Stored
from hartonomous.hql.operators.wide import Int64, Source
from hartonomous.hql.rules.simple import is_known, value_of
from hartonomous.hql.rules.tree import columns_in
from hartonomous.kernels import nearest
from hartonomous.kernels.distance import is_compiled_worth
from hartonomous.kernels.topk import Smallest

if TYPE_CHECKING:
    from hartonomous.hql.operators.fragment import FragmentOperator
    from hartonomous.hql.operators.scan import Form

ROW_ID = "__row_id"
#: with a filter: the part of a batch's rows up to which they are copied out before the kernel runs
_SPARSE = 0.25


@frozen
class TopK:
    nearest: p.Nearest
    filter: FragmentOperator | None = None

    def count(self, execution: Execution) -> int:
        """How many rows are wanted at most."""
        return sum(value_of(e, execution.parameters) for e in self.nearest.count)

    def passed(self, execution: Execution) -> Int64:
        """The ordinals of the rows that the filter lets through, ascending."""
        assert self.filter is not None
        parts = [b.column(0).to_numpy() for b in self.filter.start(execution)]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def table(
        self,
        scan: p.Scan,
        stored: Stored,
        passed: Int64 | None,
        form: Form,
        execution: Execution,
    ) -> pa.Table:
        """The nearest rows of `stored` as `form` makes them, nearest first; of those at the
        ordinals `passed` (None: all)."""
        count = self.count(execution)
        best = Smallest(min(count, stored.num_rows), self.nearest.nulls_first)
        expr = next(c.expr for c in scan.computed if c.name == self.nearest.by)
        assert isinstance(expr, p.Call), expr
        if best.capacity:
            distance = _Distance(expr, execution)
            for batch, places, rows in self._near(stored, distance, passed, best, execution):
                execution.limits.check()
                self._add(best, distance, batch, places, rows)
        kept = stored.select(self._wanted(scan, stored)).take(best.places)
        values = np.where(best.is_nan, np.nan, best.keys)
        distances = pa.array(values, mask=best.is_null)
        return form(kept, execution, {self.nearest.by: pa.chunked_array([distances])})

    def _wanted(self, scan: p.Scan, stored: Stored) -> list[str]:
        """The stored columns but those that only the distance reads."""
        others = [c for c in scan.computed if c.name != self.nearest.by]
        above = {f.name for f in scan.fields} | {c.name for c in columns_in(tuple(others))}
        read = {f.name for f in scan.table.columns} - above
        return [n for n in stored.names if n not in read]

    def _near(
        self,
        stored: Stored,
        distance: _Distance,
        passed: Int64 | None,
        best: Smallest,
        execution: Execution,
    ) -> Iterable[_Batch]:
        """Batches without rows that cannot be among the nearest, as far as that is easily seen."""
        names = [*sorted({c.name for c in columns_in(distance.expr)}), ROW_ID]
        stored = stored.select(names)
        if not stored.deferred:
            return _near(_batches(stored, distance, passed), distance, best.capacity, execution)
        # nothing is made of rows that the filter keeps back: their vectors may be of any length
        places = np.arange(stored.num_rows) if passed is None else passed
        batches = _batches(stored if passed is None else stored.take(passed), distance, None)
        return ((batch, places[at], None) for batch, at, _ in batches)

    def _add(
        self,
        best: Smallest,
        distance: _Distance,
        batch: pa.RecordBatch,
        places: Int64,
        rows: Int64 | None,
    ) -> None:
        places = places if rows is None else places[rows]
        columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
        row_ids = columns.pop(ROW_ID).to_numpy()
        is_sparse = rows is not None and len(rows) < _SPARSE * batch.num_rows
        if rows is not None:
            row_ids = row_ids[rows]
        if rows is not None and is_sparse:
            columns = {n: Source([c]).take(rows) for n, c in columns.items()}
        distances = distance.over(columns)
        if rows is not None and not is_sparse:
            distances = distances.take(pa.array(rows))
        nulls = None
        if distances.null_count:
            nulls = distances.is_null().to_numpy(zero_copy_only=False)
            distances = distances.fill_null(0.0)
        best.add(distances.to_numpy(), nulls, row_ids, places)


class _Distance:
    """The distance of a scan's rows; its arguments that need no row are computed once."""

    def __init__(self, expr: p.Call, execution: Execution) -> None:
        self.expr, self._parameters = expr, execution.parameters
        self._known: list[pa.Scalar | None] = [
            evaluate(a, {}, self._parameters) if is_known(a) else None for a in expr.arguments
        ]

    def rows_at_once(self) -> int:
        of_rows = [a for a, k in zip(self.expr.arguments, self._known, strict=True) if k is None]
        return min([self.expr.function.batch_rows, *map(rows_at_once, of_rows)])

    def over(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """float64[N] for the rows of these columns."""
        arguments = [
            evaluate(a, columns, self._parameters) if known is None else known
            for a, known in zip(self.expr.arguments, self._known, strict=True)
        ]
        return call_kernel(self.expr, arguments)

    def query(self) -> tuple[str, str, npt.NDArray[np.float32]] | None:
        """Metric, column and vector of VECTOR_DISTANCE between a column and a known vector."""
        if self.expr.function.name != "VECTOR_DISTANCE":
            return None
        column = next(a for a, k in zip(self.expr.arguments, self._known, strict=True) if k is None)
        metric, vector = (k for k in self._known if k is not None)
        if not isinstance(column, p.Column) or not vector.is_valid:
            return None
        return metric.as_py(), column.name, vector_of(vector)


#: the columns of the distance and row ids; the rows' ordinals in the scan; the offsets of those
#: that count (None: all)
_Batch = tuple[pa.RecordBatch, Int64, Int64 | None]


def _batches(stored: Stored, distance: _Distance, passed: Int64 | None) -> Iterator[_Batch]:
    """Batches of the rows at the ordinals `passed` (None: all)."""
    first = 0
    for batch in stored.batches(stored.names, distance.rows_at_once()):
        rows = None
        if passed is not None:
            low, high = np.searchsorted(passed, (first, first + batch.num_rows))
            rows = passed[low:high] - first
        if rows is None or len(rows):
            yield batch, np.arange(first, first + batch.num_rows), rows
        first += batch.num_rows


def _near(
    batches: Iterator[_Batch], distance: _Distance, count: int, execution: Execution
) -> Iterable[_Batch]:
    """The batches with fewer rows: only those that can be among the `count` nearest."""
    query = distance.query()
    if query is None or count > nearest.COUNT_MAX:
        return batches
    metric, name, vector = query
    kept = list(batches)
    matrices = [_matrix(batch.column(name)) for batch, _, _ in kept]
    if any(m is None or m.shape[1:] != vector.shape for m in matrices):
        return kept
    if not is_compiled_worth(sum(m.size for m in matrices if m is not None)):
        return kept
    pieces: list[nearest.Piece] = []
    owners: list[tuple[int, int]] = []  # of each piece: its batch, and the row it begins with
    for number, (matrix, (_, _, rows)) in enumerate(zip(matrices, kept, strict=True)):
        assert matrix is not None
        for start in range(0, len(matrix if rows is None else rows), nearest.PIECE_ROWS):
            part = slice(start, start + nearest.PIECE_ROWS)
            pieces.append((matrix[part], None) if rows is None else (matrix, rows[part]))
            owners.append((number, start if rows is None else 0))
    threads = relational.engine().threads
    found = nearest.candidates(metric, pieces, vector, count, threads, execution.limits.check)
    if found is None:
        return kept
    chosen: list[list[Int64]] = [[] for _ in kept]
    for (number, start), rows in zip(owners, found, strict=True):
        chosen[number].append(rows + start)
    return [
        (batch, places, rows)
        for (batch, places, _), parts in zip(kept, chosen, strict=True)
        if parts and len(rows := np.concatenate(parts))
    ]


def _matrix(array: pa.Array) -> npt.NDArray[np.float32] | None:
    """float32[N,D] of vectors of one length without NULLs; None of any others."""
    if not pa.types.is_fixed_size_list(array.type) or array.null_count:
        return None
    flat = array.flatten()
    if flat.null_count:
        return None
    matrix: npt.NDArray[np.float32] = flat.to_numpy().reshape(len(array), array.type.list_size)
    return matrix
