"""SAVE TRAN s, SAVEPOINT s."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.result import Result
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


@frozen
class Savepoint(Statement):
    """SAVE TRAN[SACTION] s | SAVEPOINT s"""

    name: Identifier
    title: ClassVar[str] = "SAVE TRAN"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return f"SAVE TRAN {self.name}"

    def run(self, context: Context) -> Result:
        """Marks a point to go back to; TRANSACTION if no transaction is open."""
        context.session.save(self.name.text)
        return Result()
