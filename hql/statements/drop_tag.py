"""DROP TAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropTag(DropName):
    """DROP TAG [IF EXISTS] t"""

    title: ClassVar[str] = "DROP TAG"
    right: ClassVar[str] = "BRANCH"
    usual_effect: ClassVar[str] = "controls"

    def run(self, context: Context) -> Result:
        """Takes the name from its commit."""
        from hartonomous.hql.history.tags import run_drop_tag

        return run_drop_tag(self, context)
