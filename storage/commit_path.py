"""The commit path: conflicts, the next sequence, the new state.

First committer wins. Under the commit lock a transaction is compared with what was committed since
its snapshot: rows it deletes must still be there in the version it saw, unique keys it adds must
not have been added, entries it changes or writes to must be the ones it knew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import Catalog, next_version
from hartonomous.storage.chunk import Chunk, Int64, Selection
from hartonomous.storage.constraints import chunk_columns
from hartonomous.storage.errors import Conflict
from hartonomous.storage.keys import Probe, chunk_key
from hartonomous.storage.memory import MemoryRows, rebatch
from hartonomous.storage.shape import TableShape, shape_of
from hartonomous.storage.state import CommitInfo, DatabaseState, moment
from hartonomous.storage.table import TableState
from hartonomous.storage.tail import merge, settle
from hartonomous.storage.working import WorkingTable

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.transaction import Transaction


class CommitPath:
    """Serialises commits of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self.head = database.published

    def commit(self, transaction: Transaction, statement: str, author: str) -> CommitInfo | None:
        tables = [t for t in transaction.tables.values() if t.has_changes]
        own = [t for t in tables if not t.table.temporary]
        changes = transaction.changes
        if not own and not changes:
            return None
        with self._lock:
            head = self.head
            catalog = merge_catalog(transaction, head.catalog)
            sequence = head.sequence + 1
            states = {i: s for i, s in head.tables.items() if i in catalog.tables_by_id}
            deaths = {}
            for working in own:
                check_entry(working, head.catalog, transaction)
                state = head.table(working.table.id)
                deaths[working.table.id] = list(locate_deaths(working, state, transaction.sequence))
                check_committed_keys(working, state, transaction.sequence)
            for working in own:
                state = head.table(working.table.id)
                for chunk, offsets in deaths[working.table.id]:
                    chunk.deaths.append(sequence, offsets)
                added = publishable(working, sequence)
                chunks = settle((*state.chunks, *added), shape_of(working.table))
                states[working.table.id] = TableState(working.table.id, sequence, chunks)
            self.head = DatabaseState(sequence, catalog, states)
            self._database.published = self.head
            return CommitInfo(sequence, b"", moment(self._database.clock.now_us()))


def merge_catalog(transaction: Transaction, head: Catalog) -> Catalog:
    """The head's catalog with the transaction's changes; raises Conflict."""
    changes = [c for c in transaction.changes.values()]
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
        if entry.kind != "schema" and catalog.find("", entry.schema) is None:
            raise conflict(f'schema "{entry.schema}" and what it holds were changed')
    return catalog


def check_entry(working: WorkingTable, head: Catalog, transaction: Transaction) -> None:
    table_id = working.table.id
    known = transaction.state.catalog.tables_by_id.get(table_id)
    if known is not None and head.tables_by_id.get(table_id) is not known:
        raise conflict(f'table "{working.table.name}" was changed or dropped')


def conflict(what: str) -> Conflict:
    return Conflict(
        f"{what} by another transaction since this one began", hint="run the transaction again"
    )


def locate_deaths(
    working: WorkingTable, head: TableState, sequence: int
) -> Iterable[tuple[Chunk, Int64]]:
    """Where the rows the transaction deletes lie now; raises Conflict if one is gone."""
    here = {id(c) for c in head.chunks}
    for chunk, offsets in working.deleted():
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
    shape = shape_of(working.table)
    if head is working.base or not shape.unique or not working.inserted:
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
            probe = Probe(columns)
            for other in fresh:
                part = chunk_key(other, key)
                if not probe.count or part.excludes(probe):
                    continue
                _, offsets = part.find(probe)
                offsets = offsets[other.births_at(offsets) > sequence]
                if other.selection(head.sequence).is_visible(offsets).any():
                    raise conflict(
                        f'a row with the same {key.key.kind} "{key.key.name}" was added to '
                        f'table "{working.table.name}"'
                    )


def publishable(working: WorkingTable, sequence: int) -> list[Chunk]:
    """Own chunks as others will see them: born now, without rows that were deleted again."""
    shape = shape_of(working.table)
    out, small = [], []
    for chunk, selection in working.own():
        if selection.row_count:
            small.append(alive(chunk, selection, shape))
    if len(small) > 1:
        small = [merge(small, shape)] if sum(c.count for c in small) < 65_536 else small
    for chunk in small:
        born = Chunk(chunk.rows, chunk.row_ids, sequence)
        for key_id, part in chunk.keys.items():
            born.keys[key_id] = part.moved_to(born)
        out.append(born)
    return out


def alive(chunk: Chunk, selection: Selection, shape: TableShape) -> Chunk:
    """The chunk without its hidden rows."""
    if not selection.hidden:
        return chunk
    offsets = selection.offsets()
    columns = [
        chunk_columns([chunk], shape, p).take(pa.array(offsets)) for p in range(len(shape.stored))
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
    return Chunk(
        MemoryRows(shape.physical, rebatch(shape.physical, [batch])), chunk.row_ids_at(offsets), 0
    )
