"""MERGE BRANCH."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class MergeBranch(Statement):
    """MERGE BRANCH b [TAKE OURS | THEIRS]; take: OURS, THEIRS. It gives rows before it fails, so it
    is played."""

    name: Identifier
    take: str | None = None
    title: ClassVar[str] = "MERGE BRANCH"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return line("MERGE BRANCH", self.name, self.take and f"TAKE {self.take}")

    def play(self, script: Script) -> Iterator[Result]:
        """Brings what a branch changed to the session's; conflicts are rows, and an error."""
        from hartonomous.hql.history.merging import play_merge

        return play_merge(self, script)


MergeBranch.rules = {
    "take_ours": lambda children, span: "OURS",
    "take_theirs": lambda children, span: "THEIRS",
}
