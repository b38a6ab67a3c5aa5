"""CONTINUE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class ContinueLoop(Statement):
    """CONTINUE"""

    title: ClassVar[str] = "CONTINUE"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return "CONTINUE"

    @property
    def needs(self) -> str | None:
        return "WHILE"

    def play(self, script: Script) -> Iterator[Result]:
        """Begins the loop's next turn."""
        from hartonomous.hql.scripts.signals import Continue

        raise Continue
