"""BEGIN TRY … END TRY BEGIN CATCH … END CATCH."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from hartonomous.hql.ast import Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import statements


@frozen
class TryCatch(Statement):
    """`handler` runs if a statement of `body` fails."""

    body: tuple[Statement, ...]
    handler: tuple[Statement, ...] = ()
    title: ClassVar[str] = "BEGIN TRY"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        body, handler = children
        return cls(body, handler or (), span=span)

    def __str__(self) -> str:
        return (
            f"BEGIN TRY {statements(self.body)} END TRY "
            f"BEGIN CATCH {statements(self.handler)} END CATCH"
        )
