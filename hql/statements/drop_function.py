"""DROP FUNCTION."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import commas, line


@frozen
class DropFunction(Statement):
    """DROP FUNCTION [IF EXISTS] a, b"""

    names: tuple[ObjectName, ...]
    if_exists: bool = False
    title: ClassVar[str] = "DROP FUNCTION"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, *names = children
        return cls(tuple(names), bool(if_exists), span=span)

    def __str__(self) -> str:
        return line("DROP FUNCTION", "IF EXISTS" if self.if_exists else "", commas(self.names))
