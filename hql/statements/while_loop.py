"""WHILE."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class WhileLoop(Statement):
    """WHILE condition statement"""

    condition: Expression
    body: Statement
    title: ClassVar[str] = "WHILE"

    def __str__(self) -> str:
        return f"WHILE {self.condition} {self.body}"
