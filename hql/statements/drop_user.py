"""DROP USER."""

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
class DropUser(Statement):
    """DROP USER [IF EXISTS] u"""

    name: Identifier
    if_exists: bool = False
    title: ClassVar[str] = "DROP USER"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = "CONTROL"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name = children
        return cls(name, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP USER", "IF EXISTS" if self.if_exists else "", self.name)

    def run(self, context: Context) -> Result:
        """Takes away the user, what was granted to them, and their tokens."""
        from hartonomous.hql.security.changing import run_drop_user

        return run_drop_user(self, context)
