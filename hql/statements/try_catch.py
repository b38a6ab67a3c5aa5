"""BEGIN TRY … END TRY BEGIN CATCH … END CATCH."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import statements
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script


@frozen
class TryCatch(Statement):
    """`handler` runs if a statement of `body` fails."""

    body: tuple[Statement, ...]
    handler: tuple[Statement, ...] = ()
    title: ClassVar[str] = "BEGIN TRY"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "scripts"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        body, handler = children
        return cls(body, handler or (), span=span)

    def __str__(self) -> str:
        return (
            f"BEGIN TRY {statements(self.body)} END TRY "
            f"BEGIN CATCH {statements(self.handler)} END CATCH"
        )

    def inside(self) -> Iterator[tuple[Statement, str | None]]:
        for statement in self.body:
            yield statement, None
        for statement in self.handler:
            yield statement, "CATCH"

    def play(self, script: Script) -> Iterator[Result]:
        """Runs the body; at its first error the rest is left out and the handler runs. What the
        failed statement did is undone, what others did before it is not."""
        from hartonomous.hql.scripts.errors import may_be_caught

        try:
            yield from script.catching().play(self.body)
        except Error as error:
            if not may_be_caught(error):
                raise
            caught = error
        else:
            return
        yield from script.handle(caught, self.handler)
