"""WAITFOR DELAY."""

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
class WaitFor(Statement):
    """WAITFOR DELAY '00:00:01' or a variable"""

    delay: Expression
    title: ClassVar[str] = "WAITFOR DELAY"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return f"WAITFOR DELAY {self.delay}"

    def play(self, script: Script) -> Iterator[Result]:
        """Does nothing for that long, less than 24 hours."""
        from hartonomous.hql.scripts.waiting import wait

        wait(self, script)
        return iter(())
