"""The statements of cursors: DECLARE … CURSOR FOR, OPEN, FETCH, CLOSE, DEALLOCATE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault, nearest, not_supported
from hartonomous.hql.context import Context
from hartonomous.hql.result import Result
from hartonomous.hql.scripts.cursors import Cursor, Opened
from hartonomous.hql.types import BIGINT, Type
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import AlreadyExists, Error

if TYPE_CHECKING:
    from hartonomous.hql.statements.declare_cursor import DeclareCursor
    from hartonomous.hql.statements.fetch import Fetch

#: cursors that a session or a frame may have at once
CURSORS_MAX = 256

OPTIONS: Final = (
    "LOCAL",
    "GLOBAL",
    "FORWARD_ONLY",
    "SCROLL",
    "STATIC",
    "FAST_FORWARD",
    "READ_ONLY",
)
LATER: Final = ("KEYSET", "DYNAMIC", "OPTIMISTIC", "SCROLL_LOCKS", "TYPE_WARNING")
#: pairs of which a cursor has one
EITHER: Final = (("LOCAL", "GLOBAL"), ("FORWARD_ONLY", "SCROLL"), ("FAST_FORWARD", "SCROLL"))


def run_declare_cursor(statement: DeclareCursor, context: Context) -> Result:
    """DECLARE c CURSOR: the query is bound, so that what is wrong in it is said here."""
    from hartonomous.hql.queries import prepare_query
    from hartonomous.hql.statements.query import find_into

    _check_options(statement)
    into = find_into(statement.query)
    if into is not None:
        raise fault(into.span, "the query of a cursor has no INTO", "BIND")
    name = fold(statement.name.text)
    known = context.frame.cursors if "LOCAL" in statement.options else context.session.cursors
    if name in known:
        raise AlreadyExists(
            f'the cursor "{statement.name.text}" exists already',
            hint=f"DEALLOCATE {statement.name}",
            line=statement.name.span.line,
            column=statement.name.span.column,
        )
    if len(known) >= CURSORS_MAX:
        message = f"there are {CURSORS_MAX} cursors already"
        raise fault(statement.name.span, message, "CURSOR", "DEALLOCATE those that are done with")
    prepare_query(context, statement.query, key="cursor")
    known[name] = Cursor(statement.name.text, statement, context)
    return Result()


def _check_options(statement: DeclareCursor) -> None:
    options = statement.options
    for option in options:
        if option in LATER:
            raise not_supported(statement.span, f"{option} cursors")
        if option not in OPTIONS:
            hint = nearest(option, OPTIONS) or f"options: {', '.join(OPTIONS)}"
            raise fault(statement.span, f'a cursor has no option "{option}"', "BIND", hint)
    for pair in EITHER:
        if set(pair) <= set(options):
            raise fault(statement.span, f"a cursor is not {pair[0]} and {pair[1]}", "BIND")


def run_open(name: ast.Identifier, context: Context) -> Result:
    """OPEN c."""
    cursor = _get_cursor(name, context)
    if cursor.opened is not None:
        raise fault(name.span, f'the cursor "{cursor.name}" is open already', "CURSOR")
    with _placing(cursor, context):
        cursor.open(context)
    assert cursor.opened is not None
    count = cursor.opened.count
    context.session.status.cursor_rows = -1 if count is None else count
    return Result()


def run_fetch(statement: Fetch, context: Context) -> Result:
    """FETCH … FROM c [INTO @a, @b]. Without a row variables keep their values."""
    name = statement.cursor
    cursor = _get_cursor(name, context)
    opened = cursor.opened
    if opened is None:
        hint = f"OPEN {name}"
        raise fault(name.span, f'the cursor "{cursor.name}" is not open', "CURSOR", hint)
    cursor.check_rights(context)
    if statement.direction != "NEXT" and not cursor.scrolls:
        message = f'the cursor "{cursor.name}" only goes to the NEXT row'
        raise fault(name.span, message, "CURSOR", "declare it SCROLL")
    types = _types(statement, opened, context) if statement.into else ()
    number = _number(statement.number, context) if statement.number is not None else 0
    status = context.session.status
    status.fetched = -1
    with _placing(cursor, context):
        is_there = cursor.move(statement.direction, number, context)
        if not statement.into:
            status.fetched = 0 if is_there else -1
            return cursor.row()
        if is_there:
            values = cursor.values(statement.into, types, context)
    if not is_there:
        return Result(rows_read=0)
    context.parameters.assign(dict(zip(map(fold, statement.into), values, strict=True)))
    status.fetched = 0
    return Result(rows_read=1)


def run_close(name: ast.Identifier, context: Context) -> Result:
    """CLOSE c: it can be opened again, and sees the rows of then."""
    cursor = _get_cursor(name, context)
    if cursor.opened is None:
        raise fault(name.span, f'the cursor "{cursor.name}" is not open', "CURSOR")
    cursor.close()
    return Result()


def run_deallocate(name: ast.Identifier, context: Context) -> Result:
    """DEALLOCATE c: closed, and its name is free."""
    _get_cursor(name, context).close()
    local = context.frame.cursors
    owner = local if fold(name.text) in local else context.session.cursors
    del owner[fold(name.text)]
    return Result()


def find_cursor(name: str, context: Context) -> Cursor | None:
    """A LOCAL cursor of the frame, else a GLOBAL one of the session."""
    return context.frame.cursors.get(fold(name)) or context.session.cursors.get(fold(name))


def _get_cursor(name: ast.Identifier, context: Context) -> Cursor:
    found = find_cursor(name.text, context)
    if found is None:
        known = [
            c.name for c in (*context.frame.cursors.values(), *context.session.cursors.values())
        ]
        hint = nearest(name.text, known) or f"DECLARE {name} CURSOR FOR SELECT …"
        raise fault(name.span, f'there is no cursor "{name.text}"', "CURSOR", hint)
    return found


def _number(expression: ast.Expression, context: Context) -> int:
    """The number of FETCH ABSOLUTE and RELATIVE."""
    from hartonomous.hql.scripts.values import evaluate

    number = evaluate(context, expression, BIGINT, key="number")
    if number is None:
        raise fault(expression.span, "FETCH needs a number, and it is NULL", "CURSOR")
    return int(number)


def _types(statement: Fetch, opened: Opened, context: Context) -> tuple[Type, ...]:
    """The types of the variables of INTO."""
    from hartonomous.hql.variables import get_variable_type

    types = [get_variable_type(context, name, statement.span) for name in statement.into]
    if len(types) != len(opened.fields):
        message = (
            f"the cursor gives {len(opened.fields)} columns, INTO names {len(types)} variables"
        )
        raise fault(statement.span, message, "BIND")
    return tuple(types)


@contextmanager
def _placing(cursor: Cursor, context: Context) -> Iterator[None]:
    """A place in the query of a cursor that another text declared is no place in this one."""
    try:
        yield
    except Error as error:
        if cursor.declared_in is not context.frame:
            error.line = error.column = None
        raise
