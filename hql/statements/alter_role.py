"""ALTER ROLE."""

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
class AlterRole(Statement):
    """ALTER ROLE r ADD | DROP MEMBER u"""

    name: Identifier
    verb: str  # ADD, DROP
    member: Identifier
    title: ClassVar[str] = "ALTER ROLE"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = "CONTROL"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        name, (verb, member) = children
        return cls(name, verb, member, span=span)

    def __str__(self) -> str:
        return line("ALTER ROLE", self.name, self.verb, "MEMBER", self.member)

    def run(self, context: Context) -> Result:
        """Makes a user or another role a member, or no member any more."""
        from hartonomous.hql.security.changing import run_alter_role

        return run_alter_role(self, context)


AlterRole.rules = {
    "member_added": lambda children, span: ("ADD", children[0]),
    "member_dropped": lambda children, span: ("DROP", children[0]),
}
