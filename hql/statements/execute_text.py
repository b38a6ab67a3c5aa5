"""EXEC(text)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import value
from hartonomous.hql.types import NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class ExecuteText(Statement):
    """EXEC(expression): runs the text it gives"""

    text: Expression
    title: ClassVar[str] = "EXEC"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        return f"EXEC({value(self.text)})"

    def play(self, script: Script) -> Iterator[Result]:
        """Runs the text as a batch of its own, which sees no variables of this one. NULL is an
        empty text."""
        from hartonomous.hql.scripts.frame import Frame

        text = script.evaluate(self.text, NVARCHAR)
        frame = Frame(caller=script.frame, routine="text of EXEC", definer=script.text_definer)
        callee = script.call(frame, what="EXEC")
        return callee.play_text(script.session.prepared(text or ""))
