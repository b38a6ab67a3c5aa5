"""BREAK."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class BreakLoop(Statement):
    """BREAK"""

    title: ClassVar[str] = "BREAK"

    def __str__(self) -> str:
        return "BREAK"
