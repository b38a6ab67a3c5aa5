"""WAITFOR DELAY."""

from __future__ import annotations

from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement


@frozen
class WaitFor(Statement):
    """WAITFOR DELAY '00:00:01' or a variable"""

    delay: Expression
    title: ClassVar[str] = "WAITFOR DELAY"

    def __str__(self) -> str:
        return f"WAITFOR DELAY {self.delay}"
