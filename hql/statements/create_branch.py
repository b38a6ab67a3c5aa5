"""CREATE BRANCH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateBranch(Statement):
    """CREATE BRANCH b [FROM COMMIT 'hash' | FROM BRANCH x]"""

    name: Identifier
    commit: Expression | None = None
    source: Identifier | None = None
    title: ClassVar[str] = "CREATE BRANCH"
    right: ClassVar[str] = "BRANCH"
    usual_effect: ClassVar[str] = "controls"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        name, start = children
        return cls(name, *(start or (None, None)), span=span)

    def __str__(self) -> str:
        return line(
            "CREATE BRANCH",
            self.name,
            self.commit and f"FROM COMMIT {value(self.commit)}",
            self.source and f"FROM BRANCH {self.source}",
        )

    def run(self, context: Context) -> Result:
        """Makes the branch; nothing is copied."""
        from hartonomous.hql.history.branches import run_create_branch

        return run_create_branch(self, context)


CreateBranch.rules = {
    "start_commit": lambda children, span: (children[0], None),
    "start_branch": lambda children, span: (None, children[0]),
}
