"""Conflicts: whether a transaction may still commit on what others committed since its snapshot.

First committer wins. Rows it deletes must still be there in the version it saw, unique keys it
adds must not have been added, entries it changes or writes to must be the ones it knew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import Catalog, next_version
from hartonomous.storage.chunk import Chunk, Int64
from hartonomous.storage.constraints import chunk_columns
from hartonomous.storage.errors import Conflict
from hartonomous.storage.keys import KeyColumns, Probe, chunk_key
from hartonomous.storage.shape import shape_of
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState
from hartonomous.storage.working import WorkingTable

if TYPE_CHECKING:
    from hartonomous.storage.transaction import CatalogChange, Transaction


def merge_catalog(changes: Sequence[CatalogChange], head: Catalog) -> Catalog:
    """The head's catalog with a transaction's changes; raises Conflict."""
    if not changes:
        return head
    catalog = head
    for change in changes:
        if change.before is not None:
            now = catalog.find(change.before.schema, change.before.name)
            if now is not change.before:
                raise conflict(f'"{change.before.name}" was changed')
            catalog = catalog.without(change.before, next_version())
    for change in changes:
        after = change.after
        if after is None:
            continue
        if catalog.find(after.schema, after.name) is not None:
            raise conflict(f'"{after.name}" was created')
        catalog = catalog.with_entry(after, next_version())
    for entry in catalog.entries.values():
        if entry.kind in ("table", "view", "routine") and catalog.find("", entry.schema) is None:
            raise conflict(f'schema "{entry.schema}" and what it holds were changed')
    return catalog


def check_entry(working: WorkingTable, head: Catalog, transaction: Transaction) -> None:
    if head is transaction.state.catalog:
        return
    table_id = working.table.id
    known = transaction.state.catalog.tables_by_id.get(table_id)
    if known is not None and head.tables_by_id.get(table_id) is not known:
        raise conflict(f'table "{working.table.name}" was changed or dropped')


def check_untouched(working: WorkingTable, head: DatabaseState, transaction: Transaction) -> None:
    """Rows under ids that were given may be there already unless the table is as it was."""
    table_id = working.table.id
    if table_id in transaction.exact and head.table_sequence(table_id) > transaction.sequence:
        raise conflict(f'rows of table "{working.table.name}" were changed')


def conflict(what: str) -> Conflict:
    return Conflict(
        f"{what} by another transaction since this one began", hint="run the transaction again"
    )


def locate_deaths(
    working: WorkingTable,
    deleted: Sequence[tuple[Chunk, Int64]],
    head: TableState,
    sequence: int,
) -> Iterable[tuple[Chunk, Int64]]:
    """Where the rows the transaction deletes lie now; raises Conflict if one is gone."""
    if not deleted:
        return
    here = {id(c) for c in head.chunks}
    for chunk, offsets in deleted:
        if id(chunk) in here:
            seen = chunk.deaths.prefix(sequence)
            since = chunk.deaths.offsets(seen, chunk.deaths.count)
            if len(since) and len(np.intersect1d(since, offsets)):
                raise conflict(f'rows of table "{working.table.name}" were changed')
            yield chunk, offsets
        else:
            yield from _relocate(working, chunk.row_ids_at(offsets), head, sequence)


def _relocate(
    working: WorkingTable, ids: Int64, head: TableState, sequence: int
) -> Iterable[tuple[Chunk, Int64]]:
    """Rows of a chunk that was merged since, found by their ids."""
    found = 0
    for chunk in head.chunks:
        _, offsets = chunk.find_row_ids(ids)
        if not len(offsets):
            continue
        alive = chunk.selection(head.sequence).is_visible(offsets)
        offsets = np.sort(offsets[alive & (chunk.births_at(offsets) <= sequence)])
        found += len(offsets)
        if len(offsets):
            yield chunk, offsets
    if found != len(ids):
        raise conflict(f'rows of table "{working.table.name}" were changed')


def check_committed_keys(working: WorkingTable, head: TableState, sequence: int) -> None:
    """Raises Conflict if a unique key that the transaction adds was added by another one."""
    if head is working.base or not working.inserted:
        return
    shape = shape_of(working.table)
    if not shape.unique:
        return
    known = {id(c) for c in working.base.chunks}
    fresh = [c for c in head.chunks if id(c) not in known and c.newest_birth > sequence]
    if not fresh:
        return
    for key, positions in shape.unique:
        for chunk, selection in working.own():
            if not selection.row_count:
                continue
            columns = [chunk_columns([chunk], shape, position) for position in positions]
            if selection.hidden:
                kept = pa.array(selection.offsets())
                columns = [c.take(kept) for c in columns]
            if _was_added(key, Probe(key.compared(columns)), fresh, head.sequence, sequence):
                raise conflict(
                    f'a row with the same {key.key.kind} "{key.key.name}" was added to '
                    f'table "{working.table.name}"'
                )


def _was_added(
    key: KeyColumns, probe: Probe, chunks: Sequence[Chunk], now: int, since: int
) -> bool:
    """Whether a probed key is in a row born after `since` and visible now."""
    if not probe.count:
        return False
    for chunk in chunks:
        part = chunk_key(chunk, key)
        if part.excludes(probe):
            continue
        _, offsets = part.find(probe)
        offsets = offsets[chunk.births_at(offsets) > since]
        if len(offsets) and chunk.selection(now).is_visible(offsets).any():
            return True
    return False
