"""SoughtRows: columns of the rows that a key or an index finds, without the relational engine.

In: a scan with a lookup or a seek. Out: columns of it in their declared types, of the rows within
all `tests`. Where an index does not pay, or a value is compared that a column's type cannot hold,
the operators in `otherwise` do it. Memory: the rows found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.operators.base import BATCH_ROWS, Execution, Figures, Operator
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.operators.values import as_array, column_value
from hartonomous.hql.rules.simple import value_of
from hartonomous.storage.access.key_words import NULL_WORD, is_bytes, is_exact, words_of

Mask = npt.NDArray[np.bool_]


@frozen
class SoughtRows:
    """`names` are the scan's columns that the result's are, or simple values."""

    scan: ScanOperator
    names: tuple[str | p.Expr, ...]
    tests: tuple[p.Range, ...]
    schema: pa.Schema
    otherwise: Operator

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        rows = self._rows(execution)
        return self.otherwise.start(execution) if rows is None else _batches(rows, execution)

    def _rows(self, execution: Execution) -> pa.RecordBatch | None:
        started = time.perf_counter()
        bounds = [_Bounds.of(t, self.scan, execution) for t in self.tests]
        known = [b for b in bounds if b is not None]
        if len(known) < len(bounds):
            return None
        names = [n for n in self.names if isinstance(n, str)]
        names = list(dict.fromkeys([*names, *(b.column for b in known)]))
        found = self.scan.sought(names, execution)
        if found is None:
            return None
        columns, count = dict(zip(names, map(plain, found.columns), strict=True)), found.count
        for bound in known:
            keep = bound.holds(columns[bound.column])
            if not keep.all():
                mask, count = pa.array(keep), int(keep.sum())
                columns = {name: values.filter(mask) for name, values in columns.items()}
        if execution.measured is not None:
            figures = Figures(rows=count, seconds=time.perf_counter() - started)
            figures.bytes = sum(values.nbytes for values in columns.values())
            figures.index_entries = found.entries
            execution.measured.note(self.scan, figures)
        out = [
            columns[n] if isinstance(n, str) else _repeated(n, count, execution) for n in self.names
        ]
        right = [
            c if c.type.equals(t) else c.cast(t)
            for c, t in zip(out, self.schema.types, strict=True)
        ]
        return pa.RecordBatch.from_arrays(right, schema=self.schema)


def _batches(rows: pa.RecordBatch, execution: Execution) -> Iterator[pa.RecordBatch]:
    execution.limits.account(rows.nbytes)
    for start in range(0, rows.num_rows, BATCH_ROWS):
        execution.limits.check()
        yield rows.slice(start, BATCH_ROWS)


def _repeated(expr: p.Expr, count: int, execution: Execution) -> pa.Array:
    """A simple value for every row."""
    value = as_array([value_of(expr, execution.parameters)], expr.type)
    return value if count == 1 else value.take(pa.array(np.zeros(count, np.int64)))


@frozen
class _Bounds:
    """A range whose values are known and are of the column's type. `never`: no row is within."""

    column: str
    test: p.Range
    low: pa.Array | None = None
    high: pa.Array | None = None
    values: pa.Array | None = None
    never: bool = False

    @staticmethod
    def of(test: p.Range, scan: ScanOperator, execution: Execution) -> _Bounds | None:
        """None where a value is none of the column's."""
        entry = scan.scan.table.find_column(test.column)
        assert entry is not None, test.column
        ends: list[Any] = []
        for end in (test.low, test.high, *(test.values or ())):
            if end is None:
                ends.append(None)
                continue
            value = value_of(end, execution.parameters)
            if value is None and test.values is None:
                return _Bounds(test.column, test, never=True)
            fits, value = column_value(value, entry.arrow)
            if not fits:
                return None
            ends.append(value)
        arrow = pa.float64() if pa.types.is_floating(entry.arrow) else entry.arrow
        low, high = (None if e is None else pa.array([e], arrow) for e in ends[:2])
        values = pa.array([v for v in ends[2:] if v is not None], arrow) if test.values else None
        given = [v for v in (low, high, values) if v is not None]
        if not is_bytes(arrow) and not all(is_exact(words_of(v), arrow).all() for v in given):
            return None
        return _Bounds(test.column, test, low, high, values)

    def holds(self, values: pa.Array) -> Mask:
        """bool[N]: of which values the test is true."""
        if self.never:
            return np.zeros(len(values), np.bool_)
        if self.test.is_null:
            return np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
        return self._in_bytes(values) if is_bytes(values.type) else self._in_words(values)

    def _in_words(self, column: pa.Array) -> Mask:
        words = words_of(column)
        keep = np.not_equal(words, NULL_WORD)
        if self.values is not None:
            return keep & np.isin(words, words_of(self.values))
        if self.low is not None:
            low = words_of(self.low)[0]
            keep &= words > low if self.test.low_open else words >= low
        if self.high is not None:
            high = words_of(self.high)[0]
            keep &= words < high if self.test.high_open else words <= high
        return keep

    def _in_bytes(self, column: pa.Array) -> Mask:
        import pyarrow.compute as pc

        if self.values is not None:
            found = [pc.is_in(column, value_set=self.values)]
        else:
            found = []
            if self.low is not None:
                above = pc.greater if self.test.low_open else pc.greater_equal
                found.append(above(column, self.low[0]))
            if self.high is not None:
                below = pc.less if self.test.high_open else pc.less_equal
                found.append(below(column, self.high[0]))
        keep = np.ones(len(column), np.bool_)
        for test in found:
            keep &= test.fill_null(False).to_numpy(zero_copy_only=False)
        return keep
