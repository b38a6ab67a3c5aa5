"""BEGIN TRAN."""

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
class BeginTransaction(Statement):
    """BEGIN TRAN[SACTION] [name]"""

    name: Identifier | None = None
    title: ClassVar[str] = "BEGIN TRAN"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return line("BEGIN TRAN", self.name)

    def run(self, context: Context) -> Result:
        """Opens a transaction; inside one it counts only."""
        context.session.begin(self.name.text if self.name is not None else None)
        return Result()
