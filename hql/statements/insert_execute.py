"""INSERT … EXEC: the rows that a procedure or a text gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, ObjectName, Span, Variable
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.execute import Execute
from hartonomous.hql.statements.execute_text import ExecuteText
from hartonomous.hql.syntax.printer import line, parens

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class InsertExecute(Statement):
    """INSERT INTO table (columns) EXEC …; `table` is a Variable for a table variable."""

    table: ObjectName | Variable
    columns: tuple[Identifier, ...]
    source: Execute | ExecuteText
    title: ClassVar[str] = "INSERT … EXEC"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        table, columns, source = children
        return cls(table, columns or (), source, span=span)

    def __str__(self) -> str:
        return line("INSERT INTO", self.table, parens(self.columns), self.source)

    def inside(self) -> Iterator[tuple[Statement, str | None]]:
        yield self.source, None

    def play(self, script: Script) -> Iterator[Result]:
        """Runs the procedure or text to its end, then adds the rows of all its results; all or
        none of them."""
        from hartonomous.hql.changes.insert_execute import play_insert

        return play_insert(self, script)
