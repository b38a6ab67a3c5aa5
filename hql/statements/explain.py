"""EXPLAIN [ANALYZE]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hartonomous.hql.ast import Span
from hartonomous.hql.printer import line
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class Explain(Statement):
    """EXPLAIN [ANALYZE] statement"""

    statement: Statement
    analyze: bool = False
    title: ClassVar[str] = "EXPLAIN"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        analyze, statement = children
        return cls(statement, analyze is not None, span=span)

    def __str__(self) -> str:
        return line("EXPLAIN", "ANALYZE" if self.analyze else "", self.statement)
