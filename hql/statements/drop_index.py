"""DROP INDEX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hartonomous.hql.ast import ObjectName, Span
from hartonomous.hql.printer import line
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class DropIndex(Statement):
    """DROP INDEX [IF EXISTS] ix [ON t]"""

    name: ObjectName
    table: ObjectName | None = None
    if_exists: bool = False
    title: ClassVar[str] = "DROP INDEX"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_exists, name, table = children
        return cls(name, table, bool(if_exists), span=span)

    def __str__(self) -> str:
        return line(
            "DROP INDEX",
            "IF EXISTS" if self.if_exists else "",
            self.name,
            self.table and f"ON {self.table}",
        )
