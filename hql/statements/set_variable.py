"""SET @v = expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_queries import changed
from hartonomous.hql.syntax.printer import value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class SetVariable(Statement):
    """SET @name = value; `name` has no mark. `SET @v += 1` is read as `SET @v = @v + 1`."""

    name: str
    value: Expression
    title: ClassVar[str] = "SET"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        variable, op, value = children
        new = value if op.value == "=" else changed(variable, op, value, span)
        return cls(variable.name, new, span=span)

    def __str__(self) -> str:
        return f"SET @{self.name} = {value(self.value)}"

    def run(self, context: Context) -> Result:
        """Gives the variable a new value, converted to its type."""
        from hartonomous.hql.variables import run_set

        return run_set(self, context)
