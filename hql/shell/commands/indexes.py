r"""\di: keys and indexes; +: bytes and searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import list_matching

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    list_matching(shell, given, "indexes", _query(given.flags))


def _query(flags: frozenset[str]) -> str:
    system = "" if "S" in flags else " WHERE t.is_system = 0"
    more = ", i.bytes, i.searches" if "+" in flags else ""
    return f"""SELECT i.schema_name AS [schema], i.name, i.table_name AS [table], i.kind,
        i.columns{more} FROM sys.indexes AS i JOIN sys.tables AS t
        ON t.schema_name = i.schema_name AND t.name = i.table_name{system}
        ORDER BY i.schema_name, i.table_name, i.name"""


INDEXES = Command(
    ("di",),
    "[pattern]",
    "keys and indexes; S: those of the system too, +: bytes and searches",
    "Looking around",
    _run,
    "S+",
    completes="index",
)
