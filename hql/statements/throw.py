"""THROW."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, values


@frozen
class Throw(Statement):
    """THROW [number, message, state]; without values it raises again what CATCH caught."""

    number: Expression | None = None
    message: Expression | None = None
    state: Expression | None = None
    title: ClassVar[str] = "THROW"

    def __str__(self) -> str:
        given = [v for v in (self.number, self.message, self.state) if v]
        return line("THROW", values(given))
