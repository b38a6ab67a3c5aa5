"""BEGIN … END."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import statements

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class Block(Statement):
    """BEGIN statements END"""

    body: tuple[Statement, ...]
    title: ClassVar[str] = "BEGIN"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return f"BEGIN {statements(self.body)} END"

    def inside(self) -> Iterator[tuple[Statement, str | None]]:
        return ((statement, None) for statement in self.body)

    def play(self, script: Script) -> Iterator[Result]:
        """Runs the statements one after the other."""
        return script.play(self.body)
