"""DIFF COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression, ObjectName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DiffCommit(Statement):
    """DIFF COMMIT a, b [TABLE t]"""

    before: Expression
    after: Expression
    table: ObjectName | None = None
    title: ClassVar[str] = "DIFF COMMIT"
    right: ClassVar[str] = "VIEW HISTORY"
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return line(
            "DIFF COMMIT",
            f"{value(self.before)}, {value(self.after)}",
            self.table and f"TABLE {self.table}",
        )

    def run(self, context: Context) -> Result:
        """What is different in the second commit."""
        from hartonomous.hql.history.diff import run_diff

        return run_diff(self, context)
