"""DEALLOCATE a cursor."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class Deallocate(Statement):
    """DEALLOCATE c"""

    cursor: Identifier
    title: ClassVar[str] = "DEALLOCATE"

    def __str__(self) -> str:
        return f"DEALLOCATE {self.cursor}"
