"""DIFF COMMIT: what is different at the second of two commits, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.changes.targets import place, split_name
from hartonomous.hql.errors import BindFault
from hartonomous.hql.history.comparing import (
    Parting,
    Side,
    changed_rows,
    definition_changes,
    slices,
    table_ids,
)
from hartonomous.hql.history.definitions import definition_json, full_name
from hartonomous.hql.history.moments import find_commit
from hartonomous.hql.history.row_json import texts_of
from hartonomous.hql.plan import schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.system_tables.base import fields
from hartonomous.hql.types import BIGINT, JSON, NVARCHAR
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.differences import NOWHERE, Differences

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.statements.diff_commit import DiffCommit

DIFF_FIELDS = fields(
    TableName=NVARCHAR,
    Change=NVARCHAR,
    RowId=BIGINT,
    KeyJson=JSON,
    BeforeJson=JSON,
    AfterJson=JSON,
)
SCHEMA = schema_of(DIFF_FIELDS)

#: rows that are written as JSON at once
BATCH_ROWS = 16_384


def run_diff(statement: DiffCommit, context: Context) -> Result:
    """Definitions first, then rows, by table and row id; of what the account may know and read."""
    database = context.session.database
    before, after = (
        Side.of(database, find_commit(context, value))
        for value in (statement.before, statement.after)
    )
    wanted = None if statement.table is None else _ids_named(context, statement, before, after)
    common = Parting.of(database, before.commit, after.commit)
    return Result(DIFF_FIELDS, _batches(context, before, after, common, wanted))


def _ids_named(context: Context, statement: DiffCommit, before: Side, after: Side) -> set[int]:
    assert statement.table is not None
    schema, name = split_name(statement.table)
    found = (context.seen(side.catalog).find(schema, name) for side in (before, after))
    ids = {entry.id for entry in found if isinstance(entry, TableEntry)}
    if not ids:
        message = f'neither commit has a table "{statement.table}"'
        raise place(BindFault(message, code="UNKNOWN_TABLE"), statement.table)
    return ids


def _batches(
    context: Context, before: Side, after: Side, common: Parting, wanted: set[int] | None
) -> Iterator[pa.RecordBatch]:
    yield _definitions(context, before, after, wanted)
    for table_id in table_ids(before, after):
        context.limits.check()
        if wanted is not None and table_id not in wanted:
            continue
        if not _may_read(context, before, after, table_id):
            continue
        found = changed_rows(before, after, common, table_id)
        for some in slices(len(found), BATCH_ROWS):
            context.limits.check()
            rows = found.take(some)
            yield _rows(context, rows, before.table(table_id), after.table(table_id))


def _may_read(context: Context, before: Side, after: Side, table_id: int) -> bool:
    """Whether all rows of a table are for the account: history has no policies."""
    rights = context.rights
    if rights is None:
        return True
    from hartonomous.hql.security.rows import sees_all
    from hartonomous.hql.security.visible import where_of

    for side in (before, after):
        table = side.table(table_id)
        if table is not None and not (
            rights.may("SELECT", *where_of(table, side.catalog)) and sees_all(context, table)
        ):
            return False
    return True


def _definitions(
    context: Context, before: Side, after: Side, wanted: set[int] | None
) -> pa.RecordBatch:
    changes = [
        c
        for c in definition_changes(context.seen(before.catalog), context.seen(after.catalog))
        if wanted is None or c.entry.id in wanted
    ]
    nothing = pa.nulls(len(changes))
    return _batch(
        pa.array([full_name(c.entry) for c in changes], pa.string()),
        pa.array([c.verb for c in changes], pa.string()),
        nothing.cast(pa.int64()),
        nothing.cast(pa.string()),
        pa.array([definition_json(c.before) for c in changes], pa.string()),
        pa.array([definition_json(c.after) for c in changes], pa.string()),
    )


def _rows(
    context: Context, found: Differences, before: TableEntry | None, after: TableEntry | None
) -> pa.RecordBatch:
    table = after if after is not None else before
    assert table is not None
    versions = [(found, before, found.before), (found, after, found.after)]
    (old, old_keys), (new, new_keys) = texts_of(context, versions)
    verbs = np.where(
        found.before == NOWHERE, "insert", np.where(found.after == NOWHERE, "delete", "update")
    )
    return _batch(
        pa.repeat(pa.scalar(full_name(table)), len(found)),
        pa.array(verbs, pa.string()),
        pa.array(found.row_ids),
        pc.coalesce(new_keys, old_keys),
        old,
        new,
    )


def _batch(*columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), schema=SCHEMA)
