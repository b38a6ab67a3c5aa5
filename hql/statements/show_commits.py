"""SHOW COMMITS."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class ShowCommits(Statement):
    """SHOW COMMITS"""

    title: ClassVar[str] = "SHOW COMMITS"
    right: ClassVar[str] = "VIEW HISTORY"
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return "SHOW COMMITS"

    def run(self, context: Context) -> Result:
        """The commits of the database, the newest first."""
        from hartonomous.hql.maintenance import run_show_commits

        return run_show_commits(context)
