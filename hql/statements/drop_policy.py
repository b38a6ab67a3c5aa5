"""DROP POLICY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropPolicy(Statement):
    """DROP POLICY [IF EXISTS] p ON t"""

    name: Identifier
    table: ObjectName
    if_exists: bool = False
    title: ClassVar[str] = "DROP POLICY"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name, table = children
        return cls(name, table, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line(
            "DROP POLICY", "IF EXISTS" if self.if_exists else "", self.name, f"ON {self.table}"
        )

    def run(self, context: Context) -> Result:
        """Takes the policy away; a table without policies shows all rows."""
        from hartonomous.hql.security.policies import run_drop_policy

        return run_drop_policy(self, context)
