"""VERIFY DATABASE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class VerifyDatabase(Statement):
    """VERIFY DATABASE"""

    title: ClassVar[str] = "VERIFY DATABASE"

    def __str__(self) -> str:
        return "VERIFY DATABASE"
