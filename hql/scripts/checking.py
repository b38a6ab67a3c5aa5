"""Whether the statements of a text stand where they may: BREAK and CONTINUE in a loop, THROW alone
in CATCH, RETURN with a value in a routine. Asked when a text is parsed, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.statements.base import Statement

_MESSAGES = {
    "WHILE": ("{0} stands outside a loop", "BREAK and CONTINUE belong into the body of a WHILE"),
    "CATCH": (
        "THROW alone stands outside CATCH",
        "THROW number, message, state raises an error of its own",
    ),
    "ROUTINE": (
        "RETURN with a value stands outside a procedure",
        "RETURN alone ends a batch; SELECT gives a value to the client",
    ),
}


def check_places(statements: Iterable[Statement], around: frozenset[str] = frozenset()) -> None:
    """Raises SyntaxFault for the first one at a wrong place. `around` says what the text stands in:
    nothing for a batch, {"ROUTINE"} for a routine's body."""
    for statement in statements:
        if statement.usual_effect != "scripts":
            continue
        needed = statement.needs
        if needed is not None and needed not in around:
            message, hint = _MESSAGES[needed]
            span = statement.span
            raise SyntaxFault(
                message.format(statement.title), line=span.line, column=span.column, hint=hint
            )
        for inner, what in statement.inside():
            check_places((inner,), around | {what} if what is not None else around)
