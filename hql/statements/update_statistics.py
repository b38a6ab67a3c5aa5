"""UPDATE STATISTICS."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import ObjectName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class UpdateStatistics(Statement):
    """UPDATE STATISTICS t"""

    table: ObjectName
    title: ClassVar[str] = "UPDATE STATISTICS"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return f"UPDATE STATISTICS {self.table}"

    def run(self, context: Context) -> Result:
        """Looks at all columns of a table now; UNKNOWN_TABLE, and BIND for a view."""
        from hartonomous.hql.statistics.update import run_update_statistics

        return run_update_statistics(self, context)
