"""CHECKPOINT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class Checkpoint(Statement):
    """CHECKPOINT"""

    title: ClassVar[str] = "CHECKPOINT"

    def __str__(self) -> str:
        return "CHECKPOINT"
