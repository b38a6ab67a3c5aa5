"""CREATE USER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, Option, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import user_settings
from hartonomous.hql.syntax.build_expressions import as_tuple
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateUser(Statement):
    """CREATE USER [IF NOT EXISTS] u [WITH PASSWORD = '…', …]"""

    name: Identifier
    options: tuple[Option, ...] = ()
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE USER"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = "CONTROL"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_not_exists, name, options = children
        return cls(name, options or (), bool(if_not_exists), span=span)

    def __str__(self) -> str:
        return line(
            "CREATE USER",
            "IF NOT EXISTS" if self.if_not_exists else "",
            self.name,
            user_settings(self.options),
        )

    def run(self, context: Context) -> Result:
        """Makes the user; the first one is an owner."""
        from hartonomous.hql.security.changing import run_create_user

        return run_create_user(self, context)


CreateUser.rules = {"user_settings": as_tuple}
