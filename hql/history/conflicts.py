"""Merge conflicts as rows: what it was, what it is here, what it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.history.definitions import definition_json, full_name
from hartonomous.hql.history.merge_definitions import DefinitionConflict
from hartonomous.hql.history.row_json import key_names, texts_of
from hartonomous.hql.plan import schema_of
from hartonomous.hql.system_tables.base import fields
from hartonomous.hql.types import JSON, NVARCHAR

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.history.merge_apply import TableMerge

CONFLICT_FIELDS = fields(
    TableName=NVARCHAR, KeyJson=JSON, BaseJson=JSON, OursJson=JSON, TheirsJson=JSON
)
SCHEMA = schema_of(CONFLICT_FIELDS)


def definition_rows(conflicts: Sequence[DefinitionConflict]) -> pa.Table:
    """Definitions that both branches changed; KeyJson is NULL."""
    entries = [[c.base, c.ours, c.theirs] for c in conflicts]
    names = [full_name(next(e for e in some if e is not None)) for some in entries]
    columns = [[definition_json(some[i]) for some in entries] for i in range(3)]
    nothing = pa.nulls(len(names), pa.string())
    arrays = [pa.array(names, pa.string()), nothing]
    arrays += [pa.array(texts, pa.string()) for texts in columns]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def table_rows(context: Context, merge: TableMerge) -> pa.Table:
    """Rows that both branches changed, by key."""
    assert merge.ours is not None
    ours, theirs = merge.ours, merge.theirs
    numbers = np.flatnonzero(merge.outcome.is_conflict)
    mine = merge.outcome.ours_at[numbers]
    count = len(numbers)
    forms = merge.forms
    versions = [
        (theirs.found, forms.base, theirs.base_place[numbers]),
        (ours.found, forms.ours, ours.place[mine]),
        (theirs.found, forms.theirs, theirs.place[numbers]),
    ]
    (base, keys), (left, left_keys), (right, right_keys) = texts_of(context, versions)
    known = pc.coalesce(keys, left_keys, right_keys)
    if not key_names(merge.final):
        ids = pa.array(theirs.codes[numbers]).cast(pa.string())
        known = pc.binary_join_element_wise('{"RowId":', ids, "}", "")
    name = pa.repeat(pa.scalar(full_name(merge.final)), count)
    return pa.Table.from_arrays([name, known, base, left, right], schema=SCHEMA)
