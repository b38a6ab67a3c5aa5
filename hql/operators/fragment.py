"""Fragment: one text run by the relational engine over registered Arrow tables.

In: scans and Arrow tables, registered under their relations' names; parameters; native values and
calls. Out: batches in the engine's types, columns by position, wide values as handles. Rows come
in the order the text asks for. The engine spills to disk within its memory limit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.engine.native_calls import NATIVE_CALLS
from hartonomous.hql.engine.relational import Cursor, Stream
from hartonomous.hql.engine.render import parameter_name
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.arrow_input import ArrowInput
from hartonomous.hql.operators.base import BATCH_BYTES, BATCH_ROWS, Execution, Figures
from hartonomous.hql.operators.calls import BoundCall, value_of_slot
from hartonomous.hql.operators.coefficients import CoefficientsOperator
from hartonomous.hql.operators.pairs import PairsOperator
from hartonomous.hql.operators.pool import CursorPool, Slot, is_small
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.operators.slots import CallSlot, ValueSlot
from hartonomous.hql.scripts.quick import Quick, Unsure

if TYPE_CHECKING:
    from hartonomous.hql.models.requests import Progress

#: what gives the rows that a fragment reads
Input = ScanOperator | ArrowInput | CoefficientsOperator | PairsOperator


#: rows that the engine computes at once
VECTOR_ROWS = 2_048
#: bytes that a value of a type without a greatest length is taken to have
LENGTH = 1_024


@frozen
class Count:
    """A row count of LIMIT, OFFSET or TOP that is known when the statement starts; `value` makes it
    of the parameters."""

    expr: p.Expr
    value: Quick = field(compare=False, repr=False)
    is_percent: bool = False

    @staticmethod
    def what(is_percent: bool) -> str:
        """What it has to be."""
        return "a percentage from 0 to 100" if is_percent else "a count of rows"

    def check(self, execution: Execution) -> None:
        """BAD_VALUE for a count that is none."""
        try:
            value = self.value(execution.parameters)
        except Unsure:  # it overflows: the engine says so
            return
        most = 100 if self.is_percent else None
        if value is not None and value >= 0 and (most is None or value <= most):
            return
        raise ExecutionFault(
            f"{'NULL' if value is None else value} is not {self.what(self.is_percent)}",
            code="BAD_VALUE",
            line=self.expr.span.line,
            column=self.expr.span.column,
        )


@frozen
class FragmentOperator:
    """`text` reads the `inputs` as `r<relation>` and names `parameters`, `values` and the numbers
    of `calls` with a dollar sign. `plan` is what errors are placed by."""

    text: str
    plan: p.Plan
    inputs: tuple[Input, ...]
    parameters: tuple[p.Parameter, ...]
    values: tuple[ValueSlot, ...]
    calls: tuple[CallSlot, ...]
    counts: tuple[Count, ...]
    pool: CursorPool = field(default_factory=CursorPool, compare=False, repr=False)

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        for count in self.counts:
            count.check(execution)
        tables = self.tables(execution)
        before = execution.asked()  # scans have said what they asked themselves
        slots: dict[str, Slot] | None = None
        is_usual = execution.limits.memory_bytes is None and execution.measured is None
        if is_usual and is_small(tables):
            cursor, slots = self.pool.take(tables)
            execution.closers.append(cursor.close)
        else:
            cursor = _register(tables, execution)
        bound = self.bind(execution)
        started = time.perf_counter()
        with execution.limits.interrupting(cursor.interrupt):
            stream = cursor.stream(self.text, bound, plan=self.plan, batch_rows=self.batch_rows)
        if execution.measured is not None:
            figures = Figures(seconds=time.perf_counter() - started, bound=bound)
            return self._measured(cursor, stream, figures, before, execution)
        return self._batches(cursor, stream, slots, execution)

    @property
    def batch_rows(self) -> int:
        """How many rows leave the engine at once: a power of two, whole vectors of the engine."""
        texts = [f.type.a or LENGTH for f in self.plan.fields if f.type.has_length]
        rows = max(1, BATCH_BYTES // sum(texts)) if texts else BATCH_ROWS
        return max(VECTOR_ROWS, min(BATCH_ROWS, 1 << rows.bit_length() - 1))

    def open(self, execution: Execution) -> tuple[Cursor, dict[str, Any]]:
        """For EXPLAIN: a cursor with everything registered, and the values of the text's
        parameters; both live until the execution is closed. Native functions of scans are not
        computed."""
        for count in self.counts:
            count.check(execution)
        return _register(self.tables(execution, is_preview=True), execution), self.bind(execution)

    def tables(self, execution: Execution, is_preview: bool = False) -> dict[str, Any]:
        """What the text reads, by name."""
        tables: dict[str, Any] = {}
        for source in self.inputs:
            execution.limits.check()
            rows = source.preview(execution) if is_preview else source.table(execution)
            tables[f"r{source.relation}"] = rows
        return tables

    def bind(self, execution: Execution) -> dict[str, Any]:
        """What stands for each name with a dollar sign."""
        given = execution.parameters
        bound = {parameter_name(x.name): given[x.name] for x in self.parameters}
        for value in self.values:
            bound[value.name] = value_of_slot(value, execution)
        for call in self.calls:
            number = NATIVE_CALLS.register(BoundCall(call, execution))
            execution.closers.append(partial(NATIVE_CALLS.release, number))
            bound[call.name] = number
        return bound

    def _batches(
        self,
        cursor: Cursor,
        stream: Stream,
        slots: dict[str, Slot] | None,
        execution: Execution,
    ) -> Iterator[pa.RecordBatch]:
        limits = execution.limits
        while True:
            with limits.interrupting(cursor.interrupt):
                batch = next(stream, None)
            if batch is None:
                break
            yield batch
        if slots is not None and cursor.close in execution.closers:
            execution.closers.remove(cursor.close)
            stream.close()
            self.pool.give_back(cursor, slots)

    def _measured(
        self,
        cursor: Cursor,
        stream: Stream,
        figures: Figures,
        before: Progress,
        execution: Execution,
    ) -> Iterator[pa.RecordBatch]:
        """The batches, with the time that the engine takes to make each; at their end its account
        of them."""
        batches = self._batches(cursor, stream, None, execution)
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            figures.seconds += time.perf_counter() - started
            if batch is None:
                break
            figures.rows += batch.num_rows
            yield batch
        stream.close()
        figures.profile = cursor.profile()
        figures.requests = execution.asked_since(before)
        assert execution.measured is not None
        execution.measured.note(self, figures)


def _register(tables: dict[str, Any], execution: Execution) -> Cursor:
    cursor = execution.cursor()
    for name, rows in tables.items():
        cursor.register(name, rows)
    return cursor
