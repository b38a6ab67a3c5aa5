"""What statements share that drop by name: how they are built of their text, and print it again."""

from __future__ import annotations

from typing import Any, Self

from hartonomous.hql.ast import Identifier, ObjectName, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import commas, line


@frozen
class DropName(Statement):
    """DROP … [IF EXISTS] a"""

    name: Identifier
    if_exists: bool = False

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name = children
        return cls(name, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line(self.title, "IF EXISTS" if self.if_exists else "", self.name)


@frozen
class DropNames(Statement):
    """DROP … [IF EXISTS] a, b"""

    names: tuple[ObjectName, ...]
    if_exists: bool = False

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, *names = children
        return cls(tuple(names), bool(if_exists), span=span)

    def __str__(self) -> str:
        return line(self.title, "IF EXISTS" if self.if_exists else "", commas(self.names))
