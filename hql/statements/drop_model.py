"""DROP MODEL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, Literal, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropModel(Statement):
    """DROP MODEL [IF EXISTS] m; an id is a literal"""

    name: Identifier | Literal
    if_exists: bool = False
    title: ClassVar[str] = "DROP MODEL"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name = children
        return cls(name, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP MODEL", "IF EXISTS" if self.if_exists else "", self.name)

    def run(self, context: Context) -> Result:
        """Drops the model, its versions and its rows."""
        from hartonomous.hql.models.dropping import run_drop_model

        return run_drop_model(self, context)
