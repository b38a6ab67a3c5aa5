"""BACKUP DATABASE TO 'folder'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class BackupDatabase(Statement):
    """BACKUP DATABASE TO path"""

    path: Expression
    title: ClassVar[str] = "BACKUP DATABASE"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "controls"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        _, path = children
        return cls(path, span=span)

    def __str__(self) -> str:
        return f"BACKUP DATABASE TO {self.path}"

    def run(self, context: Context) -> Result:
        """Makes a folder that opens as the database is now; one row of figures."""
        from hartonomous.hql.keeping import run_backup

        return run_backup(self, context)
