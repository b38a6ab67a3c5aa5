"""Rows that do not fit what their table is to become: the first one, as errors name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql import ast
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import Type, parse_type
from hartonomous.storage.catalog import CheckEntry, ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.errors import ConstraintFault, Error
from hartonomous.storage.keys import KeyColumns, shown_values

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

ADDRESS = "__address"
#: columns by which a row without a primary key is named
COLUMNS_SHOWN = 3


def find_misfit(
    context: Context, name: ast.ObjectName, table: TableEntry, condition: ast.Expression
) -> int | None:
    """The address of a row of the table for which the condition holds; None if there is none."""
    source = ast.TableName(name, trees.word(table.name))
    items = [trees.item(trees.column(table.name, ADDRESS), ADDRESS)]
    found = context.table(trees.select(items, source, condition), hidden=True).column(ADDRESS)
    return int(np.min(found.to_numpy())) if len(found) else None


def describe_row(context: Context, table: TableEntry, address: int) -> str:
    """A row by its primary key, or else by its first columns: `(id) = (3)`."""
    primary = next((k for k in table.keys if k.kind == "PRIMARY KEY"), None)
    columns: Sequence[ColumnEntry] = [c for c in table.stored if not parse_type(c.type).is_wide]
    if primary is not None:
        columns = [c for c in columns if c.id in primary.columns]
    columns = columns[:COLUMNS_SHOWN]
    key = KeyColumns(KeyEntry(0, "", tuple(c.id for c in columns), "INDEX"), tuple(columns))
    view = context.transaction.view(table.id)
    values = [view.gather(c.name, np.array([address])) for c in columns]
    names = ", ".join(c.name for c in columns)
    return f"({names}) = ({shown_values(key, values, 0)})"


def check_rows(
    context: Context, name: ast.ObjectName, table: TableEntry, checks: Sequence[CheckEntry]
) -> None:
    """CHECK_VIOLATION if a row that is there breaks one of the checks."""
    from hartonomous.hql.syntax.parse import parse_expression

    for check in checks:
        broken = ast.Unary("NOT", parse_expression(check.text))
        address = find_misfit(context, name, table, broken)
        if address is not None:
            row = describe_row(context, table, address)
            raise ConstraintFault(
                f'the row {row} of "{table.name}" breaks CHECK "{check.name}": {check.text}',
                code="CHECK_VIOLATION",
            )


def look_through_lengths(context: Context, table: TableEntry, column: ColumnEntry) -> None:
    """BAD_VALUE if a row that is there has a text, or bytes, that are too long for `column`."""
    rows = context.transaction.view(table.id).scan([column.name], address=True).table
    check_lengths(table, column, parse_type(column.type), rows, context)


def check_lengths(
    table: TableEntry, column: ColumnEntry, type_: Type, rows: pa.Table, context: Context
) -> None:
    """BAD_VALUE for a text, or bytes, of rows with addresses that `type_` cannot hold."""
    if type_.a is None or type_.kind not in ("NVARCHAR", "VARBINARY"):
        return
    measure = pc.utf8_length if type_.kind == "NVARCHAR" else pc.binary_length
    is_longer = pc.greater(measure(rows.column(column.name)), type_.a)
    found = pc.min(rows.column(ADDRESS).filter(is_longer)).as_py()
    if found is not None:
        raise misfit(table, column, type_, int(found), context)


def misfit(
    table: TableEntry, column: ColumnEntry, type_: Type, address: int, context: Context
) -> Error:
    """The error that a row's value is none of `type_`."""
    row = describe_row(context, table, address)
    message = f'"{column.name}" of the row {row} of "{table.name}" does not fit {type_}'
    return ExecutionFault(message, code="BAD_VALUE")


def check_new_promises(context: Context, before: TableEntry, table: TableEntry) -> None:
    """CHECK_VIOLATION or BAD_VALUE for a row that breaks a CHECK, or a length, that `table` states
    and `before`, the definition that it takes the place of, did not. NOT NULL and keys are
    storage's to check."""
    name = ast.ObjectName((trees.word(table.schema), trees.word(table.name)))
    check_rows(context, name, table, [c for c in table.checks if c not in before.checks])
    known = {c.id: parse_type(c.type) for c in before.columns}
    for column in table.stored:
        type_, old = parse_type(column.type), known.get(column.id)
        if type_.a is None or type_.kind not in ("NVARCHAR", "VARBINARY"):
            continue
        if old is None or old.kind != type_.kind or old.a is None or old.a > type_.a:
            look_through_lengths(context, table, column)
