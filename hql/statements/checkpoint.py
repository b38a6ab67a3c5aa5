"""CHECKPOINT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Checkpoint(Statement):
    """CHECKPOINT"""

    title: ClassVar[str] = "CHECKPOINT"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "controls"

    def __str__(self) -> str:
        return "CHECKPOINT"

    def run(self, context: Context) -> Result:
        """Writes what the log holds into segments; TRANSACTION inside a transaction."""
        from hartonomous.hql.maintenance import run_checkpoint

        return run_checkpoint(context)
