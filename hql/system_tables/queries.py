"""QueryLog: the statements that ran, or a sample of them (hql/query_log.py). As a log it is the
same in every transaction, and has no past. Who may not see what others did sees their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, milliseconds_of, of_tuples
from hartonomous.hql.types import BIGINT, DATETIMEOFFSET, FLOAT, INT, NVARCHAR, UNIQUEIDENTIFIER
from hartonomous.storage.state import moment

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _queries(context: Context) -> list[Row]:
    from hartonomous.hql.query_log import queries_of
    from hartonomous.hql.watching_rights import may_see, seen_text

    return [
        (
            q.id,
            moment(q.at_us),
            q.session,
            q.author,
            q.door,
            q.branch,
            q.kind,
            q.hash,
            seen_text(context.session, q.author, q.text),
            milliseconds_of(q.seconds),
            q.rows,
            q.error,
            q.executions,
        )
        for q in queries_of(context.session.database)
        if may_see(context.session, q.author)
    ]


QUERIES = of_tuples(
    _queries,
    QueryId=UNIQUEIDENTIFIER,
    StartedAt=DATETIMEOFFSET,
    SessionId=INT,
    UserName=NVARCHAR,
    Door=NVARCHAR,
    Branch=NVARCHAR,
    Kind=NVARCHAR,
    QueryHash=NVARCHAR,
    QueryText=NVARCHAR,
    Milliseconds=FLOAT,
    RowCount=BIGINT,
    Error=NVARCHAR,
    Executions=BIGINT,
)
