"""VACUUM [t]."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import ObjectName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Vacuum(Statement):
    """VACUUM [t]"""

    table: ObjectName | None = None
    title: ClassVar[str] = "VACUUM"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return "VACUUM" if self.table is None else f"VACUUM {self.table}"

    def run(self, context: Context) -> Result:
        """Removes for good what is older than the retention; one row of figures."""
        from hartonomous.hql.keeping import run_vacuum

        return run_vacuum(self, context)
