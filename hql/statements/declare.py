"""DECLARE: variables and table variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Node, Span, TypeName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import ColumnDefinition, Constraint
from hartonomous.hql.syntax.printer import commas, line, parens, value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class VariableDefinition(Node):
    """`@name type [= value]`, or `@name TABLE (…)` (then type is None); `name` has no mark."""

    name: str
    type: TypeName | None
    value: Expression | None = None
    columns: tuple[ColumnDefinition, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    def __str__(self) -> str:
        if self.type is None:
            return f"@{self.name} TABLE {parens((*self.columns, *self.constraints))}"
        return line(f"@{self.name}", self.type, self.value and f"= {value(self.value)}")


@frozen
class Declare(Statement):
    """DECLARE @a INT = 1, @t TABLE (…)"""

    variables: tuple[VariableDefinition, ...]
    title: ClassVar[str] = "DECLARE"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        return cls(tuple(children), span=span)

    def __str__(self) -> str:
        return f"DECLARE {commas(self.variables)}"

    def run(self, context: Context) -> Result:
        """Adds the variables, all or none; they live to the end of the batch."""
        from hartonomous.hql.variables import run_declare

        return run_declare(self, context)


def _variable(children: list[Any], span: Span) -> VariableDefinition:
    variable, type_, value = children
    return VariableDefinition(variable.name, type_, value, span=span)


def _table(children: list[Any], span: Span) -> VariableDefinition:
    variable, (columns, constraints) = children
    return VariableDefinition(variable.name, None, None, columns, constraints, span=span)


Declare.rules = {"declare_variable": _variable, "declare_table": _table}
