"""DROP TOKEN."""

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
class DropToken(Statement):
    """DROP TOKEN [IF EXISTS] t"""

    name: Identifier
    if_exists: bool = False
    title: ClassVar[str] = "DROP TOKEN"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name = children
        return cls(name, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP TOKEN", "IF EXISTS" if self.if_exists else "", self.name)

    def run(self, context: Context) -> Result:
        """Whoever has the token cannot come in with it any more."""
        from hartonomous.hql.security.tokens import run_drop_token

        return run_drop_token(self, context)
