"""TRUNCATE TABLE: every row goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import ObjectName
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class TruncateTable(Statement):
    """TRUNCATE TABLE t"""

    table: ObjectName
    title: ClassVar[str] = "TRUNCATE TABLE"

    def __str__(self) -> str:
        return f"TRUNCATE TABLE {self.table}"
