"""SET @v = expression."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_queries import changed
from hartonomous.hql.syntax.printer import value


@frozen
class SetVariable(Statement):
    """SET @name = value; `name` has no mark. `SET @v += 1` is read as `SET @v = @v + 1`."""

    name: str
    value: Expression
    title: ClassVar[str] = "SET"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        variable, op, value = children
        new = value if op.value == "=" else changed(variable, op, value, span)
        return cls(variable.name, new, span=span)

    def __str__(self) -> str:
        return f"SET @{self.name} = {value(self.value)}"
