"""What values are given for: columns that a statement names, DEFAULT, the assignments of SET."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.targets import Target, place
from hartonomous.hql.errors import BindFault
from hartonomous.hql.syntax import trees
from hartonomous.hql.system_schema.behaviour import assignable
from hartonomous.hql.types import parse_type
from hartonomous.storage.catalog import ColumnEntry, TableEntry, fold

if TYPE_CHECKING:
    from hartonomous.hql.statements.parts import Assignment


def target_columns(table: TableEntry, names: Sequence[ast.Identifier]) -> list[ColumnEntry]:
    """The columns that values are given for. Without a list these are all that are not computed
    and, in a system table, not derived; an IDENTITY column may then be left out, as in T-SQL."""
    if not names:
        return assignable(table)
    columns = [find_column(table, name) for name in names]
    for i, column in enumerate(columns):
        if column in columns[:i]:
            message = f'column "{column.name}" is in the list twice'
            raise place(BindFault(message, code="AMBIGUOUS"), names[i])
    return columns


def find_column(table: TableEntry, name: ast.Identifier) -> ColumnEntry:
    """The column that is assigned to; UNKNOWN_COLUMN with the nearest name, BIND if computed."""
    column = get_column(table, name)
    if column.computed is not None or column not in assignable(table):
        kind = "derived" if column.computed is None else "computed"
        message = f'"{column.name}" is {kind} and cannot be assigned to'
        raise place(BindFault(message), name)
    return column


def get_column(table: TableEntry, name: ast.Identifier) -> ColumnEntry:
    """The column of that name; UNKNOWN_COLUMN with the nearest one."""
    column = table.find_column(name.text)
    if column is None:
        import difflib

        known = {fold(c.name): c.name for c in table.columns}
        near = difflib.get_close_matches(fold(name.text), known, 1)
        raise place(
            BindFault(
                f'"{table.name}" has no column "{name.text}"',
                code="UNKNOWN_COLUMN",
                hint=f"did you mean {known[near[0]]}?" if near else None,
            ),
            name,
        )
    return column


def without_identity(columns: Sequence[ColumnEntry]) -> list[ColumnEntry]:
    return [c for c in columns if c.identity is None]


def without_identity_if(
    columns: Sequence[ColumnEntry], given: int, names: Sequence[ast.Identifier]
) -> Sequence[ColumnEntry]:
    """The columns without an IDENTITY one if nobody named them and so many values are given."""
    rest = without_identity(columns)
    return rest if not names and len(rest) == given else columns


def column_count_fault(
    what: str, node: ast.Node, table: TableEntry, columns: Sequence[ColumnEntry], given: int
) -> Exception:
    names = ", ".join(c.name for c in columns)
    message = f'{what} gives {given} columns, "{table.name}" takes {len(columns)}: {names}'
    return place(BindFault(message), node)


def assigned_value(value: ast.Expression, column: ColumnEntry) -> ast.Expression:
    """A value as it is assigned: DEFAULT is the column's, and the type is the column's."""
    if isinstance(value, ast.Default):
        if column.identity is not None:
            message = "DEFAULT cannot stand for an IDENTITY column beside given values"
            hint = f'leave "{column.name}" out'
            raise place(BindFault(message, hint=hint), value)
        value = default_of(column)
    return trees.cast(value, parse_type(column.type))


def default_of(column: ColumnEntry) -> ast.Expression:
    """The column's default as an expression; NULL without one."""
    if column.default is None:
        return ast.Literal(None)
    from hartonomous.hql.syntax.parse import parse_expression

    return parse_expression(column.default)


def assigned_columns(
    assignments: Sequence[Assignment], table: TableEntry
) -> dict[str, ast.Expression]:
    """What is assigned, by the column's name; variables are another matter."""
    assigned: dict[str, ast.Expression] = {}
    for assignment in assignments:
        if assignment.variable is not None:
            continue
        name = assignment.column[-1]
        column = find_column(table, name)
        if column.name in assigned:
            message = f'column "{column.name}" is set twice'
            raise place(BindFault(message, code="AMBIGUOUS"), name)
        assigned[column.name] = assigned_value(assignment.value, column)
    return assigned


def new_values(target: Target, assigned: dict[str, ast.Expression]) -> list[ast.SelectItem]:
    """Every stored column's new value: assigned, or as it was."""
    return [
        trees.item(assigned.get(c.name, target.column(c.name)), c.name)
        for c in target.table.stored
        if c.computed is None
    ]
