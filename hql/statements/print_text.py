"""PRINT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class PrintText(Statement):
    """PRINT expression"""

    value: Expression
    title: ClassVar[str] = "PRINT"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return f"PRINT {value(self.value)}"

    def run(self, context: Context) -> Result:
        """Adds the value to the messages; NULL prints nothing but an empty line."""
        from hartonomous.hql.maintenance import run_print

        return run_print(self, context)
