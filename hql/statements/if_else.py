"""IF … ELSE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class IfElse(Statement):
    """IF condition statement [ELSE statement]"""

    condition: Expression
    then: Statement
    otherwise: Statement | None = None
    title: ClassVar[str] = "IF"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return line("IF", self.condition, self.then, self.otherwise and f"ELSE {self.otherwise}")

    def inside(self) -> Iterator[tuple[Statement, str | None]]:
        yield self.then, None
        if self.otherwise is not None:
            yield self.otherwise, None

    def play(self, script: Script) -> Iterator[Result]:
        """Runs one of the branches. A condition that is unknown is not true."""
        if script.test(self.condition):
            yield from script.play((self.then,))
        elif self.otherwise is not None:
            yield from script.play((self.otherwise,))
