"""CLOSE a cursor."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class CloseCursor(Statement):
    """CLOSE c"""

    cursor: Identifier
    title: ClassVar[str] = "CLOSE"

    def __str__(self) -> str:
        return f"CLOSE {self.cursor}"
