"""UPDATE … SET … [FROM …] [WHERE …]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, ObjectName, Relation, Span, Variable
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import commas, line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result
    from hartonomous.storage.errors import Error
from hartonomous.hql.statements.parts import Assignment, Output, With


@frozen
class Update(Statement):
    """`table` may be an alias that FROM declares; `source` is FROM."""

    table: ObjectName | Variable
    alias: Identifier | None
    assignments: tuple[Assignment, ...]
    output: Output | None = None
    source: Relation | None = None
    where: Expression | None = None
    ctes: With | None = None
    title: ClassVar[str] = "UPDATE"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        table, alias, assignments, output, source, where = children
        return cls(table, alias, assignments, output, source, where, span=span)

    def __str__(self) -> str:
        return line(
            self.ctes,
            "UPDATE",
            self.table,
            self.alias and f"AS {self.alias}",
            "SET",
            commas(self.assignments),
            self.output,
            self.source and f"FROM {self.source}",
            self.where and f"WHERE {self.where}",
        )

    def span_of(self, error: Error) -> Span:
        """Of the value that breaks a constraint, where that is known."""
        from hartonomous.hql.changes.offences import span_in_set

        return span_in_set(self, error)

    def run(self, context: Context) -> Result:
        """Changes the rows that WHERE and FROM give."""
        from hartonomous.hql.changes.dml import run_update

        return run_update(self, context)


def _table_named_statistics(children: list[Any], span: Span) -> Update:
    name = ObjectName((Identifier("statistics", span=span),), span=span)
    return Update.build([name, None, *children], span)


Update.rules = {"update_table_statistics": _table_named_statistics}
