"""DROP FUNCTION."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropNames

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropFunction(DropNames):
    """DROP FUNCTION [IF EXISTS] a, b"""

    title: ClassVar[str] = "DROP FUNCTION"
    right: ClassVar[str] = ""

    def run(self, context: Context) -> Result:
        """Drops each function."""
        from hartonomous.hql.changes.routines import run_drop

        return run_drop(context, "function", self.names, self.if_exists)
