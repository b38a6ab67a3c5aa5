"""CONTINUE."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class ContinueLoop(Statement):
    """CONTINUE"""

    title: ClassVar[str] = "CONTINUE"

    def __str__(self) -> str:
        return "CONTINUE"
