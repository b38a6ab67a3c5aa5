"""DROP BRANCH."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropBranch(DropName):
    """DROP BRANCH [IF EXISTS] b"""

    title: ClassVar[str] = "DROP BRANCH"
    right: ClassVar[str] = "BRANCH"
    usual_effect: ClassVar[str] = "controls"

    def run(self, context: Context) -> Result:
        """Removes the branch."""
        from hartonomous.hql.history.branches import run_drop_branch

        return run_drop_branch(self, context)
