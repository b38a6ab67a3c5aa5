"""CREATE TABLE: columns and constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, parens

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result
from hartonomous.hql.statements.parts import ColumnDefinition, Constraint


@frozen
class CreateTable(Statement):
    """CREATE TABLE [IF NOT EXISTS] t (…)"""

    table: ObjectName
    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[Constraint, ...] = ()
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE TABLE"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_not_exists, table, (columns, constraints) = children
        return cls(table, columns, constraints, bool(if_not_exists), span=span)

    def __str__(self) -> str:
        return line(
            "CREATE TABLE",
            "IF NOT EXISTS" if self.if_not_exists else "",
            self.table,
            parens((*self.columns, *self.constraints)),
        )

    def run(self, context: Context) -> Result:
        """Makes the table, for the session alone if its name begins with #."""
        from hartonomous.hql.changes.definitions import run_create_table

        return run_create_table(self, context)
