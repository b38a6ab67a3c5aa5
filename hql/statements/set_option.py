"""SET NOCOUNT ON and its kin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class SetOption(Statement):
    """SET name ON | OFF, or SET name value; `value` is True, False or an expression."""

    name: str
    value: Expression | bool
    title: ClassVar[str] = "SET"

    def __str__(self) -> str:
        value = (
            {True: "ON", False: "OFF"}.get(self.value, self.value)
            if isinstance(self.value, bool)
            else self.value
        )
        return f"SET {self.name} {self.value}"
