"""Rows that do not fit what their table is to become: the first one, as errors name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hartonomous.hql import ast
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import parse_type
from hartonomous.storage.catalog import CheckEntry, ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.errors import ConstraintFault
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
