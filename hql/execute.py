"""Running a bound query: prepare once, start often, pull Arrow batches.

    prepare(bound)   → PreparedPlan   rules and lowering; depends on the catalog, not on data
    prepared.start() → Stream         one run over a snapshot or transaction

A stream holds its snapshot, its engine cursor and its wide values until it is exhausted, fails or
is closed. Reading happens in the thread that pulls; `limits.cancel()` may come from any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.lower import lower
from hartonomous.hql.lower.normalise import normalise
from hartonomous.hql.operators.base import Execution, Measured, Operator, Source
from hartonomous.hql.operators.sought_rows import SoughtRows
from hartonomous.hql.operators.values import SimpleValues
from hartonomous.hql.rules import apply_rules
from hartonomous.hql.rules.simple import is_simple, value_of

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.limits import Limits

Tables = Mapping[str, Callable[[], pa.Table | pa.RecordBatchReader]]


class Stream:
    """The rows of a running query. Iterate once; close it if not to the end."""

    def __init__(
        self, fields: tuple[p.Field, ...], batches: Iterator[pa.RecordBatch], execution: Execution
    ) -> None:
        self.fields = fields
        self.schema = p.schema_of(fields)
        self._batches: Iterator[pa.RecordBatch] | None = batches
        self._execution = execution

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        if self._batches is None:
            raise StopIteration
        try:
            return next(self._batches)
        except BaseException:
            self.close()  # StopIteration too: nothing is left to hold
            raise

    @property
    def is_calling(self) -> bool:
        """Whether the rows need users' functions."""
        return self._execution.is_calling

    def read_all(self) -> pa.Table:
        """All rows not taken yet."""
        return pa.Table.from_batches(list(self), schema=self.schema)

    def close(self) -> None:
        """Lets go of the snapshot and the engine's cursor. Idempotent."""
        self._batches = None
        self._execution.close()


@frozen
class PreparedPlan:
    """A plan after its rules, and the operators that run it. Holds for one catalog version; may be
    started by several threads at once."""

    bound: p.BoundQuery
    plan: p.Plan
    operator: Operator

    def start(
        self,
        source: Source,
        parameters: Mapping[str, Any],
        limits: Limits,
        tables: Tables | None = None,
        *,
        measured: Measured | None = None,
        context: Context | None = None,
    ) -> Stream:
        """Begins a run: scans are taken from `source` now, rows are computed as they are pulled.
        `parameters` are values in Constant's form, `tables` the rows of Arrow sources by key;
        `measured` takes the operators' figures once all rows are pulled; users' functions run in
        `context`."""
        self.tighten(limits, parameters)
        limits.start()
        execution = Execution(
            source, parameters, limits, tables or {}, measured=measured, context=context
        )
        try:
            batches = self.operator.start(execution)
        except BaseException:
            execution.close()
            raise
        return Stream(self.plan.fields, batches, execution)

    @property
    def is_bounded(self) -> bool:
        """Whether it is the work of a row or so, whatever its parameters: a row of values, a row by
        its key."""
        operator = self.operator
        if isinstance(operator, SoughtRows):
            return operator.scan.scan.lookup is not None
        return isinstance(operator, SimpleValues) and len(operator.rows) == 1

    def tighten(self, limits: Limits, parameters: Mapping[str, Any]) -> None:
        """Brings the limits down to those of OPTION."""
        options = {k: _option(v, parameters) for k, v in self.plan.options}
        limits.tighten(timeout=options.get("TIMEOUT"), memory_bytes=options.get("MEMORY"))


def prepare(bound: p.BoundQuery, *, off: Collection[str] = ()) -> PreparedPlan:
    """Rules (but those named in `off`) and lowering."""
    plan = apply_rules(normalise(bound.plan), off)
    return PreparedPlan(bound, plan, lower(plan))


def execute(
    bound: p.BoundQuery,
    source: Source,
    parameters: Mapping[str, Any],
    limits: Limits,
    *,
    tables: Tables | None = None,
    off: Collection[str] = (),
) -> Stream:
    """prepare and start, for a query that runs once."""
    return prepare(bound, off=off).start(source, parameters, limits, tables)


def _option(value: Any, parameters: Mapping[str, Any]) -> Any:
    if isinstance(value, p.Expr) and is_simple(value):
        return value_of(value, parameters)
    return value
