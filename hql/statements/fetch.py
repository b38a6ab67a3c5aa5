"""FETCH: the next row of a cursor, or another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_expressions import constant
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Fetch(Statement):
    """FETCH [direction] FROM c [INTO @a, @b]; direction: NEXT, PRIOR, FIRST, LAST, ABSOLUTE n,
    RELATIVE n (`number`). `into` are names of variables without their marks; without INTO the row
    is a result."""

    direction: str
    cursor: Identifier
    into: tuple[str, ...] = ()
    number: Expression | None = None
    title: ClassVar[str] = "FETCH"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        (direction, number), cursor, *into = children
        names = tuple(v.name for v in into if v)
        return cls(direction, cursor, names, number, span=span)

    def __str__(self) -> str:
        return line(
            "FETCH",
            self.direction,
            self.number,
            "FROM",
            self.cursor,
            self.into and f"INTO {', '.join('@' + name for name in self.into)}",
        )

    def run(self, context: Context) -> Result:
        """Goes to a row, whose values are the result or go into the variables."""
        from hartonomous.hql.scripts.cursor_statements import run_fetch

        return run_fetch(self, context)


Fetch.rules = {
    "fetch_next": constant(("NEXT", None)),
    "fetch_prior": constant(("PRIOR", None)),
    "fetch_first_row": constant(("FIRST", None)),
    "fetch_last": constant(("LAST", None)),
    "fetch_absolute": lambda children, span: ("ABSOLUTE", children[0]),
    "fetch_relative": lambda children, span: ("RELATIVE", children[0]),
}
