"""HELP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Literal, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Help(Statement):
    """HELP ['topic']; without a topic it lists them."""

    topic: str | None = None
    title: ClassVar[str] = "HELP"
    right: ClassVar[str] = ""
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        (topic,) = children
        if isinstance(topic, Literal):
            return cls(str(topic.value), span=span)
        return cls(None if topic is None else ".".join(p.text for p in topic.parts), span=span)

    def __str__(self) -> str:
        return line("HELP", "" if self.topic is None else str(Literal(self.topic, "STRING")))

    def run(self, context: Context) -> Result:
        """A row for each line of the topic's page, or a row for each topic."""
        from hartonomous.hql.help.asking import run_help

        return run_help(self, context)
