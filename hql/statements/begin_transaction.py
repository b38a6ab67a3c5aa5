"""BEGIN TRAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.printer import line
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class BeginTransaction(Statement):
    """BEGIN TRAN[SACTION] [name]"""

    name: Identifier | None = None
    title: ClassVar[str] = "BEGIN TRAN"

    def __str__(self) -> str:
        return line("BEGIN TRAN", self.name)
