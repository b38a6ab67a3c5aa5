"""VERIFY DATABASE."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class VerifyDatabase(Statement):
    """VERIFY DATABASE"""

    title: ClassVar[str] = "VERIFY DATABASE"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return "VERIFY DATABASE"

    def run(self, context: Context) -> Result:
        """One row for each thing that contradicts its hash; a message if there is none."""
        from hartonomous.hql.maintenance import run_verify

        return run_verify(context)
