"""TRUNCATE TABLE: every row goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import ObjectName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class TruncateTable(Statement):
    """TRUNCATE TABLE t"""

    table: ObjectName
    title: ClassVar[str] = "TRUNCATE TABLE"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return f"TRUNCATE TABLE {self.table}"

    def run(self, context: Context) -> Result:
        """Deletes every row."""
        from hartonomous.hql.changes.dml import run_truncate

        return run_truncate(self, context)
