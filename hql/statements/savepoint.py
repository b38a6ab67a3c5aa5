"""SAVE TRAN s, SAVEPOINT s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class Savepoint(Statement):
    """SAVE TRAN[SACTION] s | SAVEPOINT s"""

    name: Identifier
    title: ClassVar[str] = "SAVE TRAN"

    def __str__(self) -> str:
        return f"SAVE TRAN {self.name}"
