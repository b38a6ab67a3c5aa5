"""BEGIN … END."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import statements


@frozen
class Block(Statement):
    """BEGIN statements END"""

    body: tuple[Statement, ...]
    title: ClassVar[str] = "BEGIN"

    def __str__(self) -> str:
        return f"BEGIN {statements(self.body)} END"
