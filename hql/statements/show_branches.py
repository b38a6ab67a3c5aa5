"""SHOW BRANCHES."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class ShowBranches(Statement):
    """SHOW BRANCHES"""

    title: ClassVar[str] = "SHOW BRANCHES"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return "SHOW BRANCHES"

    def run(self, context: Context) -> Result:
        """The branches, with where each began and its last commit."""
        from hartonomous.hql.history.branches import run_show_branches

        return run_show_branches(context)
