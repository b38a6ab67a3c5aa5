"""THROW."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Expression
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line, values

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class Throw(Statement):
    """THROW [number, message, state]; without values it raises again what CATCH caught."""

    number: Expression | None = None
    message: Expression | None = None
    state: Expression | None = None
    title: ClassVar[str] = "THROW"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    def __str__(self) -> str:
        given = [v for v in (self.number, self.message, self.state) if v]
        return line("THROW", values(given))

    @property
    def needs(self) -> str | None:
        return "CATCH" if self.number is None else None

    def play(self, script: Script) -> Iterator[Result]:
        """Raises the error; nothing runs after it but a CATCH."""
        from hartonomous.hql.scripts.raising import throw

        throw(self, script)
