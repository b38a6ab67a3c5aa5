"""USE BRANCH."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class UseBranch(Statement):
    """USE BRANCH b"""

    name: Identifier
    title: ClassVar[str] = "USE BRANCH"
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return line("USE BRANCH", self.name)

    def run(self, context: Context) -> Result:
        """The session reads and writes that branch from now on."""
        from hartonomous.hql.history.branches import run_use_branch

        return run_use_branch(self, context)
