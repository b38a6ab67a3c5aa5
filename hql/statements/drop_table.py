"""DROP TABLE."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropNames

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropTable(DropNames):
    """DROP TABLE [IF EXISTS] a, b"""

    title: ClassVar[str] = "DROP TABLE"
    right: ClassVar[str] = ""

    def run(self, context: Context) -> Result:
        """Drops each table."""
        from hartonomous.hql.changes.dropping import run_drop

        return run_drop(context, "table", self.names, self.if_exists)
