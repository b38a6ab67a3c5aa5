"""DROP SCHEMA."""

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
class DropSchema(Statement):
    """DROP SCHEMA [IF EXISTS] s"""

    name: Identifier
    if_exists: bool = False
    title: ClassVar[str] = "DROP SCHEMA"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name = children
        return cls(name, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP SCHEMA", "IF EXISTS" if self.if_exists else "", self.name)

    def run(self, context: Context) -> Result:
        """Drops the schema, which must be empty."""
        from hartonomous.hql.changes.dropping import run_drop_schema

        return run_drop_schema(self, context)
