"""sys.storage: where the bytes of the database are, of all branches."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hartonomous.hql.system_tables.base import Row, of_tuples
from hartonomous.hql.types import BIGINT, DATETIMEOFFSET, NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def _storage(context: Context) -> list[Row]:
    from hartonomous.storage.state import moment
    from hartonomous.storage.usage import usage

    database = context.session.database
    moments: dict[int, datetime] = {}
    out: list[Row] = []
    for u in usage(database):
        since = None
        if u.dead_since is not None:
            if u.dead_since not in moments:
                moments[u.dead_since] = moment(database.place_of(u.dead_since).at_us)
            since = moments[u.dead_since]
        schema, table = (None, None) if u.table is None else (u.table.schema, u.table.name)
        out.append(
            (
                u.kind,
                u.branch,
                schema,
                table,
                u.name,
                u.objects,
                u.bytes,
                u.rows,
                u.dead_rows,
                since,
            )
        )
    return out


STORAGE = of_tuples(
    _storage,
    kind=NVARCHAR,
    branch=NVARCHAR,
    schema_name=NVARCHAR,
    table_name=NVARCHAR,
    name=NVARCHAR,
    objects=BIGINT,
    bytes=BIGINT,
    row_count=BIGINT,
    dead_rows=BIGINT,
    dead_since=DATETIMEOFFSET,
)
