"""THROW and RAISERROR: errors of a script's own."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Final, NoReturn

from hartonomous.hql.ast import Expression
from hartonomous.hql.errors import ExecutionFault, RaisedFault
from hartonomous.hql.scripts.errors import RAISED
from hartonomous.hql.scripts.message_format import MessageFormat, format_message
from hartonomous.hql.types import INT, NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.scripts.script import Script
    from hartonomous.hql.statements.raise_error import RaiseError
    from hartonomous.hql.statements.throw import Throw

#: severities up to this one are messages
MESSAGE_SEVERITY_MAX: Final = 10
#: higher ones are the server's own
SEVERITY_MAX: Final = 18
STATE_MAX: Final = 255


def throw(statement: Throw, script: Script) -> NoReturn:
    """Raises the statement's error, or the one that CATCH deals with again, as it was."""
    if statement.number is None or statement.message is None or statement.state is None:
        raise script.session.status.caught[-1]
    number = _number(statement.number, script, "THROW: the number", RAISED, 2**31 - 1)
    message = script.evaluate(statement.message, NVARCHAR, key="message")
    state = _number(statement.state, script, "THROW: the state", 0, STATE_MAX)
    script.session.note_error()
    raise RaisedFault(message or "", number=number, state=state)


def raise_error(statement: RaiseError, script: Script) -> None:
    """Raises the error, or says the message. As in T-SQL, XACT_ABORT has no effect on it."""
    severity = _number(statement.severity, script, "RAISERROR: the severity", 0, SEVERITY_MAX)
    state = _number(statement.state, script, "RAISERROR: the state", 0, STATE_MAX)
    (type_, pattern), *arguments = script.values((statement.message, *statement.arguments))
    if pattern is not None and type_.kind != "NVARCHAR":
        raise _bad(
            statement.message,
            "RAISERROR takes the message itself: there are no messages by number",
            "RAISERROR ('a message', 16, 1)",
        )
    try:
        message = format_message(pattern or "", [value for _, value in arguments])
    except MessageFormat as wrong:
        raise _bad(statement.message, f"RAISERROR: {wrong}", wrong.hint) from None
    if severity > MESSAGE_SEVERITY_MAX:
        raise RaisedFault(message, number=RAISED, severity=severity, state=state)
    script.limits.outermost.hold(getsizeof(message))
    script.messages.append(message)
    script.session.status.note_rows(0)


def _number(expression: Expression, script: Script, what: str, least: int, most: int) -> int:
    value = script.evaluate(expression, INT, key=what)
    if value is None or not least <= value <= most:
        shown = "NULL" if value is None else f"{value}"
        raise _bad(expression, f"{what} is {least} to {most}, not {shown}", None)
    return int(value)


def _bad(expression: Expression, message: str, hint: str | None) -> ExecutionFault:
    span = expression.span
    return ExecutionFault(message, code="BAD_VALUE", line=span.line, column=span.column, hint=hint)
