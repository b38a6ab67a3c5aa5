"""EXEC: a procedure's arguments, its body in a frame of its own, what comes back.

    EXEC [@result =] p 1, @name = @x, @total = @t OUTPUT, @other = DEFAULT

Arguments are computed in the caller's frame and converted as SET does it. When the body has ended
well, OUTPUT variables and the result get their values. A body sees its parameters and what it
declares, nothing of the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.bind.context import fault, nearest
from hartonomous.hql.bind.routine_arguments import place_arguments, wrong_count
from hartonomous.hql.scripts.frame import Frame
from hartonomous.hql.scripts.routines import (
    PROCEDURE,
    Parameter,
    Routine,
    find_routine,
    noun,
    read_routine,
)
from hartonomous.hql.scripts.script import Script
from hartonomous.hql.syntax import trees
from hartonomous.storage.catalog import Catalog, RoutineEntry, fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result
    from hartonomous.hql.statements.base import Statement
    from hartonomous.hql.statements.execute import Argument, Execute
    from hartonomous.hql.types import Type


def play_execute(statement: Execute, script: Script) -> Iterator[Result]:
    """Runs EXEC procedure. Its results are those of the body's statements."""
    from hartonomous.hql.scripts.system_procedures import SYSTEM_PROCEDURES

    for argument in statement.arguments:
        _check_output(argument, script.frame)
    if statement.result is not None:
        get_variable(statement.result, statement, script.frame)
    catalog, rights = script.session.read(
        script.prepared,
        script.frame,
        script.messages,
        script.limits,
        lambda c: (c.catalog, c.rights),
    )
    entry = find_routine(catalog, statement.procedure)
    system = SYSTEM_PROCEDURES.get(fold(statement.procedure.last))
    if entry is None and system is not None:
        yield from system(statement, script)
        return
    routine = read_routine(get_procedure(entry, statement, catalog))
    if rights is not None:
        from hartonomous.hql.security.checking import allow

        allow(rights, catalog, entry, ("EXECUTE",), statement.procedure)
    values, outputs = evaluate_arguments(statement, statement.arguments, routine, script)
    frame = new_frame(routine, values, script.frame, entry.definer)
    callee = script.call(frame, what=f"{routine.noun} {routine.title}")
    yield from _play(callee, entry.text)
    give_back(statement, callee, outputs, script.frame)


def get_procedure(entry: Any, statement: Execute, catalog: Catalog) -> RoutineEntry:
    """The procedure that is meant. NOT_FOUND with the nearest name; BIND for a function."""
    from hartonomous.hql.scripts.system_procedures import SYSTEM_PROCEDURES

    name = statement.procedure
    if not isinstance(entry, RoutineEntry):
        known = [e.name for e in catalog.routines() if e.routine == PROCEDURE]
        hint = nearest(name.last, [*known, *SYSTEM_PROCEDURES])
        raise fault(name.span, f'there is no procedure "{name}"', "UNKNOWN_PROCEDURE", hint)
    if entry.routine != PROCEDURE:
        message = f'"{name}" is a {noun(entry.routine)}, not a procedure'
        raise fault(name.span, message, "BIND", f"SELECT {name}(…)")
    return entry


def new_frame(
    routine: Routine, values: Sequence[Any], caller: Frame, definer: str | None = None
) -> Frame:
    """The frame of a body; `values` are those of the parameters, in Python's form. `definer` see
    Frame."""
    frame = Frame(caller=caller, routine=f"{routine.noun} {routine.title}", definer=definer)
    for parameter, value in zip(routine.parameters, values, strict=True):
        frame.parameters.declare(fold(parameter.name), parameter.type, value)
    return frame


def _play(callee: Script, text: str) -> Iterator[Result]:
    """Plays the body of a routine's text, whose plans are kept with the session by that."""
    (prepared,) = callee.session.prepare(text, is_routine=True)
    body: tuple[Statement, ...] = prepared.statement.body  # type: ignore[attr-defined]
    rows: Statement | None = getattr(prepared.statement, "rows", None)
    if rows is not None:  # the table that a function fills
        body = (rows, *body)
    return callee.play_text(prepared.inner(statement) for statement in body)


# --- arguments -----------------------------------------------------------------------------------


def evaluate_arguments(
    statement: Execute, given: Sequence[Argument], routine: Routine, script: Script
) -> tuple[list[Any], list[tuple[Parameter, str]]]:
    """The values of the parameters, and the caller's variable for each that gives its own back."""
    places = place_arguments(routine, [a.name for a in given], [a.span for a in given])
    values: list[Any] = []
    outputs: list[tuple[Parameter, str]] = []
    for number, parameter in enumerate(routine.parameters):
        place = places.get(fold(parameter.name))
        argument = None if place is None else given[place]
        if argument is not None and argument.output:
            outputs.append((parameter, _output(argument, parameter, routine)))
        expression = argument.value if argument is not None else None
        if expression is None:
            expression = parameter.default
        if expression is None and argument is not None:
            message = f"{routine.title}: @{parameter.name} has no default"
            raise fault(argument.span, message, "ARGUMENTS")
        if expression is None:
            raise wrong_count(routine, len(given), statement.span)
        name = f"@{parameter.name}"
        key = "argument", number
        values.append(script.evaluate(expression, parameter.type, key=key, name=name))
    return values, outputs


def _check_output(argument: Argument, frame: Frame) -> None:
    """OUTPUT stands behind a variable."""
    if not argument.output:
        return
    if not isinstance(argument.value, ast.Variable):
        message = "OUTPUT needs a variable that gets the value"
        raise fault(argument.span, message, "BIND", "DECLARE @v …; EXEC p @v OUTPUT")
    get_variable(argument.value.name, argument.value, frame)


def get_variable(name: str, node: ast.Node, frame: Frame) -> None:
    """UNKNOWN_VARIABLE for one that was not declared; a caller's parameters keep their values."""
    parameters, shown = frame.parameters, f"@{name}"
    if fold(name) in parameters.variables:
        return
    if parameters.is_given(fold(name)):
        message = f"{shown} is a parameter, and parameters keep their values"
        raise fault(node.span, message, "BIND", "DECLARE a variable of another name")
    hint = nearest(shown, [f"@{k}" for k in parameters.variables]) or f"DECLARE {shown} first"
    raise fault(node.span, f"there is no variable {shown}", "UNKNOWN_VARIABLE", hint)


def _output(argument: Argument, parameter: Parameter, routine: Routine) -> str:
    if not parameter.output:
        message = f"{routine.title}: @{parameter.name} is no OUTPUT parameter"
        raise fault(argument.span, message, "ARGUMENTS")
    assert isinstance(argument.value, ast.Variable)
    return argument.value.name


def give_back(
    statement: Execute, callee: Script, outputs: Sequence[tuple[Parameter, str]], caller: Frame
) -> None:
    """OUTPUT variables and the result get their values, converted as by SET."""
    wanted = caller.parameters.variables
    given: dict[str, Any] = {}
    for parameter, name in outputs:
        variable = ast.Variable(parameter.name, span=statement.span)
        type_ = wanted[fold(name)]
        given[fold(name)] = _converted(callee, variable, type_, name, caller)
    if statement.result is not None:
        returned = ast.Literal(callee.frame.return_value or 0, "INTEGER", span=statement.span)
        type_ = wanted[fold(statement.result)]
        given[fold(statement.result)] = _converted(
            callee, returned, type_, statement.result, caller
        )
    caller.parameters.assign(given)


def _converted(callee: Script, value: ast.Expression, type_: Type, name: str, caller: Frame) -> Any:
    """A value of the callee as the type of the caller's variable; its errors are the caller's."""
    try:
        return callee.evaluate(value, type_, key=("output", value), name=f"@{name}")
    except Error as error:
        error.routine, error.line, error.column = caller.routine, value.span.line, value.span.column
        raise


# --- functions -----------------------------------------------------------------------------------


def run_function(
    context: Context, routine: Routine, entry: RoutineEntry, row: Sequence[Any]
) -> Any:
    """What a function's body returns, in Python's form, in the transaction of `context`; the rows
    of one that fills a table are an Arrow table."""
    prepared = context.prepared
    assert prepared is not None, "a function is called by a statement"
    script = Script(
        context.session, context.frame, context.messages, context.limits, prepared, streams=False
    )
    frame = new_frame(routine, row, context.frame, entry.definer)
    frame.result_table = routine.variable
    if routine.returns is not None:
        frame.returns = trees.unbounded(routine.returns)
    with context.session.inside(context.transaction):
        for _ in _play(script.call(frame, what=f"function {routine.title}"), entry.text):
            pass
    value, returns = frame.return_value, routine.returns
    if returns is not None and isinstance(value, str | bytes) and returns != frame.returns:
        return value[: returns.a]  # as CAST cuts it
    return value
