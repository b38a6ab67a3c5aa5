"""CREATE TOKEN."""

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
class CreateToken(Statement):
    """CREATE TOKEN t FOR u [WITH EXPIRES = '30 days']"""

    name: Identifier
    user: Identifier
    option: Option | None = None
    title: ClassVar[str] = "CREATE TOKEN"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return line(
            "CREATE TOKEN",
            self.name,
            f"FOR {self.user}",
            self.option and user_settings((self.option,)),
        )

    def run(self, context: Context) -> Result:
        """Makes a token that stands for a user, and shows it once."""
        from hartonomous.hql.security.tokens import run_create_token

        return run_create_token(self, context)
