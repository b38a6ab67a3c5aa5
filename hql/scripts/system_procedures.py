"""Procedures of the system, called by EXEC as users' own are. One is a function and a line in
SYSTEM_PROCEDURES.

    EXEC sp_executesql N'SELECT @n + 1', N'@n INT, @out INT OUTPUT', @n = 1, @out = @x OUTPUT
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.bind.context import fault
from hartonomous.hql.scripts.routines import PROCEDURE, Routine, routine_of
from hartonomous.hql.types import NVARCHAR
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script
    from hartonomous.hql.statements.execute import Argument, Execute


def _execute_text(statement: Execute, script: Script) -> Iterator[Result]:
    """sp_executesql text [, parameters, argument, …]: runs a text that has parameters. It sees no
    variables of the caller."""
    from hartonomous.hql.scripts.calling import evaluate_arguments, give_back, new_frame

    given = statement.arguments
    if not given:
        message = "sp_executesql takes (@stmt NVARCHAR, [@params NVARCHAR], …), not 0 arguments"
        raise fault(statement.span, message, "ARGUMENTS")
    text = _text(given[0], "stmt", script)
    described = _text(given[1], "params", script) if len(given) > 1 else None
    routine = _routine(described, given[1] if len(given) > 1 else given[0])
    values, outputs = evaluate_arguments(statement, given[2:], routine, script)
    frame = new_frame(routine, values, script.frame, script.text_definer)
    frame.routine = "text of sp_executesql"
    callee = script.call(frame, what="sp_executesql")
    yield from callee.play_text(script.session.prepared(text or ""))
    give_back(statement, callee, outputs, script.frame)


def _text(argument: Argument, name: str, script: Script) -> Any:
    """The value of one of the first two arguments."""
    if argument.name is not None and fold(argument.name) not in (name, "statement"):
        message = f"sp_executesql: this argument is @{name}, not @{argument.name}"
        raise fault(argument.span, message, "ARGUMENTS")
    if argument.value is None or argument.output:
        raise fault(argument.span, f"sp_executesql: @{name} is a text", "ARGUMENTS")
    return script.evaluate(argument.value, NVARCHAR, key=name)


def _routine(described: str | None, argument: Argument) -> Routine:
    """The parameters that a text like `@a INT, @b INT OUTPUT` describes."""
    from hartonomous.hql.statements.create_procedure import CreateProcedure
    from hartonomous.hql.syntax.parse import parse_batch

    if not described or not described.strip():
        return Routine("sp_executesql", PROCEDURE, (), (), "")
    hint = "N'@a INT, @b NVARCHAR(10) OUTPUT'"
    try:
        (statement,) = parse_batch(f"CREATE PROCEDURE p {described} AS RETURN")
        assert isinstance(statement, CreateProcedure), statement
        routine = routine_of(statement, "sp_executesql", "")
    except Error as error:
        reason = error.message.partition("\n")[0]
        message = f"sp_executesql: @params are the text's parameters: {reason}"
        raise fault(argument.span, message, "ARGUMENTS", hint) from None
    if [str(s) for s in routine.body] != ["RETURN"]:
        message = "sp_executesql: @params are the text's parameters, and nothing else"
        raise fault(argument.span, message, "ARGUMENTS", hint)
    names = [fold(p.name) for p in routine.parameters]
    if len(set(names)) < len(names):
        raise fault(argument.span, "sp_executesql: a parameter is there twice", "ARGUMENTS")
    return routine


#: by folded name
SYSTEM_PROCEDURES: Final[Mapping[str, Callable[[Execute, Script], Iterator[Result]]]] = {
    "sp_executesql": _execute_text,
}
