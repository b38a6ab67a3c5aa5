"""COPY: rows from a file, or to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, ObjectName, Option, Query, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import settings
from hartonomous.hql.syntax.printer import line, parens

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Copy(Statement):
    """COPY t [(columns)] FROM | TO path, or COPY (query) TO path; direction: FROM, TO.
    `path` is a string or a variable."""

    table: ObjectName | None
    columns: tuple[Identifier, ...]
    query: Query | None
    direction: str
    path: Expression
    options: tuple[Option, ...] = ()
    title: ClassVar[str] = "COPY"
    right: ClassVar[str] = "COPY FILES"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        source, direction, path, options = children
        table, columns, query = source
        return cls(table, columns, query, direction.upper, path, options or (), span=span)

    def __str__(self) -> str:
        return line(
            "COPY",
            self.table or f"({self.query})",
            parens(self.columns),
            self.direction,
            self.path,
            settings(self.options),
        )

    @property
    def effect(self) -> str:
        return "changes" if self.direction == "FROM" else "reads"

    def run(self, context: Context) -> Result:
        """Reads the file into the table, or writes rows into the file; all or nothing."""
        from hartonomous.hql.copying.copying import run_copy

        return run_copy(self, context)


def _source(children: list[Any], span: Span) -> tuple[Any, ...]:
    """(table, columns, query)"""
    if len(children) == 1:
        return None, (), children[0]
    table, columns = children
    return table, columns or (), None


Copy.rules = {"copy_source": _source}
