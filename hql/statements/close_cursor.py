"""CLOSE a cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CloseCursor(Statement):
    """CLOSE c"""

    cursor: Identifier
    title: ClassVar[str] = "CLOSE"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return f"CLOSE {self.cursor}"

    def run(self, context: Context) -> Result:
        """Lets the rows go."""
        from hartonomous.hql.scripts.cursor_statements import run_close

        return run_close(self.cursor, context)
