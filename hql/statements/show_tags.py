"""SHOW TAGS."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class ShowTags(Statement):
    """SHOW TAGS"""

    title: ClassVar[str] = "SHOW TAGS"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    def __str__(self) -> str:
        return "SHOW TAGS"

    def run(self, context: Context) -> Result:
        """The tags, by name."""
        from hartonomous.hql.history.tags import run_show_tags

        return run_show_tags(context)
