"""CREATE VIEW, ALTER VIEW: a query's text kept under a name, once it binds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.new_names import check_new_name, check_word
from hartonomous.hql.changes.targets import (
    describe_kind,
    find_entry,
    place,
    split_name,
    unknown_table,
)
from hartonomous.hql.errors import BindFault
from hartonomous.hql.result import Result
from hartonomous.storage.catalog import ViewEntry, fold
from hartonomous.storage.errors import AlreadyExists

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_view import CreateView


def run_create_view(statement: CreateView, context: Context) -> Result:
    """Adds or replaces the view. What it names must exist; it may not name itself or temp
    tables, which end with the session."""
    old = find_entry(context, statement.name)
    if old is None and statement.mode == "ALTER":
        raise unknown_table(context, statement.name, "view")
    check_new_name(context, statement.name, old)
    if old is not None and statement.mode == "CREATE":
        if statement.if_not_exists:
            return Result()
        raise place(
            AlreadyExists(
                f'"{statement.name}" already exists', hint="CREATE OR ALTER VIEW replaces a view"
            ),
            statement.name,
        )
    if old is not None and not isinstance(old, ViewEntry):
        message = f'"{statement.name}" is a {describe_kind(old)}, not a view'
        raise place(BindFault(message), statement.name)
    schema, name = split_name(statement.name)
    if name.startswith("#"):
        raise place(BindFault("a view cannot be temporary"), statement.name)
    check_query(statement.query, schema, name)
    names = _column_names(statement, context)
    text = str(statement.query)
    definer = context.transaction.definer
    if old is None:
        context.transaction.create(ViewEntry(0, schema, name, text, names, definer))
    else:
        context.transaction.replace(ViewEntry(old.id, old.schema, old.name, text, names, definer))
    return Result()


def check_query(query: ast.Query, schema: str, name: str) -> None:
    """What a view's query may not hold: parameters, temp tables, INTO, the view itself."""
    from hartonomous.hql.syntax import trees

    for node in trees.walk(query):
        if isinstance(node, (ast.Variable, ast.Placeholder, ast.VariableTable)):
            raise place(BindFault("a view has no parameters or variables"), node)
        if isinstance(node, ast.Select) and node.into is not None:
            raise place(BindFault("a view's query has no INTO"), node)
        if isinstance(node, ast.TableName):
            named = split_name(node.name)
            if named[1].startswith("#"):
                message = f'a view cannot stand on "{named[1]}", which ends with the session'
                raise place(BindFault(message), node)
            if (fold(named[0]), fold(named[1])) == (fold(schema), fold(name)):
                raise place(BindFault(f'the view "{name}" would stand on itself'), node)


def _column_names(statement: CreateView, context: Context) -> tuple[str, ...]:
    """The view's columns: as listed, or as the query names them; all named, all different."""
    fields = context.bind(statement.query).plan.fields
    names = [c.text for c in statement.columns] or [f.name for f in fields]
    if len(names) != len(fields):
        raise place(
            BindFault(f"the view names {len(names)} columns, its query gives {len(fields)}"),
            statement.columns[0],
        )
    for column in statement.columns:
        check_word(column)
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise place(
                BindFault(f"column {number} of the view has no name", hint="give it one with AS"),
                statement.query,
            )
        if fold(name) in seen:
            message = f'the view has two columns "{name}"'
            raise place(BindFault(message, code="AMBIGUOUS"), statement.query)
        seen.add(fold(name))
    return tuple(names)
