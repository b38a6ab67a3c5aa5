"""DROP USER."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropUser(DropName):
    """DROP USER [IF EXISTS] u"""

    title: ClassVar[str] = "DROP USER"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = "CONTROL"

    def run(self, context: Context) -> Result:
        """Takes away the user, what was granted to them, and their tokens."""
        from hartonomous.hql.security.changing import run_drop_user

        return run_drop_user(self, context)
