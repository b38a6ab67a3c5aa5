"""CREATE FUNCTION, CREATE OR ALTER FUNCTION, ALTER FUNCTION."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Query, Span, TypeName
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.declare import Declare, VariableDefinition
from hartonomous.hql.statements.parts import ParameterDefinition, as_body
from hartonomous.hql.syntax.printer import line, parens, statements

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateFunction(Statement):
    """A scalar function has `returns` and `body` (one Block, or the rest of the batch), a table
    function has no `returns`: it has `query` (`RETURNS TABLE AS RETURN query`), or `rows`, the
    DECLARE of what it gives (`RETURNS @r TABLE (…) AS BEGIN … END`), and `body`. mode as for
    procedures."""

    name: ObjectName
    parameters: tuple[ParameterDefinition, ...]
    returns: TypeName | None
    body: tuple[Statement, ...] = ()
    query: Query | None = None
    mode: str = "CREATE"
    rows: Declare | None = None
    title: ClassVar[str] = "CREATE FUNCTION"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        mode, name, parameters, *returns, body = children
        if isinstance(body, Query):
            return cls(name, parameters or (), None, (), body, mode, span=span)
        if isinstance(returns[0], VariableDefinition):
            rows = Declare((returns[0],), span=returns[0].span)
            return cls(name, parameters or (), None, as_body(body), None, mode, rows, span=span)
        return cls(name, parameters or (), returns[0], as_body(body), None, mode, span=span)

    def __str__(self) -> str:
        text = f"RETURN ({self.query})" if self.query else statements(self.body, last="")
        return line(
            self.mode,
            "FUNCTION",
            f"{self.name}{parens(self.parameters) or '()'}",
            "RETURNS",
            self.returns or (self.rows.variables[0] if self.rows else "TABLE"),
            "AS",
            text,
        )

    def run(self, context: Context) -> Result:
        """Keeps the function's text, once it was checked."""
        from hartonomous.hql.changes.routines import run_create

        return run_create(self, context)
