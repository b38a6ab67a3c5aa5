"""CREATE PROCEDURE, CREATE OR ALTER PROCEDURE, ALTER PROCEDURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import ParameterDefinition, as_body
from hartonomous.hql.syntax.printer import commas, line, statements

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateProcedure(Statement):
    """mode: CREATE, CREATE OR ALTER, ALTER. `body` is one Block, or the rest of the batch."""

    name: ObjectName
    parameters: tuple[ParameterDefinition, ...]
    body: tuple[Statement, ...]
    mode: str = "CREATE"
    title: ClassVar[str] = "CREATE PROCEDURE"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        mode, name, parameters, body = children
        return cls(name, parameters or (), as_body(body), mode, span=span)

    def __str__(self) -> str:
        return line(
            self.mode,
            "PROCEDURE",
            self.name,
            commas(self.parameters),
            "AS",
            statements(self.body, last=""),
        )

    def run(self, context: Context) -> Result:
        """Keeps the procedure's text, once it was checked."""
        from hartonomous.hql.changes.routines import run_create

        return run_create(self, context)
