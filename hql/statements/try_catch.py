"""BEGIN TRY … END TRY BEGIN CATCH … END CATCH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hartonomous.hql.printer import statements
from hartonomous.hql.statements.base import Statement


@dataclass(frozen=True, slots=True)
class TryCatch(Statement):
    """`handler` runs if a statement of `body` fails."""

    body: tuple[Statement, ...]
    handler: tuple[Statement, ...] = ()
    title: ClassVar[str] = "BEGIN TRY"

    def __str__(self) -> str:
        return (
            f"BEGIN TRY {statements(self.body)} END TRY "
            f"BEGIN CATCH {statements(self.handler)} END CATCH"
        )
