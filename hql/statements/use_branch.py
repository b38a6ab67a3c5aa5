"""USE BRANCH."""

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
class UseBranch(Statement):
    """USE BRANCH b. It is played, as it needs no transaction: the branch that the session is on may
    be gone."""

    name: Identifier
    title: ClassVar[str] = "USE BRANCH"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return line("USE BRANCH", self.name)

    def play(self, script: Script) -> Iterator[Result]:
        """The session reads and writes that branch from now on."""
        script.session.use_branch(self.name.text)
        return iter(())
