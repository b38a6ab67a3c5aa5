"""Changes that another moment brings into the session's transaction: definitions and rows as they
are stored, past behaviours, identity values and defaults, which did their work already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, Entry, SchemaEntry, TableEntry
from hartonomous.storage.chunk import Int64, concat
from hartonomous.storage.table import ADDRESS_BITS, OFFSET_MASK, TableView

if TYPE_CHECKING:
    from hartonomous.storage.transaction import Transaction


def find_entry(transaction: Transaction, entry_id: int) -> Entry | None:
    """The entry of that id as the transaction has it."""
    return next((e for e in transaction.catalog.entries.values() if e.id == entry_id), None)


def in_order(entries: list[Entry]) -> list[Entry]:
    """Schemas before what they hold; to drop, go backwards."""
    return sorted(entries, key=lambda e: (not isinstance(e, SchemaEntry), e.id))


def with_history(table: TableEntry, now: TableEntry) -> TableEntry:
    """A definition that `now` is to be replaced by. What rows of either hold stays known: columns
    that `table` lacks are among its dropped ones, and ids are not given out again."""
    stored = {c.id for c in table.stored}
    gone = {c.id: c for c in (*now.dropped, *table.dropped)}
    gone |= {c.id: _bare(c) for c in now.stored}
    dropped = tuple(c for i, c in sorted(gone.items()) if i not in stored)
    return replace(table, dropped=dropped, next_id=max(table.next_id, now.next_id))


def _bare(column: ColumnEntry) -> ColumnEntry:
    return ColumnEntry(column.id, column.name, column.type, column.arrow)


def are_visible(view: TableView, addresses: Int64) -> np.ndarray:
    """Whether the rows at addresses are rows of the view, bool[N]."""
    out = np.zeros(len(addresses), np.bool_)
    selections = dict(view.parts)
    ordinals = addresses >> ADDRESS_BITS
    for ordinal in np.unique(ordinals).tolist():
        here = ordinals == ordinal
        out[here] = selections[ordinal].is_visible(addresses[here] & OFFSET_MASK)
    return out


def addresses_of(view: TableView, row_ids: Int64) -> tuple[Int64, Int64]:
    """Where rows with these ids are in the view: (numbers into `row_ids`, addresses), for those
    that there are, by number."""
    numbers: list[Int64] = []
    addresses: list[Int64] = []
    for ordinal, selection in view.parts:
        index, offsets = selection.chunk.find_row_ids(row_ids)
        if len(index):
            seen = selection.is_visible(offsets)
            numbers.append(index[seen])
            addresses.append(offsets[seen] + (ordinal << ADDRESS_BITS))
    index, found = concat(numbers), concat(addresses)
    order = np.argsort(index, kind="stable")
    return index[order], found[order]


def change_rows(
    transaction: Transaction,
    table_id: int,
    delete: Int64,
    update: tuple[Int64, pa.Table],
    insert: tuple[Int64, pa.Table],
) -> int:
    """Deletes rows at addresses, gives rows at addresses new contents, and adds rows under ids. The
    keys are checked on the way, so an update comes after what makes room for it. How many."""
    transaction.delete(table_id, delete)
    transaction.update(table_id, *update)
    row_ids, rows = insert
    if len(row_ids):
        transaction.insert(table_id, rows, row_ids=row_ids)
    return len(delete) + len(update[0]) + len(row_ids)
