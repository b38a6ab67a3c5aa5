"""DROP SPACE."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropSpace(DropName):
    """DROP SPACE [IF EXISTS] s"""

    title: ClassVar[str] = "DROP SPACE"
    right: ClassVar[str] = "ALTER"

    def run(self, context: Context) -> Result:
        """Drops the space and its landmarks; points that were projected stay as they are."""
        from hartonomous.hql.spaces.creating import run_drop_space

        return run_drop_space(self, context)
