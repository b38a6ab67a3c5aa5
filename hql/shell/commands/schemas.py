r"""\ds: schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import list_matching

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    list_matching(shell, given, "schemas", _query(given.flags))


def _query(flags: frozenset[str]) -> str:
    return "SELECT '' AS [schema], name FROM sys.schemas ORDER BY name"


SCHEMAS = Command(
    ("ds", "dn"), "[pattern]", "schemas", "Looking around", _run, "", completes="schema"
)
