"""RAISERROR."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import values


@frozen
class RaiseError(Statement):
    """RAISERROR(message, severity, state, arguments …)"""

    message: Expression
    severity: Expression
    state: Expression
    arguments: tuple[Expression, ...] = ()
    title: ClassVar[str] = "RAISERROR"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        message, severity, state, *arguments = children
        return cls(message, severity, state, tuple(arguments), span=span)

    def __str__(self) -> str:
        return f"RAISERROR({values((self.message, self.severity, self.state, *self.arguments))})"
