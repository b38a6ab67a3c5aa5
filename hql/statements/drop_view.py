"""DROP VIEW."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropNames

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropView(DropNames):
    """DROP VIEW [IF EXISTS] a, b"""

    title: ClassVar[str] = "DROP VIEW"
    right: ClassVar[str] = ""

    def run(self, context: Context) -> Result:
        """Drops each view."""
        from hartonomous.hql.changes.dropping import run_drop

        return run_drop(context, "view", self.names, self.if_exists)
