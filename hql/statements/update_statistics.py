"""UPDATE STATISTICS."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import ObjectName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class UpdateStatistics(Statement):
    """UPDATE STATISTICS t"""

    table: ObjectName
    title: ClassVar[str] = "UPDATE STATISTICS"

    def __str__(self) -> str:
        return f"UPDATE STATISTICS {self.table}"
