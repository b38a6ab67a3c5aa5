"""WHILE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class WhileLoop(Statement):
    """WHILE condition statement"""

    condition: Expression
    body: Statement
    title: ClassVar[str] = "WHILE"

    def __str__(self) -> str:
        return f"WHILE {self.condition} {self.body}"
