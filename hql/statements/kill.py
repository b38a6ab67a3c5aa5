"""KILL n, KILL STATEMENT n."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Builder, Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Kill(Statement):
    """KILL [STATEMENT] n; the number is a constant or a variable"""

    number: Expression
    one_statement: bool = False
    title: ClassVar[str] = "KILL"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "controls"
    rules: ClassVar[Mapping[str, Builder]] = {"kill_one": lambda children, span: True}

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        one_statement, number = children
        return cls(number, bool(one_statement), span=span)

    def __str__(self) -> str:
        return f"KILL STATEMENT {self.number}" if self.one_statement else f"KILL {self.number}"

    def run(self, context: Context) -> Result:
        """Ends a session, or stops one statement of one."""
        from hartonomous.hql.killing import run_kill

        return run_kill(self, context)
