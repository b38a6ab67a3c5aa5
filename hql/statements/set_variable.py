"""SET @v = expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class SetVariable(Statement):
    """SET @name = value; `name` has no mark. `SET @v += 1` is read as `SET @v = @v + 1`."""

    name: str
    value: Expression
    title: ClassVar[str] = "SET"

    def __str__(self) -> str:
        return f"SET @{self.name} = {self.value}"
