"""ALTER TABLE: columns added, dropped and renamed, tables renamed.

A column is its id: segments written before it was added give NULL for it, and dropping or renaming
one touches no file. Expressions that a table keeps (CHECK, computed columns) name columns by text,
so a rename rewrites them. A dropped column stays in the catalog, out of everyone's sight: hashes of
earlier commits cover its values (storage/shape.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.changes.assigning import get_column
from hartonomous.hql.changes.definitions import Definition, check_new_name, check_word
from hartonomous.hql.changes.dml import run_update
from hartonomous.hql.changes.targets import find_entry, get_table, place
from hartonomous.hql.errors import BindFault, NotSupported
from hartonomous.hql.result import Result
from hartonomous.hql.rules.prune_columns import prune_columns
from hartonomous.hql.rules.tree import scans
from hartonomous.hql.statements.alter_table import Add, AlterTable, Drop, Rename
from hartonomous.hql.statements.parts import Assignment, ColumnDefinition
from hartonomous.hql.statements.update import Update
from hartonomous.hql.syntax import trees
from hartonomous.hql.syntax.parse import parse_expression, parse_query
from hartonomous.storage.catalog import ColumnEntry, TableEntry, ViewEntry, fold
from hartonomous.storage.errors import AlreadyExists

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def run_alter_table(statement: AlterTable, context: Context) -> Result:
    """Changes the table's entry, and its rows where a new column has a value."""
    table = get_table(context, statement.table, change="definition")
    match statement.action:
        case Add():
            _add(statement, statement.action, table, context)
        case Rename(name=None):
            _rename_table(statement, statement.action, table, context)
        case Rename():
            _rename_column(statement.action, table, context)
        case Drop(kind="COLUMN"):
            _drop_columns(statement.action, table, context)
        case Drop(kind=kind):
            raise place(NotSupported(f"not supported yet: DROP {kind}"), statement.action)
        case _:
            raise place(NotSupported("not supported yet: ALTER COLUMN"), statement.action)
    return Result()


# --- ADD -----------------------------------------------------------------------------------------


def _add(statement: AlterTable, action: Add, table: TableEntry, context: Context) -> None:
    """New columns are NULL in the rows that are there, or hold their DEFAULT."""
    definitions: list[ColumnDefinition] = []
    for element in action.elements:
        if not isinstance(element, ColumnDefinition):
            raise place(NotSupported("not supported yet: ADD CONSTRAINT"), element)
        if element.constraints:
            message = "not supported yet: constraints of an added column"
            raise place(NotSupported(message), element.constraints[0])
        if element.identity is not None:
            raise place(NotSupported("not supported yet: an added IDENTITY column"), element)
        definitions.append(element)
    definition = Definition(
        context, statement.table, columns=list(table.columns), next_id=table.next_id
    )
    added = definition.add_columns(definitions)
    whole = replace(table, columns=tuple(definition.columns), next_id=definition.next_id)
    # until the rows have their values, the columns have to take NULL
    loose = tuple(c if c in table.columns else replace(c, nullable=True) for c in whole.columns)
    context.transaction.replace(replace(whole, columns=loose))
    filled = [c for c in added if c.default is not None]
    persisted = [c for c in added if c.computed is not None and c.persisted]
    if filled or persisted:
        _fill(statement, context, filled or [c for c in whole.columns if c.computed is None][:1])
    if loose != whole.columns:
        context.transaction.replace(whole)


def _fill(statement: AlterTable, context: Context, columns: Sequence[ColumnEntry]) -> None:
    """Writes every row again, with the defaults of new columns; computed ones follow. A column
    without a default is set to itself."""
    assignments = []
    for column in columns:
        name = trees.word(column.name)
        value = ast.ColumnName((name,)) if column.default is None else ast.Default()
        assignments.append(Assignment((name,), value))
    run_update(Update(statement.table, None, tuple(assignments), span=statement.span), context)


# --- DROP ----------------------------------------------------------------------------------------


def _drop_columns(action: Drop, table: TableEntry, context: Context) -> None:
    """One after the other, so that a computed column may go together with what it reads."""
    for name in action.names:
        if action.if_exists and table.find_column(name.text) is None:
            continue
        column = get_column(table, name)
        _refuse_used(column, list(_own_users(table, column)), name)
        smaller = table.without_column(column)
        if not smaller.stored:
            message = f'"{table.name}" would hold no data without "{column.name}"'
            raise place(BindFault(message, hint=f"DROP TABLE {table.name}"), name)
        before = {e.name: _read_by(e, context) for e in _views(context)}
        context.transaction.replace(smaller)
        changed = [e.name for e in _views(context) if before[e.name] != _read_by(e, context)]
        _refuse_used(column, [f'the view "{v}"' for v in changed], name)
        table = smaller


def _refuse_used(column: ColumnEntry, users: Sequence[str], name: ast.Identifier) -> None:
    if users:
        message = f'"{column.name}" is used by {", ".join(users)}'
        raise place(BindFault(message, hint="drop or change what uses it first"), name)


def _own_users(table: TableEntry, column: ColumnEntry) -> Iterator[str]:
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
        if _names(check.text, column):
            yield f'CHECK "{check.name}"'
    for other in table.columns:
        if other is not column and other.computed is not None and _names(other.computed, column):
            yield f'the computed column "{other.name}"'


def _names(kept: str, column: ColumnEntry) -> bool:
    """Whether a kept expression over the table's columns names this one."""
    nodes = trees.walk(parse_expression(kept))
    return any(
        isinstance(n, ast.ColumnName) and fold(n.parts[-1].text) == fold(column.name) for n in nodes
    )


def _views(context: Context) -> list[ViewEntry]:
    views = [e for e in context.catalog.entries.values() if isinstance(e, ViewEntry)]
    return sorted(views, key=lambda e: e.id)


def _read_by(view: ViewEntry, context: Context) -> Any:
    """A view's columns, and the stored ones that they come from; None if it does not bind."""
    try:
        plan = prune_columns(context.bind(parse_query(view.text)).plan)
    except BindFault:
        return None
    return plan.fields, {(s.table.id, f.name) for s in scans(plan) for f in s.fields}


# --- RENAME --------------------------------------------------------------------------------------


def _rename_column(action: Rename, table: TableEntry, context: Context) -> None:
    assert action.name is not None
    column = get_column(table, action.name)
    check_word(action.new)
    taken = table.find_column(action.new.text)
    if taken is not None and taken is not column:
        message = f'"{table.name}" already has a column "{taken.name}"'
        raise place(AlreadyExists(message), action.new)

    def renamed(name: ast.ColumnName) -> ast.ColumnName:
        if fold(name.parts[-1].text) != fold(column.name):
            return name
        return ast.ColumnName((*name.parts[:-1], action.new), span=name.span)

    columns = tuple(replace(c, name=action.new.text) if c is column else c for c in table.columns)
    context.transaction.replace(_rewritten(replace(table, columns=columns), renamed))


def _rename_table(
    statement: AlterTable, action: Rename, table: TableEntry, context: Context
) -> None:
    new = ast.ObjectName((*statement.table.parts[:-1], action.new), span=action.new.span)
    if action.new.text.startswith("#") != table.temporary:
        raise place(BindFault("only the name of a #temp table begins with #"), action.new)
    check_new_name(context, new)
    taken = find_entry(context, new)
    if taken is not None and taken.id != table.id:
        raise place(AlreadyExists(f'"{new}" already exists'), action.new)

    def unqualified(name: ast.ColumnName) -> ast.ColumnName:
        return ast.ColumnName(name.parts[-1:], span=name.span)

    entry = replace(table, name=action.new.text)
    context.transaction.replace(_rewritten(entry, unqualified))


def _rewritten(table: TableEntry, change: Callable[[ast.ColumnName], ast.ColumnName]) -> TableEntry:
    """The table with its kept expressions' column names changed."""

    def text(kept: str | None) -> str | None:
        return None if kept is None else str(trees.with_columns(parse_expression(kept), change))

    checks = tuple(replace(c, text=str(text(c.text))) for c in table.checks)
    columns = tuple(replace(c, computed=text(c.computed)) for c in table.columns)
    return replace(table, checks=checks, columns=columns)
