"""RAISERROR."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import values

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class RaiseError(Statement):
    """RAISERROR(message, severity, state, arguments …)"""

    message: Expression
    severity: Expression
    state: Expression
    arguments: tuple[Expression, ...] = ()
    title: ClassVar[str] = "RAISERROR"
    usual_effect: ClassVar[str] = "scripts"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        message, severity, state, *arguments = children
        return cls(message, severity, state, tuple(arguments), span=span)

    def __str__(self) -> str:
        return f"RAISERROR({values((self.message, self.severity, self.state, *self.arguments))})"

    def play(self, script: Script) -> Iterator[Result]:
        """Severities up to 10 are messages, higher ones errors."""
        from hartonomous.hql.scripts.raising import raise_error

        raise_error(self, script)
        return iter(())
