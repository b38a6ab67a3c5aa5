"""Foreign keys and two transactions: one takes a row away, the other adds one that refers to it.

Each sees nothing wrong in its own snapshot. The one that commits second looks at what the first
left, and is a Conflict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.storage.catalog import Catalog, physical_name
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.conflicts import conflict
from hartonomous.storage.keys import KeyColumns, Probe, chunk_key
from hartonomous.storage.references import (
    Parts,
    Reference,
    find_key,
    find_missing,
    picked,
    references_of,
)

if TYPE_CHECKING:
    from hartonomous.storage.state import DatabaseState
    from hartonomous.storage.transaction import Transaction
    from hartonomous.storage.working import WorkingTable


def check_references(transaction: Transaction, catalog: Catalog, head: DatabaseState) -> None:
    """Raises Conflict if what others committed since the transaction's snapshot leaves a child
    without its parent together with what it does. `catalog` is that of the commit to be."""
    if transaction.changes:
        _check_tables(catalog)
    references = references_of(catalog)
    if not references.of_child:
        return
    for working in transaction.tables.values():
        for reference in references.of_child.get(working.table.id, ()):
            if _lost_parents(transaction, reference, working, head):
                raise conflict(f'rows of table "{reference.parent.name}" were changed')
        for reference in references.of_parent.get(working.table.id, ()):
            if _gained_children(transaction, reference, working, head):
                raise conflict(f'rows of table "{reference.child.name}" were changed')


def _check_tables(catalog: Catalog) -> None:
    """Every foreign key has its table and the key there."""
    for child in catalog.tables():
        for entry in child.foreign_keys:
            parent = catalog.tables_by_id.get(entry.table or child.id)
            if parent is None or find_key(parent, entry.referenced) is None:
                raise conflict(f'what FOREIGN KEY "{entry.name}" refers to was changed')


def _is_known(transaction: Transaction, reference: Reference) -> bool:
    """Whether the foreign key was there when the transaction began."""
    table = transaction.state.catalog.tables_by_id.get(reference.child.id)
    return table is not None and any(f.id == reference.entry.id for f in table.foreign_keys)


def _lost_parents(
    transaction: Transaction, reference: Reference, working: WorkingTable, head: DatabaseState
) -> bool:
    """Whether parents of rows that the transaction adds are gone."""
    parent = reference.parent
    if head.table_sequence(parent.id) <= transaction.sequence:
        return False
    if not _is_known(transaction, reference) and working.view().row_count:
        return True  # the foreign key was added when all rows had their parents
    own = transaction.tables.get(parent.id)
    parts = [*head.table(parent.id).view(parent).parts, *(() if own is None else _own(own))]
    return any(
        len(find_missing(parts, reference.key, columns))
        for columns in _columns(_own(working), reference.own)
    )


def _gained_children(
    transaction: Transaction, reference: Reference, working: WorkingTable, head: DatabaseState
) -> bool:
    """Whether rows came that refer to a row that the transaction takes away."""
    child = reference.child
    is_known = _is_known(transaction, reference)
    if is_known and head.table_sequence(child.id) <= transaction.sequence:
        return False
    if not is_known and child.id in transaction.changes:
        return False  # the transaction's own, checked against what it left
    state = head.table(child.id)
    since = transaction.sequence if is_known else -1
    gone = [
        [chunk.take(physical_name(c), c.arrow, offsets) for c in reference.key.columns]
        for chunk, offsets in working.deleted()
    ]
    for columns in gone:
        missing = find_missing(list(_own(working)), reference.key, columns)
        probe = Probe(reference.own.compared(picked(columns, missing)))
        for chunk in state.chunks:
            if chunk.newest_birth > since and _has(chunk, reference.own, probe, head, since):
                return True
    return False


def _has(chunk: Chunk, key: KeyColumns, probe: Probe, head: DatabaseState, since: int) -> bool:
    if not probe.count:
        return False
    part = chunk_key(chunk, key)
    if part.excludes(probe):
        return False
    _, offsets = part.find(probe)
    offsets = offsets[chunk.births_at(offsets) > since]
    return bool(len(offsets) and chunk.selection(head.sequence).is_visible(offsets).any())


def _own(working: WorkingTable) -> Parts:
    """The rows that the transaction added and that are still there."""
    return list(enumerate(selection for _, selection in working.own()))


def _columns(parts: Parts, key: KeyColumns) -> Iterator[list[pa.Array]]:
    """A key's columns of all visible rows, chunk by chunk."""
    for _, selection in parts:
        if selection.row_count:
            offsets = selection.offsets()
            yield [selection.chunk.take(physical_name(c), c.arrow, offsets) for c in key.columns]
