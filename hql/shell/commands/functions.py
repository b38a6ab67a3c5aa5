r"""\df: functions; without pattern your own; S: all, +: examples or text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import list_matching

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    flags = given.flags | {"S"} if given.text else given.flags
    list_matching(shell, given, "functions", _query(flags))
    if "S" not in flags:
        shell.say(r"(functions of HQL itself: \dfS, or \df with a pattern as *json*)")


def _query(flags: frozenset[str]) -> str:
    own = "" if "S" in flags else " WHERE definition IS NOT NULL"
    more = ", example, definition" if "+" in flags else ""
    return f"""SELECT schema_name AS [schema], name, kind, parameters, doc AS meaning{more}
        FROM sys.functions{own} ORDER BY schema_name, name"""


FUNCTIONS = Command(
    ("df",),
    "[pattern]",
    "functions; without pattern your own; S: all, +: examples or text",
    "Looking around",
    _run,
    "S+",
    completes="function",
)
