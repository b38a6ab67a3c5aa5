"""sys.sessions and sys.statements: who is connected to this process's database and what runs now.

Of other processes (readers of the same folder) nothing is known. Who may not see what others do
sees his own sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, milliseconds_of, of_tuples
from hartonomous.hql.types import BIGINT, DATETIMEOFFSET, FLOAT, INT, NVARCHAR
from hartonomous.storage.state import moment

if TYPE_CHECKING:
    from hartonomous.hql.activity import Watched
    from hartonomous.hql.context import Context


def _sessions(context: Context) -> list[Row]:
    from hartonomous.hql.watching_rights import may_see

    activity = context.session.activity
    running = {w.session.number for w in activity.statements() if w.session is not None}
    running |= {s.session_number for source in activity.elsewhere for s in source()}
    return [
        (
            s.number,
            s.author,
            s.door,
            s.peer,
            s.branch,
            moment(s.opened_at_us),
            "killed" if s.was_killed else "running" if s.number in running else "sleeping",
            s.transaction_depth,
        )
        for s in activity.sessions()
        if may_see(context.session, s.author)
    ]


def _statements(context: Context) -> list[Row]:
    from hartonomous.hql.normal_text import without_secrets
    from hartonomous.hql.run import shorten
    from hartonomous.hql.watching_rights import may_see, seen_text

    session, activity = context.session, context.session.activity
    rows: list[Row] = []
    for w in activity.statements():
        if w.session is not None and may_see(session, w.session.author):
            text = seen_text(session, w.session.author, without_secrets(w.prepared.text))
            text = shorten(text)
            rows.append((w.number, w.session.number, w.kind, text, moment(w.at_us),
                         milliseconds_of(w.seconds), "streaming" if w.is_paused else "running",
                         w.rows, _share(w)))  # fmt: skip
    for source in activity.elsewhere:
        for s in source():
            if not may_see(session, s.author):
                continue
            text = shorten(seen_text(session, s.author, without_secrets(s.text)))
            rows.append((s.number, s.session_number, s.kind, text, moment(s.at_us),
                         milliseconds_of(s.seconds), s.status, s.rows, None))  # fmt: skip
    return rows


def _share(watched: Watched) -> float | None:
    limits = watched.limits
    advance = None if limits is None else limits.advance
    return None if advance is None else advance.share


SESSIONS = of_tuples(
    _sessions,
    session_id=INT,
    user_name=NVARCHAR,
    door=NVARCHAR,
    peer=NVARCHAR,
    branch=NVARCHAR,
    opened_at=DATETIMEOFFSET,
    status=NVARCHAR,
    open_transactions=INT,
)

STATEMENTS = of_tuples(
    _statements,
    statement_id=BIGINT,
    session_id=INT,
    kind=NVARCHAR,
    text=NVARCHAR,
    started_at=DATETIMEOFFSET,
    milliseconds=FLOAT,
    status=NVARCHAR,
    row_count=BIGINT,
    share=FLOAT,
)
