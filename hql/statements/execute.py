"""EXEC procedure arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import (
    Expression,
    Literal,
    Node,
    ObjectName,
    Placeholder,
    Span,
    Subquery,
    Unary,
    Variable,
    VectorLiteral,
)
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import commas, line

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class Argument(Node):
    """`[@name =] value [OUTPUT]`; `value` None is DEFAULT, `name` has no mark."""

    name: str | None
    value: Expression | None
    output: bool = False

    def __str__(self) -> str:
        return line(
            self.name and f"@{self.name} =",
            _value(self.value) if self.value else "DEFAULT",
            "OUTPUT" if self.output else "",
        )


@frozen
class Execute(Statement):
    """EXEC [@result =] procedure arguments; `result` is the variable for its RETURN value."""

    procedure: ObjectName
    arguments: tuple[Argument, ...] = ()
    result: str | None = None
    title: ClassVar[str] = "EXEC"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        result, procedure, *arguments = children
        given = tuple(a for a in arguments if a)
        return cls(procedure, given, result.name if result else None, span=span)

    def __str__(self) -> str:
        return line(
            "EXEC",
            self.result and f"@{self.result} =",
            self.procedure,
            commas(self.arguments),
        )

    def play(self, script: Script) -> Iterator[Result]:
        """Runs the procedure's body; its results are those of the statements in it."""
        from hartonomous.hql.scripts.calling import play_execute

        return play_execute(self, script)


def _value(node: Expression) -> str:
    """A constant or a variable bare, anything else in parentheses."""
    inner = node.operand if isinstance(node, Unary) and node.op in "+-" else node
    if isinstance(inner, Literal) and (inner is node or inner.kind in _NUMBERS):
        return str(node)
    if isinstance(node, Variable | Placeholder | VectorLiteral | Subquery):
        return str(node)
    return f"({node})"


_NUMBERS = ("INTEGER", "DECIMAL", "FLOAT")


def _argument(children: list[Any], span: Span) -> Argument:
    name, value, output = children
    return Argument(name and name.name, value, output is not None, span=span)


def _default(children: list[Any], span: Span) -> Argument:
    (name,) = children
    return Argument(name and name.name, None, span=span)


Execute.rules = {"execute_argument": _argument, "execute_default": _default}
