"""ALTER TABLE: columns dropped and renamed, tables renamed; the other actions are in alter_*.py.

A column is its id: segments written before it was added give NULL for it, and dropping or renaming
one touches no file. Expressions that a table keeps (CHECK, computed columns) name columns by text,
so a rename rewrites them. A dropped column stays in the catalog, out of everyone's sight: hashes of
earlier commits cover its values (storage/shape.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.changes.alter_add import run_add
from hartonomous.hql.changes.alter_column import run_alter_column
from hartonomous.hql.changes.alter_constraints import run_drop_constraints, run_set_default
from hartonomous.hql.changes.assigning import get_column
from hartonomous.hql.changes.new_names import check_new_name, check_word
from hartonomous.hql.changes.targets import find_entry, get_table, place
from hartonomous.hql.changes.uses import own_users, refuse_used
from hartonomous.hql.errors import BindFault
from hartonomous.hql.result import Result
from hartonomous.hql.rules.prune_columns import prune_columns
from hartonomous.hql.rules.tree import scans
from hartonomous.hql.statements.alter_table import (
    Add,
    AlterColumn,
    AlterTable,
    Drop,
    Rename,
    SetDefault,
)
from hartonomous.hql.syntax import trees
from hartonomous.hql.syntax.parse import parse_expression, parse_query
from hartonomous.storage.catalog import TableEntry, ViewEntry, fold
from hartonomous.storage.errors import AlreadyExists

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def run_alter_table(statement: AlterTable, context: Context) -> Result:
    """Changes the table's entry, and its rows where a new column has a value."""
    table = get_table(context, statement.table, change="definition")
    match statement.action:
        case Add():
            run_add(statement, statement.action, table, context)
        case Rename(name=None):
            _rename_table(statement, statement.action, table, context)
        case Rename():
            _rename_column(statement.action, table, context)
        case Drop(kind="COLUMN"):
            _drop_columns(statement.action, table, context)
        case Drop():
            run_drop_constraints(statement.action, table, context)
        case SetDefault():
            run_set_default(statement, statement.action, table, context)
        case AlterColumn():
            run_alter_column(statement, statement.action, table, context)
    return Result()


# --- DROP ----------------------------------------------------------------------------------------


def _drop_columns(action: Drop, table: TableEntry, context: Context) -> None:
    """One after the other, so that a computed column may go together with what it reads."""
    for name in action.names:
        if action.if_exists and table.find_column(name.text) is None:
            continue
        column = get_column(table, name)
        refuse_used(column, list(own_users(table, column)), name)
        smaller = table.without_column(column)
        if not smaller.stored:
            message = f'"{table.name}" would hold no data without "{column.name}"'
            raise place(BindFault(message, hint=f"DROP TABLE {table.name}"), name)
        before = {e.name: _read_by(e, context) for e in _views(context)}
        context.transaction.replace(smaller)
        changed = [e.name for e in _views(context) if before[e.name] != _read_by(e, context)]
        refuse_used(column, [f'the view "{v}"' for v in changed], name)
        table = smaller


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
