"""SET NOCOUNT ON and its kin."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from hartonomous.hql.ast import ColumnName, Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import quote, value


@frozen
class SetOption(Statement):
    """SET name ON | OFF, or SET name value; `value` is True, False or an expression."""

    name: str
    value: Expression | bool
    title: ClassVar[str] = "SET"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        name, given = children
        if not isinstance(given, Expression):
            return cls(name.text, True, span=span)  # the word ON
        is_off = isinstance(given, ColumnName) and [p.text.upper() for p in given.parts] == ["OFF"]
        return cls(name.text, False if is_off else given, span=span)

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return f"SET {quote(self.name)} {'ON' if self.value else 'OFF'}"
        return f"SET {quote(self.name)} = {value(self.value)}"
