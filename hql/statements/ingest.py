"""INGEST: files, or the rows of a query, become atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Expression, Identifier, ObjectName, Query, Span
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.syntax.build_expressions import only
from hartonomous.hql.syntax.printer import line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Ingest(Statement):
    """INGEST path | (query) [AS kind] [INTO Atoms] [IN SPACE s]. `path`: a string, a variable or a
    placeholder; `kind`: TEXT, CODE …"""

    path: Expression | None
    query: Query | None = None
    kind: str | None = None
    into: ObjectName | None = None
    space: Identifier | None = None
    title: ClassVar[str] = "INGEST"
    right: ClassVar[str] = "INGEST"
    usual_effect: ClassVar[str] = "controls"

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        source, kind, into, space = children
        path, query = (None, source) if isinstance(source, Query) else (source, None)
        return cls(path, query, kind and kind.text.upper(), into, space, span=span)

    def __str__(self) -> str:
        return line(
            "INGEST",
            self.path or f"({self.query})",
            self.kind and f"AS {self.kind}",
            self.into and f"INTO {self.into}",
            self.space and f"IN SPACE {self.space}",
        )

    def run(self, context: Context) -> Result:
        """Reads, embeds and stores; one row of figures. Outside a transaction it commits as it
        goes, and what is committed stays if it fails or is cancelled."""
        from hartonomous.hql.ingest.pipeline import run_ingest

        return run_ingest(self, context)


Ingest.rules = {"ingest_into": only, "ingest_space": only}
