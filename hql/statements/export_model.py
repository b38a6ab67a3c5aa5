"""EXPORT MODEL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, Literal, Option, Span, Variable
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import settings
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class ExportModel(Statement):
    """EXPORT MODEL m TO path [FORMAT SAFETENSORS | GGUF] [WITH (DTYPE = …, LAYOUT = EXACT)];
    an id is a literal"""

    name: Identifier | Literal | Variable
    path: Expression
    format: str | None = None
    options: tuple[Option, ...] = ()
    title: ClassVar[str] = "EXPORT MODEL"
    right: ClassVar[str] = "COPY FILES"
    usual_effect: ClassVar[str] = "reads"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        name, _, path, format_, options = children
        return cls(name, path, format_ and format_.text.upper(), options or (), span=span)

    def __str__(self) -> str:
        return line(
            "EXPORT MODEL",
            self.name,
            "TO",
            self.path,
            self.format and f"FORMAT {self.format}",
            settings(self.options),
        )

    def run(self, context: Context) -> Result:
        """Writes files that other tools load."""
        from hartonomous.hql.models.exporting import run_export_model

        return run_export_model(self, context)
