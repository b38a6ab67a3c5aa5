"""BREAK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class BreakLoop(Statement):
    """BREAK"""

    title: ClassVar[str] = "BREAK"

    def __str__(self) -> str:
        return "BREAK"
