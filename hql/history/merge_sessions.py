"""Paths of sessions whose events both branches changed: they follow from the events of both, and
are made again instead of being conflicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.hql.system_schema import definition_of
from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Int64
from hartonomous.storage.differences import NOWHERE, same_rows, values_at
from hartonomous.storage.table import ADDRESS_BITS

if TYPE_CHECKING:
    from hartonomous.hql.history.merge_apply import TableMerge
    from hartonomous.hql.history.merge_rows import KeyChanges


def settle_paths(tables: Sequence[TableMerge]) -> pa.Array | None:
    """Takes conflicts out of SessionPaths that the merge of SessionEvents settles; the ids of the
    sessions to follow then, None if there are none. Who the user was stays a conflict."""
    events, paths = (_find(tables, name) for name in ("SessionEvents", "SessionPaths"))
    if events is None or paths is None or events.ours is None or paths.ours is None:
        return None
    outcome, ours, theirs = paths.outcome, paths.ours, paths.theirs
    met = np.flatnonzero(outcome.is_conflict)
    left, right = ours.place[outcome.ours_at[met]], theirs.place[met]
    there = (left != NOWHERE) & (right != NOWHERE)
    met, left, right = met[there], left[there], right[there]
    if not len(met):
        return None
    users = [c for c in paths.final.stored if c.name == "UserId"]
    shift = len(ours.found.chunks) << ADDRESS_BITS
    chunks = (*ours.found.chunks, *theirs.found.chunks)
    same = same_rows(chunks, left, right + shift, [(c, c) for c in users])
    sessions = _sessions(theirs, paths.forms.theirs, right)
    changed = (
        _changed(events.ours, events.forms.ours),
        _changed(events.theirs, events.forms.theirs),
    )
    both = [pc.is_in(sessions, value_set=c).to_numpy(zero_copy_only=False) for c in changed]
    settled = same & both[0] & both[1]
    is_conflict, is_taken = outcome.is_conflict.copy(), outcome.is_taken.copy()
    is_conflict[met[settled]] = is_taken[met[settled]] = False
    paths.outcome = replace(outcome, is_conflict=is_conflict, is_taken=is_taken)
    return sessions.filter(pa.array(settled)) if settled.any() else None


def _find(tables: Sequence[TableMerge], name: str) -> TableMerge | None:
    for table in tables:
        stored = definition_of(table.final)
        if stored is not None and stored.name == name:
            return table
    return None


def _changed(changes: KeyChanges, table: TableEntry) -> pa.Array:
    """The sessions of which events changed."""
    return _sessions(changes, table, np.concatenate([changes.base_place, changes.place]))


def _sessions(changes: KeyChanges, table: TableEntry, places: Int64) -> pa.Array:
    """The sessions that versions of rows are of."""
    column = table.find_column("SessionId")
    assert column is not None
    return values_at(changes.found.chunks, places[places != NOWHERE], column, column.arrow)
