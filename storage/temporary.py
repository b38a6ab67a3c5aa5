"""Temporary tables: a session's own, published in its TempStore when its transaction commits.

The same chunks, death logs and merging as the database's tables, with sequences of their own;
no log, no hashes, no conflicts, since one session has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.prepare import without_hidden
from hartonomous.storage.shape import shape_of
from hartonomous.storage.table import TableState
from hartonomous.storage.tail import settle
from hartonomous.storage.working import WorkingTable

if TYPE_CHECKING:
    from hartonomous.storage.transaction import Transaction


def publish_temporary(transaction: Transaction) -> None:
    """What a committed transaction did to temporary tables becomes the session's state."""
    store = transaction.temp
    if store is None or not (transaction.changes or _has_temporary(transaction)):
        return
    entries, tables = dict(store.entries), dict(store.tables)
    for change in transaction.changes.values():
        if isinstance(change.before, TableEntry) and change.before.temporary:
            entries.pop(change.before.id, None)
            if change.after is None:
                tables.pop(change.before.id, None)
        if isinstance(change.after, TableEntry) and change.after.temporary:
            entries[change.after.id] = change.after
    sequence = store.sequence + 1
    changed = entries != store.entries
    for working in transaction.tables.values():
        if working.table.temporary and (working.has_changes or working.table.id not in tables):
            tables[working.table.id] = _published(working, sequence)
            changed = True
    if changed:
        store.publish(entries if entries != store.entries else store.entries, tables, sequence)


def _has_temporary(transaction: Transaction) -> bool:
    return any([working.table.temporary for working in transaction.tables.values()])


def _published(working: WorkingTable, sequence: int) -> TableState:
    shape = shape_of(working.table)
    for chunk, offsets in working.deleted():
        chunk.deaths.append(sequence, offsets)
    chunks = working.base.chunks
    for chunk, selection in working.own():
        if selection.row_count:
            kept = without_hidden(chunk, selection, shape)
            chunks = (*chunks, _born(kept, sequence))
    return TableState(working.table.id, sequence, settle(chunks, shape))


def _born(chunk: Chunk, sequence: int) -> Chunk:
    born = Chunk(chunk.rows, chunk.row_ids, sequence)
    for key_id, part in chunk.keys.items():
        born.keys[key_id] = part.moved_to(born)
    born.indexes = chunk.indexes
    return born
