"""EXPLAIN [ANALYZE]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Explain(Statement):
    """EXPLAIN [ANALYZE] statement"""

    statement: Statement
    analyze: bool = False
    title: ClassVar[str] = "EXPLAIN"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        analyze, statement = children
        return cls(statement, analyze is not None, span=span)

    def __str__(self) -> str:
        return line("EXPLAIN", "ANALYZE" if self.analyze else "", self.statement)

    @property
    def effect(self) -> str:
        """ANALYZE of a change makes it."""
        return self.statement.effect if self.analyze else "reads"

    def run(self, context: Context) -> Result:
        """The operator tree, one line a row; ANALYZE runs the statement first."""
        from hartonomous.hql.maintenance import run_explain

        return run_explain(self, context)
