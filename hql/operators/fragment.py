"""Fragment: one text run by the relational engine over registered Arrow tables.

In: scans and Arrow tables, registered under their relations' names; parameters; native values and
calls. Out: batches in the engine's types, columns by position, wide values as handles. Rows come
in the order the text asks for. The engine spills to disk within its memory limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.lower.native import CallSlot, ValueSlot
from hartonomous.hql.operators.arrow_input import ArrowInput
from hartonomous.hql.operators.base import BATCH_ROWS, Execution
from hartonomous.hql.operators.calls import BoundCall, value_of_slot
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.rules.simple import value_of


@dataclass(frozen=True, slots=True)
class Count:
    """A row count of LIMIT, OFFSET or TOP that is known when the statement starts."""

    expr: p.Expr
    is_percent: bool = False

    def check(self, execution: Execution) -> None:
        """BAD_VALUE for a count that is none."""
        value = value_of(self.expr, execution.parameters)
        top = 100 if self.is_percent else None
        if value is not None and value >= 0 and (top is None or value <= top):
            return
        what = "a percentage from 0 to 100" if self.is_percent else "a count of rows"
        raise ExecutionFault(
            f"{'NULL' if value is None else value} is not {what}",
            code="BAD_VALUE",
            line=self.expr.span.line,
            column=self.expr.span.column,
        )


@dataclass(frozen=True, slots=True)
class FragmentOperator:
    text: str
    inputs: tuple[ScanOperator | ArrowInput, ...]
    parameters: tuple[p.Parameter, ...]
    values: tuple[ValueSlot, ...]
    calls: tuple[CallSlot, ...]
    counts: tuple[Count, ...]
    batch_rows: int = BATCH_ROWS
