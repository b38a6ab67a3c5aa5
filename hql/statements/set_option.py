"""SET NOCOUNT ON and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import ColumnName, Expression, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import quote, value

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class SetOption(Statement):
    """SET name ON | OFF, or SET name value; `value` is True, False or an expression."""

    name: str
    value: Expression | bool
    title: ClassVar[str] = "SET"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

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

    def play(self, script: Script) -> Iterator[Result]:
        """Changes the setting for the session; inside a routine, until that ends."""
        from hartonomous.hql.scripts.settings import changed

        session = script.session
        session.settings = changed(session.settings, self.name, self.value, self.span)
        return iter(())
