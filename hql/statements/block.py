"""BEGIN … END."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.printer import statements
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class Block(Statement):
    """BEGIN statements END"""

    body: tuple[Statement, ...]
    title: ClassVar[str] = "BEGIN"

    def __str__(self) -> str:
        return f"BEGIN {statements(self.body)} END"
