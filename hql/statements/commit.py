"""COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.result import Result
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


@frozen
class Commit(Statement):
    """COMMIT [TRAN[SACTION] [name]]"""

    name: Identifier | None = None
    title: ClassVar[str] = "COMMIT"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return line("COMMIT TRAN", self.name) if self.name else "COMMIT"

    def run(self, context: Context) -> Result:
        """Ends the innermost BEGIN TRAN; the outermost makes durable, and CONFLICT undoes it."""
        context.session.end()
        return Result()
