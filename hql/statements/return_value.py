"""RETURN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, value

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class ReturnValue(Statement):
    """RETURN [expression]"""

    value: Expression | None = None
    title: ClassVar[str] = "RETURN"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return line("RETURN", self.value and value(self.value))

    @property
    def needs(self) -> str | None:
        return "ROUTINE" if self.value is not None else None

    def play(self, script: Script) -> Iterator[Result]:
        """Leaves the text; a procedure returns an INT, and 0 if it does not say."""
        from hartonomous.hql.scripts.signals import Return

        if self.value is not None:
            script.frame.return_value = script.evaluate(self.value, script.frame.returns)
        raise Return
