"""SHOW COMMITS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class ShowCommits(Statement):
    """SHOW COMMITS"""

    title: ClassVar[str] = "SHOW COMMITS"

    def __str__(self) -> str:
        return "SHOW COMMITS"
