"""CREATE INDEX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, ObjectName, Option, OrderItem, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import settings
from hartonomous.hql.syntax.build_expressions import as_tuple
from hartonomous.hql.syntax.printer import line, parens

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateIndex(Statement):
    """CREATE [UNIQUE] INDEX ix ON t (a, b DESC) [USING method] [WITH (…)]; `columns` hold plain
    columns as OrderItem, method is RTREE, VECTOR, BTREE or None."""

    name: Identifier
    table: ObjectName
    columns: tuple[OrderItem, ...]
    unique: bool = False
    method: str | None = None
    options: tuple[Option, ...] = ()
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE INDEX"
    right: ClassVar[str] = ""

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        unique, if_not_exists, name, table, columns, method, options = children
        return cls(
            name,
            table,
            columns,
            unique is not None,
            method and method.text.upper(),
            options or (),
            bool(if_not_exists),
            span=span,
        )

    def __str__(self) -> str:
        return line(
            "CREATE UNIQUE INDEX" if self.unique else "CREATE INDEX",
            "IF NOT EXISTS" if self.if_not_exists else "",
            self.name,
            "ON",
            self.table,
            parens(self.columns),
            self.method and f"USING {self.method}",
            settings(self.options),
        )

    def run(self, context: Context) -> Result:
        """Adds a key to the table; UNIQUE_VIOLATION if its rows break it."""
        from hartonomous.hql.changes.indexes import run_create_index

        return run_create_index(self, context)


CreateIndex.rules = {"index_columns": as_tuple}
