"""DROP TOKEN."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropToken(DropName):
    """DROP TOKEN [IF EXISTS] t"""

    title: ClassVar[str] = "DROP TOKEN"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def run(self, context: Context) -> Result:
        """Whoever has the token cannot come in with it any more."""
        from hartonomous.hql.security.tokens import run_drop_token

        return run_drop_token(self, context)
