"""OPEN a cursor."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class OpenCursor(Statement):
    """OPEN c"""

    cursor: Identifier
    title: ClassVar[str] = "OPEN"

    def __str__(self) -> str:
        return f"OPEN {self.cursor}"
