"""ALTER DATABASE SET name = value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Option, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import quote, value

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class AlterDatabase(Statement):
    """ALTER DATABASE SET name = value; the value None is the word ON"""

    name: str
    value: Expression | None
    title: ClassVar[str] = "ALTER DATABASE"
    right: ClassVar[str] = "CONTROL"
    usual_effect: ClassVar[str] = "controls"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        name, given = children
        return cls(name.text, given if isinstance(given, Expression) else None, span=span)

    def __str__(self) -> str:
        given = "ON" if self.value is None else value(self.value)
        return f"ALTER DATABASE SET {quote(self.name)} = {given}"

    @property
    def option(self) -> Option:
        """The setting as an option, for those who read its value."""
        return Option(self.name, self.value, span=self.span)

    def run(self, context: Context) -> Result:
        """Changes a setting of the database, for all who use it, at once and durably."""
        from hartonomous.hql.keeping import run_alter_database

        return run_alter_database(self, context)
