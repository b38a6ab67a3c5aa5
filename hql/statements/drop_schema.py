"""DROP SCHEMA."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.dropping import DropName

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class DropSchema(DropName):
    """DROP SCHEMA [IF EXISTS] s"""

    title: ClassVar[str] = "DROP SCHEMA"
    right: ClassVar[str] = ""

    def run(self, context: Context) -> Result:
        """Drops the schema, which must be empty."""
        from hartonomous.hql.changes.dropping import run_drop_schema

        return run_drop_schema(self, context)
