"""REVOKE."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from hartonomous.hql.ast import Identifier
from hartonomous.hql.frozen import frozen
from hartonomous.hql.statements.base import Statement
from hartonomous.hql.statements.parts import Securable
from hartonomous.hql.syntax.printer import commas, line

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.result import Result


@frozen
class Revoke(Statement):
    """REVOKE right, … [ON kind name] FROM user, …"""

    rights: tuple[str, ...]
    on: Securable | None
    names: tuple[Identifier, ...]
    title: ClassVar[str] = "REVOKE"
    usual_effect: ClassVar[str] = "controls"
    right: ClassVar[str] = ""

    def __str__(self) -> str:
        return line("REVOKE", ", ".join(self.rights), self.on, "FROM", commas(self.names))

    def run(self, context: Context) -> Result:
        """Takes rights away that were given there."""
        from hartonomous.hql.security.changing import run_revoke

        return run_revoke(self, context)
