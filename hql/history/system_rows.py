"""The rows of system tables as of an earlier moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.plan import schema_of
from hartonomous.hql.system_tables import SYSTEM_FIELDS, SYSTEM_TABLES

if TYPE_CHECKING:
    from hartonomous.hql.context import Context


def rows_at(context: Context, key: str, past: Any) -> pa.Table:
    """What a system table shows of a past (hql/history/past.py), which stands where the statement's
    transaction does. A stored one that is not in its catalog has no rows."""
    system = SYSTEM_TABLES.get(key)
    if system is None:
        return schema_of(SYSTEM_FIELDS[key]).empty_table()
    return system.rows(replace(context, transaction=past))
