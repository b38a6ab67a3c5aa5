"""UPDATE STATISTICS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import ObjectName
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class UpdateStatistics(Statement):
    """UPDATE STATISTICS t"""

    table: ObjectName
    title: ClassVar[str] = "UPDATE STATISTICS"

    def __str__(self) -> str:
        return f"UPDATE STATISTICS {self.table}"
