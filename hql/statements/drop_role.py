"""DROP ROLE."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropRole(DropName):
    """DROP ROLE [IF EXISTS] r"""

    title: ClassVar[str] = "DROP ROLE"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = "CONTROL"

    def run(self, context: Context) -> Result:
        """Takes away the role, and what was granted to it."""
        from hartonomous.hql.security.changing import run_drop_role

        return run_drop_role(self, context)
