"""DROP INDEX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropIndex(Statement):
    """DROP INDEX [IF EXISTS] ix [ON t]"""

    name: ObjectName
    table: ObjectName | None = None
    if_exists: bool = False
    title: ClassVar[str] = "DROP INDEX"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name, table = children
        return cls(name, table, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line(
            "DROP INDEX",
            "IF EXISTS" if self.if_exists else "",
            self.name,
            self.table and f"ON {self.table}",
        )

    def run(self, context: Context) -> Result:
        """Takes a key off its table."""
        from hartonomous.hql.changes.indexes import run_drop_index

        return run_drop_index(self, context)
