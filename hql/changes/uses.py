"""What of a table needs one of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.syntax import trees
from hartonomous.hql.syntax.parse import parse_expression
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold


def refuse_used(column: ColumnEntry, users: Sequence[str], name: ast.Identifier) -> None:
    if users:
        message = f'"{column.name}" is used by {", ".join(users)}'
        raise place(BindFault(message, hint="drop or change what uses it first"), name)


def own_users(table: TableEntry, column: ColumnEntry) -> Iterator[str]:
    """What of the table itself needs the column."""
    for key in table.keys:
        if column.id in key.columns:
            yield f'{key.kind} "{key.name}"'
    for index in table.indexes:
        if column.id in index.columns:
            yield f'INDEX "{index.name}"'
    for foreign in table.foreign_keys:
        if column.id in (*foreign.columns, *(() if foreign.table else foreign.referenced)):
            yield f'FOREIGN KEY "{foreign.name}"'
    for check in table.checks:
        if names_column(check.text, column):
            yield f'CHECK "{check.name}"'
    for other in table.columns:
        if (
            other is not column
            and other.computed is not None
            and names_column(other.computed, column)
        ):
            yield f'the computed column "{other.name}"'


def names_column(kept: str, column: ColumnEntry) -> bool:
    """Whether a kept expression over the table's columns names this one."""
    nodes = trees.walk(parse_expression(kept))
    return any(
        isinstance(n, ast.ColumnName) and fold(n.parts[-1].text) == fold(column.name) for n in nodes
    )
