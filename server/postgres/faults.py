"""Errors as PostgreSQL's clients get them: ErrorResponse with SQLSTATE, position and hint."""

from __future__ import annotations

import re

from hartonomous.server.postgres import replies
from hartonomous.server.sqlstates import sqlstate_of
from hartonomous.storage.errors import Error

_NUMBERED = re.compile(r"(?<![\w@])@(\d+)\b")
#: SQLSTATEs of what is said here without an Error of ours
PROTOCOL_VIOLATION, FAILED_TRANSACTION, SHUTDOWN = "08P01", "25P02", "57P01"
UNKNOWN_STATEMENT, UNKNOWN_PORTAL = "26000", "34000"


class Refused(Exception):
    """What the protocol itself refuses, as an unknown portal: said, and the connection goes on."""

    def __init__(self, sqlstate: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate, self.message, self.hint = sqlstate, message, hint


def response(fault: Error | Refused, text: str = "", *, severity: str = "ERROR") -> bytes:
    """ErrorResponse. `text` is what the client sent, in which the position is counted, from 1 and
    in characters; what happened inside a routine has its place in words."""
    sqlstate = fault.sqlstate if isinstance(fault, Refused) else sqlstate_of(fault)
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": _message(fault, text)}
    hint = _hint(fault) or fault.hint
    if hint:
        fields["H"] = hint
    if isinstance(fault, Error):
        if fault.line is not None and fault.routine is None and text:
            fields["P"] = str(position(text, fault.line, fault.column or 1))
        elif fault.place:
            fields["W"] = fault.place
        fields["R"] = fault.code
    return replies.error(fields)


def _hint(fault: Error | Refused) -> str | None:
    """What PostgreSQL's users may not know of HQL."""
    if isinstance(fault, Error) and fault.code == "SYNTAX":
        if fault.message.upper().startswith('"RETURNING"'):
            return "HQL has INSERT INTO t (a) OUTPUT inserted.id VALUES (…) in place of RETURNING"
        if fault.message.startswith('"::"'):
            return "CAST(x AS type)"
    return None


def _message(fault: Error | Refused, text: str) -> str:
    """The message in the client's words: its `$1` is `@1` to HQL. What shows the place in the text
    is left to the client, which is told the position."""
    message = fault.message
    if isinstance(fault, Error) and fault.code == "SYNTAX" and fault.line is not None and text:
        message = message.split("\n", 1)[0]
    return _NUMBERED.sub(r"$\1", message) if "$" in text else message


def fatal(sqlstate: str, message: str) -> bytes:
    """ErrorResponse before the connection is closed."""
    return replies.error({"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": message})


def position(text: str, line: int, column: int) -> int:
    """The character, from 1, at a line and column from 1."""
    start = 0
    for _ in range(line - 1):
        end = text.find("\n", start)
        if end < 0:
            break
        start = end + 1
    return min(start + column, len(text) + 1)
