"""RAISERROR."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.errors import SyntaxFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import values

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class RaiseError(Statement):
    """RAISERROR(message, severity, state, arguments …) [WITH NOWAIT]

    Messages never wait, so NOWAIT says nothing new; it is kept as it is habitual."""

    message: Expression
    severity: Expression
    state: Expression
    arguments: tuple[Expression, ...] = ()
    no_wait: bool = False
    title: ClassVar[str] = "RAISERROR"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        message, severity, state, *arguments, option = children
        return cls(message, severity, state, tuple(arguments), option is not None, span=span)

    def __str__(self) -> str:
        given = values((self.message, self.severity, self.state, *self.arguments))
        return f"RAISERROR({given})" + (" WITH NOWAIT" if self.no_wait else "")

    def play(self, script: Script) -> Iterator[Result]:
        """Severities up to 10 are messages, higher ones errors."""
        from hartonomous.hql.scripts.raising import raise_error

        raise_error(self, script)
        return iter(())


def _option(children: list[Any], span: Span) -> bool:
    """WITH NOWAIT; LOG and SETERROR are the server's."""
    (name,) = children
    if name.text.upper() != "NOWAIT":
        raise SyntaxFault(
            f'RAISERROR … WITH NOWAIT, not "{name.text}"', line=span.line, column=span.column
        )
    return True


RaiseError.rules = {"raise_error_option": _option}
