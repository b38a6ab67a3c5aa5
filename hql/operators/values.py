"""Values without rows: Python's form to Arrow's, and native functions of them.

Python's form is that of plan.Constant. Also here: a whole VALUES or SELECT of constants and
parameters as a record batch, without the engine (INSERT of single rows and SELECT 1 live on that).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.geometry_value import array_of_values
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.rules.simple import is_simple, value_of
from hartonomous.hql.types import Type


def as_array(values: list[Any], type_: Type) -> pa.Array:
    """Values in Python's form as an array of the type's Arrow type."""
    arrow = type_.arrow
    if type_.kind == "VECTOR":
        plain = [None if v is None else np.asarray(v, np.float32) for v in values]
        return pa.array(plain, arrow)
    if type_.kind == "GEOMETRY":
        return array_of_values(values)
    if type_.kind == "DATETIMEOFFSET":
        values = [v.replace(tzinfo=UTC) if _is_naive(v) else v for v in values]
    return pa.array(values, arrow)


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is None


def as_scalar(value: Any, type_: Type) -> pa.Scalar:
    """One value as an Arrow scalar, as kernels take constants."""
    return as_array([value], type_)[0]


def column_value(value: Any, arrow: pa.DataType) -> tuple[bool, Any]:
    """A value that is compared with a column, as a value of the column's own type; False if it has
    no exact counterpart there (a number out of range or between two of the column's)."""
    if value is None:
        return True, None
    if pa.types.is_integer(arrow):
        if isinstance(value, bool) or value != value or value in (np.inf, -np.inf):
            return False, None
        whole = int(value)
        limit = 1 << (arrow.bit_width - 1)
        return (whole == value and -limit <= whole < limit), whole
    if pa.types.is_floating(arrow):
        number = float(value)
        return number == value, number
    if pa.types.is_decimal(arrow):
        if isinstance(value, float):
            return False, None
        number_ = Decimal(value)
        exponent = number_.as_tuple().exponent
        fits = isinstance(exponent, int) and -exponent <= arrow.scale
        return fits and number_.adjusted() < arrow.precision - arrow.scale, number_
    return True, value


@frozen
class SimpleValues:
    """Rows whose cells are all simple, in the schema's types, which are those of the fields."""

    rows: tuple[tuple[p.Expr, ...], ...]
    fields: tuple[p.Field, ...]
    schema: pa.Schema

    def start(self, execution: Execution) -> Iterator[pa.RecordBatch]:
        columns = []
        for place, field in enumerate(self.fields):
            cells = [value_of(row[place], execution.parameters) for row in self.rows]
            columns.append(as_array(cells, field.type))
        return iter((pa.RecordBatch.from_arrays(columns, schema=self.schema),))


def simple_rows(plan: p.Plan) -> tuple[tuple[p.Expr, ...], ...] | None:
    """The cells of a plan that is a VALUES, or a SELECT without FROM, of simple cells and nothing
    else; None if it is another."""
    body = plan.body
    bare = not plan.ctes and not plan.order_by and plan.limit is None and plan.offset is None
    if not bare or plan.json is not None:
        return None
    if isinstance(body, p.ValuesBlock):
        rows = body.rows
    elif isinstance(body, p.SelectBlock) and _is_row(body):
        rows = (tuple([output.expr for output in body.outputs]),)
    else:
        return None
    return rows if all(is_simple(cell) for row in rows for cell in row) else None


def _is_row(block: p.SelectBlock) -> bool:
    """Whether a block is one row, made of nothing but its outputs."""
    is_grouped = block.group_by is not None or block.having is not None
    return block.source is None and block.where is None and not is_grouped
