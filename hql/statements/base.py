"""What every statement offers: its place, its text, how it is built and how it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hartonomous.hql.ast import Node, Span
from hartonomous.hql.errors import NotSupported
from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.script import Script
    from hartonomous.storage.errors import Error

#: makes a value from a grammar rule's children and the place of its text
Builder = Callable[[list[Any], Span], Any]


@frozen
class Statement(Node):
    """A parsed statement: frozen data that prints itself and runs itself.

    `span` cuts the statement's own text out of the text it came in; `str()` is HQL without a
    closing `;`. The grammar rule `NAME_statement` of grammar/statements/NAME.lark is built by
    `build`; rules that only this statement uses are in `rules`.
    """

    title: ClassVar[str]
    #: reads (a snapshot is enough), changes (needs a transaction), controls (stands outside
    #: them), scripts (holds or steers other statements: has `play` in place of `run`)
    usual_effect: ClassVar[str] = "changes"
    #: the right on the database that it needs as a whole (security/rights.py), empty for none: what
    #: it names is asked for where the names are found. Every statement says its own.
    right: ClassVar[str] = "CONTROL"
    rules: ClassVar[Mapping[str, Builder]] = {}

    @classmethod
    def build(cls, children: list[Any], span: Span) -> Self:
        """The statement from its rule's children, which by default are its fields in order."""
        return cls(*children, span=span)

    @property
    def effect(self) -> str:
        """This statement's effect, which may depend on what it says (SELECT … INTO)."""
        return self.usual_effect

    @property
    def needs(self) -> str | None:
        """What must stand around the statement: "WHILE", "CATCH", "ROUTINE" (scripts/checking)."""
        return None

    def inside(self) -> Iterator[tuple[Statement, str | None]]:
        """The statements in this one, each with what this one puts around it ("WHILE" …)."""
        return iter(())

    def play(self, script: Script) -> Iterator[Result]:
        """Runs what the statement holds; raises Error, and signals to what stands around it."""
        raise NotSupported(
            f"not supported yet: {self.title}", line=self.span.line, column=self.span.column
        )

    def span_of(self, error: Error) -> Span:
        """The place of what made an error that knows none: the statement's, or a better one."""
        return self.span

    def run(self, context: Context) -> Result:
        """Does what the statement says; raises subclasses of Error."""
        raise NotSupported(
            f"not supported yet: {self.title}", line=self.span.line, column=self.span.column
        )
