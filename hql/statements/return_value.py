"""RETURN."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, value


@frozen
class ReturnValue(Statement):
    """RETURN [expression]"""

    value: Expression | None = None
    title: ClassVar[str] = "RETURN"

    def __str__(self) -> str:
        return line("RETURN", self.value and value(self.value))
