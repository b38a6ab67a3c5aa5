"""FunctionRows: the rows of a native table function as they come, without the relational engine.

In: the values of its arguments. Out: columns of it in their declared types, each batch as soon as
the function gives it (a token of a trace is one), so that a long generation can be watched and
stopped. Memory: one batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.ast import Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.base import Function
from hartonomous.hql.operators.base import Execution, Figures
from hartonomous.hql.operators.evaluate import PLACED
from hartonomous.hql.rules.simple import value_of


@frozen
class FunctionRows:
    """`names` are the function's columns that the `fields` of the result stand for; the arguments
    are simple values."""

    function: Function
    arguments: tuple[p.Expr, ...]
    span: Span
    names: tuple[str, ...]
    fields: tuple[p.Field, ...]

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        values = [value_of(a, execution.parameters) for a in self.arguments]
        assert self.function.rows is not None, self.function.name
        return self._batches(self.function.rows(*values), execution)

    def _batches(
        self, rows: Iterator[pa.RecordBatch], execution: Execution
    ) -> Iterator[pa.RecordBatch]:
        schema = p.schema_of(self.fields)
        figures, before = Figures(), execution.asked()
        execution.closers.append(getattr(rows, "close", _nothing))  # notes what it did until then
        while True:
            execution.limits.check()
            started = time.perf_counter()
            batch = self._next(rows, execution)
            figures.seconds += time.perf_counter() - started
            if batch is None:
                break
            figures.rows += batch.num_rows
            figures.bytes += batch.nbytes
            columns = [
                c if c.type.equals(f.type) else c.cast(f.type)
                for c, f in zip((batch.column(n) for n in self.names), schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if execution.measured is not None:
            figures.requests = execution.asked_since(before)
            execution.measured.note(self, figures)

    def _next(self, rows: Iterator[pa.RecordBatch], execution: Execution) -> pa.RecordBatch | None:
        """The next batch; an error without a place gets the call's."""
        try:
            with execution.limits.lent():
                return next(rows, None)
        except PLACED as fault:
            if fault.line is None:
                fault.line, fault.column = self.span.line, self.span.column
            raise


def _nothing() -> None:
    """For rows that need no closing."""
