"""DELETE [FROM] … [FROM …] [WHERE …]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, ObjectName, Relation, Span, Variable
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result
from hartonomous.hql.statements.parts import Output, With


@frozen
class Delete(Statement):
    """`table` may be an alias that the second FROM (`source`) declares."""

    table: ObjectName | Variable
    alias: Identifier | None = None
    output: Output | None = None
    source: Relation | None = None
    where: Expression | None = None
    ctes: With | None = None
    title: ClassVar[str] = "DELETE"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        table, alias, output, source, where = children
        return cls(table, alias, output, source, where, span=span)

    def __str__(self) -> str:
        return line(
            self.ctes,
            "DELETE FROM",
            self.table,
            self.alias and f"AS {self.alias}",
            self.output,
            self.source and f"FROM {self.source}",
            self.where and f"WHERE {self.where}",
        )

    def run(self, context: Context) -> Result:
        """Deletes the rows that WHERE and FROM give."""
        from hartonomous.hql.changes.dml import run_delete

        return run_delete(self, context)
