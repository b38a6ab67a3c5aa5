"""CONTINUE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class ContinueLoop(Statement):
    """CONTINUE"""

    title: ClassVar[str] = "CONTINUE"

    def __str__(self) -> str:
        return "CONTINUE"
