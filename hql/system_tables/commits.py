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
    if context.rights is not None and not context.rights.is_owner:
        table = _without_values(table, context.rights.name)
    return conform(table.select([f.name for f in _FIELDS]), _FIELDS)


def _without_values(table: pa.Table, name: str) -> pa.Table:
    """Constants in the statements of others are values of rows, which history says nothing of."""
    from hartonomous.hql.normal_text import normal_text
    from hartonomous.storage.catalog import fold

    authors, texts = table["Author"].to_pylist(), table["Statement"].to_pylist()
    shown = [
        text
        if text is None or (author is not None and fold(author) == fold(name))
        else normal_text(text)
        for author, text in zip(authors, texts, strict=True)
    ]
    place = table.column_names.index("Statement")
    return table.set_column(place, "Statement", pa.array(shown, pa.string()))


COMMITS = SystemTable(_FIELDS, _commits)
