"""WHILE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class WhileLoop(Statement):
    """WHILE condition statement"""

    condition: Expression
    body: Statement
    title: ClassVar[str] = "WHILE"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return f"WHILE {self.condition} {self.body}"

    def inside(self) -> Iterator[tuple[Statement, str | None]]:
        yield self.body, "WHILE"

    def play(self, script: Script) -> Iterator[Result]:
        """Runs the body as long as the condition is true, in the limits of the whole loop."""
        from hartonomous.hql.scripts.signals import Break, Continue

        while script.test(self.condition):
            try:
                yield from script.play((self.body,))
            except Continue:
                continue
            except Break:
                break
