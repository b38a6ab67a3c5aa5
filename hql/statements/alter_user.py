"""ALTER USER."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier, Option
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import user_settings
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class AlterUser(Statement):
    """ALTER USER u WITH PASSWORD = '…', ENABLED = OFF, …"""

    name: Identifier
    options: tuple[Option, ...]
    title: ClassVar[str] = "ALTER USER"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return line("ALTER USER", self.name, user_settings(self.options))

    def run(self, context: Context) -> Result:
        """Changes the user; everybody may change their own password."""
        from hartonomous.hql.security.changing import run_alter_user

        return run_alter_user(self, context)
