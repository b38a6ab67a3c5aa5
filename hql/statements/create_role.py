"""CREATE ROLE."""

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
class CreateRole(Statement):
    """CREATE ROLE [IF NOT EXISTS] r"""

    name: Identifier
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE ROLE"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = "CONTROL"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_not_exists, name = children
        return cls(name, bool(if_not_exists), span=span)

    def __str__(self) -> str:
        return line("CREATE ROLE", "IF NOT EXISTS" if self.if_not_exists else "", self.name)

    def run(self, context: Context) -> Result:
        """Makes the role, without members and rights."""
        from hartonomous.hql.security.changing import run_create_role

        return run_create_role(self, context)
