"""DECLARE … CURSOR FOR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, Query, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DeclareCursor(Statement):
    """DECLARE c CURSOR [LOCAL …] FOR query; `options` are upper-case words."""

    name: Identifier
    query: Query
    options: tuple[str, ...] = ()
    title: ClassVar[str] = "DECLARE CURSOR"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        name, *options, query = children
        return cls(name, query, tuple(o.text.upper() for o in options), span=span)

    def __str__(self) -> str:
        return line("DECLARE", self.name, "CURSOR", *self.options, "FOR", self.query)

    def run(self, context: Context) -> Result:
        """Makes the cursor; its query runs when it is opened."""
        from hartonomous.hql.scripts.cursor_statements import run_declare_cursor

        return run_declare_cursor(self, context)
