"""DROP PROCEDURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import commas, line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropProcedure(Statement):
    """DROP PROCEDURE [IF EXISTS] a, b"""

    names: tuple[ObjectName, ...]
    if_exists: bool = False
    title: ClassVar[str] = "DROP PROCEDURE"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, *names = children
        return cls(tuple(names), bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP PROCEDURE", "IF EXISTS" if self.if_exists else "", commas(self.names))

    def run(self, context: Context) -> Result:
        """Drops each procedure."""
        from hartonomous.hql.changes.routines import run_drop

        return run_drop(context, "procedure", self.names, self.if_exists)
