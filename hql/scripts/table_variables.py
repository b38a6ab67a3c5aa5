"""Table variables: DECLARE @t TABLE (…), and the tables that `@t` stands for in statements.

A table variable is a table whose entry stands in no catalog: a frame knows it by name, and has its
rows (storage/variables.py). It is bound, read and changed as any table is. The entry is made once
for a DECLARE and catalog, so that plans hold from run to run; the rows are each frame's own.

They are gone with their frame; ROLLBACK does not undo them, a statement that fails does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault, nearest
from hartonomous.hql.frozen import frozen
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.variables import TableVariables, new_id

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.statements.declare import VariableDefinition


@frozen
class TableVariable:
    """A declared table; `definition` is the part of a DECLARE that did it."""

    entry: TableEntry
    definition: VariableDefinition


def declare_table(definition: VariableDefinition, context: Context, number: int) -> None:
    """A new, empty table of a name that nothing has yet. `number` tells a statement's tables
    apart."""
    frame = context.frame
    key = (("table", number),)
    entry = context.memory.find(context.catalog, key)
    if entry is None:
        entry = _defined(definition, context)
        context.memory.keep(context.catalog, key, entry)
    if frame.rows is None:
        frame.rows = TableVariables()
    frame.rows.declare(entry)
    context.transaction.variables = frame.rows
    frame.tables[fold(definition.name)] = TableVariable(entry, definition)


def forget_table(frame: Frame, name: str) -> None:
    """Takes a table back that a statement declared before it failed."""
    assert frame.rows is not None, name
    frame.rows.forget(frame.tables.pop(name).entry)


def _defined(definition: VariableDefinition, context: Context) -> TableEntry:
    from hartonomous.hql.changes.definitions import Definition

    shown = ast.Identifier(f"@{definition.name}", span=definition.span)
    name = ast.ObjectName((shown,), span=definition.span)
    entry = Definition(context, name).table(definition.columns, definition.constraints)
    return replace(entry, id=new_id(), temporary=True)


def get_table_variable(context: Context, variable: ast.Variable) -> TableEntry:
    """The table that a statement is to change."""
    tables, parameters = context.frame.tables, context.parameters
    name, shown = fold(variable.name), f"@{variable.name}"
    if name in tables:
        return tables[name].entry
    if name in parameters.tables:
        message = f"{shown} is a parameter, and parameters keep their rows"
        raise fault(variable.span, message, "BIND", "DECLARE a TABLE of another name")
    if name in parameters.types:
        raise fault(variable.span, f"{shown} is a value, not a table", "TYPE_MISMATCH")
    hint = nearest(shown, [f"@{known}" for known in tables]) or f"DECLARE {shown} TABLE (…) first"
    raise fault(variable.span, f"there is no table {shown}", "UNKNOWN_VARIABLE", hint)
