"""REVERT COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class RevertCommit(Statement):
    """REVERT COMMIT 'hash'"""

    commit: Expression
    title: ClassVar[str] = "REVERT COMMIT"
    right: ClassVar[str] = "CONTROL"

    def __str__(self) -> str:
        return f"REVERT COMMIT {value(self.commit)}"

    def run(self, context: Context) -> Result:
        """Takes back what a commit changed."""
        from hartonomous.hql.history.reverting import run_revert

        return run_revert(self, context)
