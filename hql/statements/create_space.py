"""CREATE SPACE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Identifier, Option, Query, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import settings
from hartonomous.hql.syntax.build_expressions import only
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class CreateSpace(Statement):
    """CREATE SPACE [IF NOT EXISTS] s [WITH (text = 'encoder', METHOD = …)] [LANDMARKS (query)]"""

    name: Identifier
    options: tuple[Option, ...] = ()
    landmarks: Query | None = None
    if_not_exists: bool = False
    title: ClassVar[str] = "CREATE SPACE"
    right: ClassVar[str] = "CREATE"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        if_not_exists, name, options, landmarks = children
        return cls(name, options or (), landmarks, bool(if_not_exists), span=span)

    def __str__(self) -> str:
        return line(
            "CREATE SPACE",
            "IF NOT EXISTS" if self.if_not_exists else "",
            self.name,
            settings(self.options),
            self.landmarks and f"LANDMARKS ({self.landmarks})",
        )

    def run(self, context: Context) -> Result:
        """Chooses landmarks, finds the projection, measures it."""
        from hartonomous.hql.spaces.creating import run_create_space

        return run_create_space(self, context)


CreateSpace.rules = {"space_landmarks": only}
