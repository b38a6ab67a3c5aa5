"""CREATE TAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression, Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateTag(Statement):
    """CREATE TAG t [AT COMMIT 'hash']"""

    name: Identifier
    commit: Expression | None = None
    title: ClassVar[str] = "CREATE TAG"
    right: ClassVar[str] = "BRANCH"
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return line("CREATE TAG", self.name, self.commit and f"AT COMMIT {value(self.commit)}")

    def run(self, context: Context) -> Result:
        """Gives a commit a name."""
        from hartonomous.hql.history.tags import run_create_tag

        return run_create_tag(self, context)
