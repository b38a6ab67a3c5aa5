"""EXEC(text)."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import value


@frozen
class ExecuteText(Statement):
    """EXEC(expression): runs the text it gives"""

    text: Expression
    title: ClassVar[str] = "EXEC"

    def __str__(self) -> str:
        return f"EXEC({value(self.text)})"
