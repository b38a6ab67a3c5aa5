"""SystemTable: a system table that is computed when it is asked for, and how one is written down.

    def _schemas(context: Context) -> list[Row]:
        return [(entry.id, entry.name) for entry in …]

    SCHEMAS = of_tuples(_schemas, schema_id=BIGINT, name=NVARCHAR)

A table with many rows, or with values that Arrow does not make of Python's, gives an Arrow table of
its own instead: `SystemTable(fields(…), rows)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

#: the values of one row, in the columns' order
Row = tuple[Any, ...]


@frozen
class SystemTable:
    """Columns, and what computes the rows: an Arrow table with the schema of `fields`. `right` is
    what reading it needs on the database; what needs none shows what the account may know of."""

    fields: tuple[Field, ...]
    rows: Callable[[Context], pa.Table]
    right: str = ""


def fields(**types: Type) -> tuple[Field, ...]:
    """Columns by name, in the order written."""
    return tuple(Field(name, type_) for name, type_ in types.items())


def needing(right: str, table: SystemTable) -> SystemTable:
    """The table, for those who have a right on the database."""
    return replace(table, right=right)


def milliseconds_of(seconds: float) -> float:
    """A time as a table shows it, to the microsecond: more digits are noise."""
    return round(seconds * 1e3, 3)


def of_tuples(rows: Callable[[Context], Iterable[Row]], **types: Type) -> SystemTable:
    """A table of few rows, which come as tuples."""
    columns = fields(**types)

    def as_table(context: Context) -> pa.Table:
        schema = schema_of(columns)
        values = list(zip(*rows(context), strict=True)) or [()] * len(columns)
        arrays = [pa.array(list(v), f.type) for v, f in zip(values, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)

    return SystemTable(columns, as_table)
