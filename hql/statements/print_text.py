"""PRINT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class PrintText(Statement):
    """PRINT expression"""

    value: Expression
    title: ClassVar[str] = "PRINT"

    def __str__(self) -> str:
        return f"PRINT {self.value}"
