"""ROLLBACK, whole or to a savepoint."""

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
class Rollback(Statement):
    """ROLLBACK [TRAN [savepoint]] | ROLLBACK TO [SAVEPOINT] savepoint"""

    savepoint: Identifier | None = None
    title: ClassVar[str] = "ROLLBACK"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return line("ROLLBACK TRAN", self.savepoint) if self.savepoint else "ROLLBACK"

    def run(self, context: Context) -> Result:
        """Undoes the open transaction, or what came after a savepoint. In the CATCH of an error
        that ended the transaction it finds none, and that is no error: the first is to be told."""
        session = context.session
        if self.savepoint is not None:
            session.rollback_to(self.savepoint.text)
        elif session.was_undone and session.status.caught and not session.in_transaction:
            session.was_undone = False
        else:
            session.rollback()
        return Result()
