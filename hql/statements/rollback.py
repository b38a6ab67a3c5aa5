"""ROLLBACK, whole or to a savepoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.printer import line
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class Rollback(Statement):
    """ROLLBACK [TRAN [savepoint]] | ROLLBACK TO [SAVEPOINT] savepoint"""

    savepoint: Identifier | None = None
    title: ClassVar[str] = "ROLLBACK"

    def __str__(self) -> str:
        return line("ROLLBACK TRAN", self.savepoint) if self.savepoint else "ROLLBACK"
