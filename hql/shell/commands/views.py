r"""\dv: views; +: their queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import list_matching

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    list_matching(shell, given, "views", _query(given.flags))


def _query(flags: frozenset[str]) -> str:
    definition = ", definition" if "+" in flags else ""
    return f"""SELECT schema_name AS [schema], name{definition}
        FROM sys.views ORDER BY schema_name, name"""


VIEWS = Command(
    ("dv",), "[pattern]", "views; +: their queries", "Looking around", _run, "+", completes="view"
)
