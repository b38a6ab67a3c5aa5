"""CREATE VIEW, CREATE OR ALTER VIEW, ALTER VIEW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, ObjectName, Query, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, parens

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateView(Statement):
    """mode: CREATE, CREATE OR ALTER, ALTER. `query.span` cuts out the text to keep."""

    name: ObjectName
    columns: tuple[Identifier, ...]
    query: Query
    mode: str = "CREATE"
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE VIEW"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        mode, if_not_exists, name, columns, query = children
        return cls(name, columns or (), query, mode, bool(if_not_exists), span=span)

    def __str__(self) -> str:
        return line(
            self.mode,
            "VIEW",
            "IF NOT EXISTS" if self.if_not_exists else "",
            self.name,
            parens(self.columns),
            "AS",
            self.query,
        )

    def run(self, context: Context) -> Result:
        """Keeps the query's text, once it binds."""
        from hartonomous.hql.changes.views import run_create_view

        return run_create_view(self, context)
