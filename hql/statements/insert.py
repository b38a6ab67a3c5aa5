"""INSERT: rows from VALUES, a query, or defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, ObjectName, Query, Span, Variable
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_expressions import constant
from hartonomous.hql.syntax.printer import line, parens

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result
    from hartonomous.storage.errors import Error
from hartonomous.hql.statements.parts import Output, With


@frozen
class Insert(Statement):
    """`source` None is DEFAULT VALUES. `table` is a Variable for a table variable."""

    table: ObjectName | Variable
    columns: tuple[Identifier, ...]
    source: Query | None
    output: Output | None = None
    ctes: With | None = None
    title: ClassVar[str] = "INSERT"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        table, columns, output, source = children
        return cls(table, columns or (), source, output, span=span)

    def __str__(self) -> str:
        return line(
            self.ctes,
            "INSERT INTO",
            self.table,
            parens(self.columns),
            self.output,
            self.source or "DEFAULT VALUES",
        )

    def span_of(self, error: Error) -> Span:
        """Of the value that breaks a constraint, where that is known."""
        from hartonomous.hql.changes.offences import span_in_values

        return span_in_values(self, error)

    def run(self, context: Context) -> Result:
        """Adds the rows; all or none."""
        from hartonomous.hql.changes.dml import run_insert

        return run_insert(self, context)


def _from_paren(children: list[Any], span: Span) -> Insert:
    table, columns, query = children
    return Insert(table, columns or (), query, span=span)


Insert.rules = {"insert_from_paren": _from_paren, "default_values": constant(None)}
