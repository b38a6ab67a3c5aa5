"""sys.settings: what this session was opened with and has set, and what all sessions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import NVARCHAR
from hartonomous.storage.errors import Error
from hartonomous.storage.settings import COMPACTION, DEFAULTS, QUERY_LOG, RETENTION

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _settings(context: Context) -> list[Row]:
    session = context.session
    timeout = None if session.timeout is None else f"{session.timeout:g}"
    memory = None if session.memory is None else str(session.memory)
    shared = {**DEFAULTS, **session.database.settings}
    return [
        ("author", session.author, "who this session's commits are by"),
        ("autocommit", "ON" if session.autocommit else "OFF", "whether statements commit alone"),
        ("compaction", shared[COMPACTION], _compaction(session.database.keeper.fault)),
        ("memory", memory, "memory limit of a statement in bytes; NULL is none"),
        ("path", str(session.database.path or ":memory:"), "the database's folder"),
        ("query_log", shared[QUERY_LOG], "whether statements are noted in QueryLog"),
        ("read_only", "ON" if session.read_only else "OFF", "whether this session may change it"),
        ("retention", shared[RETENTION], "how long AS OF can see what was changed"),
        ("timeout", timeout, "time limit of a statement in seconds; NULL is none"),
    ]


def _compaction(fault: Error | None) -> str:
    last = f"; it failed: {fault.message}" if fault is not None else ""
    return f"whether what is old is removed in the background{last}"


SETTINGS = of_tuples(_settings, name=NVARCHAR, value=NVARCHAR, description=NVARCHAR)
