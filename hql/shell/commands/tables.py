r"""\dt: tables; S: those of the system too, +: columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command
from hartonomous.hql.shell.commands.listing import list_matching

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


def _run(shell: Shell, given: Arguments) -> None:
    list_matching(shell, given, "tables", _query(given.flags))


def _query(flags: frozenset[str]) -> str:
    system = "" if "S" in flags else " WHERE is_system = 0"
    columns = ""
    if "+" in flags:
        columns = """, (SELECT STRING_AGG(CONCAT(c.name, ' ', c.type), ', ')
            WITHIN GROUP (ORDER BY c.column_id) FROM sys.columns AS c
            WHERE c.schema_name = t.schema_name AND c.table_name = t.name) AS columns"""
    return f"""SELECT schema_name AS [schema], name, row_count AS [rows], is_temporary
        {columns} FROM sys.tables AS t{system} ORDER BY schema_name, name"""


TABLES = Command(
    ("dt",),
    "[pattern]",
    "tables; S: those of the system too, +: columns",
    "Looking around",
    _run,
    "S+",
    completes="table",
)
