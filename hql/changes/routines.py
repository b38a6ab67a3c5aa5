"""CREATE, ALTER and DROP of procedures and functions: a routine's text kept under a name.

A function must bind with its parameters when it is made, as a view must; a procedure is only read:
its names mean something when it runs (T-SQL's late binding).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hartonomous.hql import ast
from hartonomous.hql.changes.new_names import check_new_name
from hartonomous.hql.changes.targets import (
    describe_kind,
    find_entry,
    place,
    split_name,
)
from hartonomous.hql.errors import BindFault
from hartonomous.hql.result import Result
from hartonomous.hql.scripts.routine_rules import check_function, check_parameters, check_procedure
from hartonomous.hql.scripts.routines import SCALAR, Routine, noun, routine_of
from hartonomous.hql.security.checking import allow
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import RoutineEntry, TableEntry, fold
from hartonomous.storage.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.create_function import CreateFunction
    from hartonomous.hql.statements.create_procedure import CreateProcedure


def run_create(statement: CreateProcedure | CreateFunction, context: Context) -> Result:
    """Adds the routine, or replaces the one of that name."""
    from hartonomous.hql.statements.create_procedure import CreateProcedure

    name = statement.name
    wanted = "procedure" if isinstance(statement, CreateProcedure) else "function"
    old = find_entry(context, name)
    if old is None and statement.mode == "ALTER":
        raise unknown_routine(context, name, wanted)
    check_new_name(context, name, old)
    if old is not None and statement.mode == "CREATE":
        hint = f"CREATE OR ALTER {wanted.upper()} replaces a {wanted}"
        raise place(AlreadyExists(f'"{name}" already exists', hint=hint), name)
    schema, last = split_name(name)
    if last.startswith("#"):
        raise place(BindFault(f"a {wanted} cannot be temporary"), name)
    routine = routine_of(statement, f"{schema}.{last}", context.text)
    if old is not None:
        _check_replaced(old, routine, name)
    check_parameters(statement.parameters, routine, context)
    entry = RoutineEntry(
        0, schema, last, routine.routine, context.text, context.transaction.definer
    )
    if isinstance(statement, CreateProcedure):
        check_procedure(statement.body)
        _put(context, entry, old)
        return Result()
    _refuse_system_function(name)
    _put(context, entry, old)  # before it is bound, as it may call itself
    check_function(routine, statement, context)
    if old is not None:
        _refuse_used(context, entry, name, "altered")
    return Result()


def _put(context: Context, entry: RoutineEntry, old: object) -> None:
    from dataclasses import replace

    if isinstance(old, RoutineEntry):
        context.transaction.replace(replace(entry, id=old.id, schema=old.schema, name=old.name))
    else:
        context.transaction.create(entry)


def _check_replaced(old: object, routine: Routine, name: ast.ObjectName) -> None:
    """ALTER gives a routine another text; it cannot make it another kind of thing."""
    if not isinstance(old, RoutineEntry):
        raise place(BindFault(f'"{name}" is a {describe_kind(old)}, not a {routine.noun}'), name)
    if old.routine != routine.routine:
        was, now = old.routine.lower(), routine.routine.lower()
        message = f'"{name}" is a {was}, and cannot become a {now}'
        raise place(BindFault(message, hint=f"DROP {noun(old.routine).upper()} {name}"), name)


def _refuse_system_function(name: ast.ObjectName) -> None:
    from hartonomous.hql import functions

    if functions.find(name.last) is not None:
        message = f'"{name.last}" is a function of the system; a function may not take its name'
        raise place(BindFault(message), name)


# --- DROP ----------------------------------------------------------------------------------------


def run_drop(
    context: Context, wanted: str, names: Sequence[ast.ObjectName], if_exists: bool
) -> Result:
    """DROP PROCEDURE and DROP FUNCTION. What other routines and views call is found missing when
    they run; what tables need to check or compute their rows stays."""
    for name in names:
        entry = find_entry(context, name)
        if entry is None:
            if if_exists:
                continue
            raise unknown_routine(context, name, wanted)
        kind = describe_kind(entry)
        if kind != wanted or not isinstance(entry, RoutineEntry):
            message = f'"{name}" is a {kind}, not a {wanted}'
            raise place(BindFault(message, hint=f"DROP {kind.upper()} {name}"), name)
        allow(context.rights, context.catalog, entry, ("ALTER",), name)
        _refuse_used(context, entry, name, "dropped")
        context.transaction.drop(entry)
    return Result()


def unknown_routine(context: Context, name: ast.ObjectName, wanted: str) -> Exception:
    """NOT_FOUND with the nearest name."""
    from hartonomous.hql.bind.context import nearest

    known = [e for e in context.catalog.routines() if noun(e.routine) == wanted]
    hint = nearest(name.last, [e.name for e in known])
    return place(NotFound(f'there is no {wanted} "{name}"', hint=hint), name)


def _refuse_used(context: Context, entry: RoutineEntry, name: ast.ObjectName, done: str) -> None:
    """BIND for a scalar function that a table's definition calls: rows were checked, or are
    computed, by what it says now."""
    if entry.routine != SCALAR:
        return
    for table in context.catalog.tables():
        for what, text in _texts(table):
            if _calls(text, entry):
                message = f"{table.schema}.{table.name} calls it in {what}"
                raise place(BindFault(f'"{name}" cannot be {done}: {message}'), name)


def _texts(table: TableEntry) -> Iterator[tuple[str, str]]:
    """The expressions that a table keeps."""
    for column in table.columns:
        if column.default is not None:
            yield f'the DEFAULT of "{column.name}"', column.default
        if column.computed is not None:
            yield f'the computed column "{column.name}"', column.computed
    for check in table.checks:
        yield f'the CHECK "{check.name}"', check.text


def _calls(text: str, entry: RoutineEntry) -> bool:
    from hartonomous.hql.syntax.parse import parse_expression

    wanted = fold(entry.name)
    if wanted not in fold(text):
        return False
    for node in trees.walk(parse_expression(text)):
        if isinstance(node, ast.FunctionCall) and fold(node.name.last) == wanted:
            schema = node.name.parts[-2].text if len(node.name.parts) > 1 else "dbo"
            if fold(schema) == fold(entry.schema):
                return True
    return False
