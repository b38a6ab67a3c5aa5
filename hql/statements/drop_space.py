"""DROP SPACE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropSpace(Statement):
    """DROP SPACE [IF EXISTS] s"""

    name: Identifier
    if_exists: bool = False
    title: ClassVar[str] = "DROP SPACE"
    right: ClassVar[str] = "ALTER"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name = children
        return cls(name, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP SPACE", "IF EXISTS" if self.if_exists else "", self.name)

    def run(self, context: Context) -> Result:
        """Drops the space and its landmarks; points that were projected stay as they are."""
        from hartonomous.hql.spaces.creating import run_drop_space

        return run_drop_space(self, context)
