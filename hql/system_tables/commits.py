"""Commits: those of the session's branch and of what it came from, the newest first. SHOW COMMITS
shows the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.system_tables.base import SystemTable, fields
from hartonomous.hql.types import BIGINT, DATETIMEOFFSET, NVARCHAR, VARBINARY

if TYPE_CHECKING:
    from hartonomous.hql.context import Context

_FIELDS = fields(
    Sequence=BIGINT,
    Hash=VARBINARY,
    Parent=VARBINARY,
    At=DATETIMEOFFSET,
    Author=NVARCHAR,
    Statement=NVARCHAR,
    Root=VARBINARY,
    Branch=NVARCHAR,
)


def _commits(context: Context) -> pa.Table:
    import pyarrow.compute as pc

    from hartonomous.hql.arrow_tables import conform

    seen = context.transaction
    table = context.session.database.commits(seen.branch)
    table = table.filter(pc.less_equal(table["Sequence"], seen.sequence))
    return conform(table.select([f.name for f in _FIELDS]), _FIELDS)


COMMITS = SystemTable(_FIELDS, _commits)
