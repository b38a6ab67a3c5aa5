"""Native functions over Arrow arrays: expression in, array out.

An expression here is a native call, a column of the batch at hand, or a value known beforehand.
Kernels get columns as arrays and values as scalars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.errors import BindFault, ExecutionFault, NotSupported
from hartonomous.hql.operators.base import BATCH_ROWS
from hartonomous.hql.operators.values import as_scalar
from hartonomous.hql.rules.simple import is_simple, value_of

#: what a kernel raises that has the call's place in the text, unless it has one already; names that
#: only have a value now (models) may turn out unknown
PLACED: Final = (BindFault, ExecutionFault, NotSupported)


def evaluate(
    expr: p.Expr, columns: Mapping[str, pa.Array], parameters: Mapping[str, Any]
) -> pa.Array | pa.Scalar:
    """The value of `expr` for each row of `columns`; a scalar if it reads no column. Raises what
    the kernel raises, with the call's place in the text."""
    if isinstance(expr, p.Column):
        return columns[expr.name]
    if is_simple(expr):
        return as_scalar(value_of(expr, parameters), expr.type)
    assert isinstance(expr, p.Call) and expr.function.kernel is not None, expr
    arguments = [evaluate(a, columns, parameters) for a in expr.arguments]
    result = call_kernel(expr, arguments)
    is_known = all(isinstance(a, pa.Scalar) for a in arguments)
    return result[0] if is_known and not isinstance(result, pa.Scalar) else result


def rows_at_once(expr: p.Expr) -> int:
    """How many rows to evaluate `expr` over between two looks at the statement's limits."""
    if not isinstance(expr, p.Call):
        return BATCH_ROWS
    return min([expr.function.batch_rows, *(rows_at_once(a) for a in expr.arguments)])


def call_kernel(expr: p.Call, arguments: list[Any]) -> Any:
    """One kernel call; an error without a place gets the call's."""
    assert expr.function.kernel is not None
    try:
        return expr.function.kernel(*arguments)
    except PLACED as fault:
        if fault.line is None:
            fault.line, fault.column = expr.span.line, expr.span.column
        raise
