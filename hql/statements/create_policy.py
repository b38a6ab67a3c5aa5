"""CREATE POLICY."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression, Identifier, ObjectName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_expressions import only
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreatePolicy(Statement):
    """CREATE POLICY p ON t TO r USING (predicate) [WITH CHECK (predicate)]"""

    name: Identifier
    table: ObjectName
    role: Identifier
    using: Expression
    check: Expression | None = None
    title: ClassVar[str] = "CREATE POLICY"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return line(
            "CREATE POLICY",
            self.name,
            f"ON {self.table} TO {self.role} USING ({self.using})",
            self.check and f"WITH CHECK ({self.check})",
        )

    def run(self, context: Context) -> Result:
        """Lets members of the role see and change these rows of the table only."""
        from hartonomous.hql.security.policies import run_create_policy

        return run_create_policy(self, context)


CreatePolicy.rules = {"policy_check": only}
