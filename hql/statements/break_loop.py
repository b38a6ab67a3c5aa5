"""BREAK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class BreakLoop(Statement):
    """BREAK"""

    title: ClassVar[str] = "BREAK"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return "BREAK"

    @property
    def needs(self) -> str | None:
        return "WHILE"

    def play(self, script: Script) -> Iterator[Result]:
        """Leaves the loop."""
        from hartonomous.hql.scripts.signals import Break

        raise Break
