"""GRANT."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import SECURABLES, Securable, securable
from hartonomous.hql.syntax.build_expressions import as_tuple, constant
from hartonomous.hql.syntax.printer import commas, line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Grant(Statement):
    """GRANT right, … [ON kind name] TO user, …"""

    rights: tuple[str, ...]
    on: Securable | None
    names: tuple[Identifier, ...]
    title: ClassVar[str] = "GRANT"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return line("GRANT", ", ".join(self.rights), self.on, "TO", commas(self.names))

    def run(self, context: Context) -> Result:
        """Gives rights."""
        from hartonomous.hql.security.changing import run_grant

        return run_grant(self, context)


Grant.rules = {
    "rights": as_tuple,
    "principals": as_tuple,
    "right_named": lambda children, span: " ".join(c.text.upper() for c in children),
    **{
        f"right_{word.split()[0].lower()}": constant(word)
        for word in (
            "ALL",
            "ALTER",
            "COPY FILES",
            "CREATE",
            "DELETE",
            "EXECUTE",
            "INGEST",
            "INSERT",
            "SELECT",
            "UPDATE",
        )
    },
    **{f"on_{kind.lower()}": securable(kind) for kind in SECURABLES},
    "on_object": securable(""),
}
