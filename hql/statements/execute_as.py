"""EXECUTE AS."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_expressions import constant, only
from hartonomous.hql.syntax.printer import value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class ExecuteAs(Statement):
    """EXECUTE AS USER = 'u' | EXECUTE AS CALLER; `user` None is CALLER"""

    user: Expression | None = None
    title: ClassVar[str] = "EXECUTE AS"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return "EXECUTE AS " + ("CALLER" if self.user is None else f"USER = {value(self.user)}")

    def run(self, context: Context) -> Result:
        """From now on the session may what that user may; CALLER ends it."""
        from hartonomous.hql.security.impersonating import run_execute_as

        return run_execute_as(self, context)


ExecuteAs.rules = {"as_user": only, "as_caller": constant(None)}
