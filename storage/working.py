"""A table inside a transaction: what the snapshot has, less own deletes, plus own inserts.

Frozen: every change gives a new one, so a savepoint keeps the old one and needs nothing else.
Own rows are chunks of birth 0. Ordinals in addresses are given once and never again: chunks of the
snapshot have 0, 1, …, own chunks the next; when own chunks are merged, `moved` says where to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

import numpy as np

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import BATCH_BITS, NO_ROWS, Chunk, Int64, Selection, concat
from hartonomous.storage.frozen import frozen
from hartonomous.storage.keys import KeyColumns, Probe, outside
from hartonomous.storage.shape import shape_of
from hartonomous.storage.table import ADDRESS_BITS, TableState, TableView, split_addresses
from hartonomous.storage.tail import FAN, settle


@frozen
class WorkingTable:
    table: TableEntry
    base: TableState
    #: visible rows of chunks in which own deletes hid some, by ordinal
    changed: Mapping[int, Selection] = field(default_factory=dict)
    inserted: tuple[tuple[int, Chunk], ...] = ()
    moved: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # ordinal -> ordinal, shift
    next_ordinal: int = 0
    _view: list[TableView] = field(default_factory=list, compare=False, repr=False)

    @staticmethod
    def of(table: TableEntry, base: TableState) -> WorkingTable:
        return WorkingTable(table, base, next_ordinal=len(base.chunks))

    @property
    def base_view(self) -> TableView:
        """The rows of the snapshot, with the table's definition of now."""
        return self.base.view(self.table)

    @property
    def has_changes(self) -> bool:
        return bool(self.changed or self.inserted)

    def view(self) -> TableView:
        if not self._view:
            parts = [(o, self.changed.get(o, s)) for o, s in self.base_view.parts]
            parts += [(o, self.changed.get(o) or c.selection(0)) for o, c in self.inserted]
            self._view.append(TableView(self.table, tuple(parts)))
        return self._view[0]

    def with_table(self, table: TableEntry) -> WorkingTable:
        return replace(self, table=table, _view=[])

    def with_rows(self, chunk: Chunk) -> WorkingTable:
        """Own rows added; own small chunks are merged when many."""
        ordinal = self.next_ordinal
        inserted = (*self.inserted, (ordinal, chunk))
        grown = WorkingTable(self.table, self.base, self.changed, inserted, self.moved, ordinal + 1)
        if len(inserted) < FAN:
            return grown
        chunks = tuple(c for _, c in inserted)
        settled = settle(chunks, shape_of(self.table))
        return grown if len(settled) == len(chunks) else grown._merged(settled[-1])

    def _merged(self, whole: Chunk) -> WorkingTable:
        """The last own chunks replaced by the one they were merged into."""
        count, first = 0, len(self.inserted)
        while count < whole.count:
            first -= 1
            count += self.inserted[first][1].count
        assert count == whole.count
        target, shift = self.next_ordinal, 0
        moved, changed, hidden = dict(self.moved), dict(self.changed), []
        for ordinal, chunk in self.inserted[first:]:
            moved[ordinal] = target, shift
            selection = changed.pop(ordinal, None)
            if selection is not None:
                hidden.append(hidden_offsets(selection) + shift)
            shift += chunk.count
        if hidden:
            changed[target] = whole.selection(0).without(concat(hidden))
        inserted = (*self.inserted[:first], (target, whole))
        return replace(
            self,
            changed=changed,
            inserted=inserted,
            moved=moved,
            next_ordinal=target + 1,
            _view=[],
        )

    def visible(self, key: KeyColumns, probe: Probe) -> Iterable[tuple[int, Selection]]:
        """The chunks in which a probed key may be; none of the snapshot's if the key's range over
        the whole table excludes it, as it does when keys ascend."""
        span = self.base.key_range(key)
        if not self.changed and span is not None and outside(span, probe.range):
            return [(o, c.selection(0)) for o, c in self.inserted]
        return self.view().parts

    def resolve(self, addresses: Int64) -> Int64:
        """Addresses from an earlier view of this transaction as addresses of now."""
        if not self.moved or not len(addresses):
            return addresses
        out = addresses.copy()
        for ordinal in np.unique(addresses >> ADDRESS_BITS).tolist():
            target, shift = ordinal, 0
            while target in self.moved:
                target, more = self.moved[target]
                shift += more
            if target != ordinal:
                here = (addresses >> ADDRESS_BITS) == ordinal
                out[here] += ((target - ordinal) << ADDRESS_BITS) + shift
        return out

    def without(self, addresses: Int64) -> WorkingTable:
        """Rows deleted. `addresses`: ascending, distinct, of now, all visible."""
        selections = dict(self.view().parts)
        changed = dict(self.changed)
        for ordinal, offsets in split_addresses(addresses):
            selection = selections[ordinal]
            assert offsets[-1] < selection.chunk.count and selection.is_visible(offsets).all(), (
                "an address is not of this view"
            )
            changed[ordinal] = selection.without(offsets)
        return replace(self, changed=changed, _view=[])

    def emptied(self) -> WorkingTable:
        changed = dict(self.changed)
        for ordinal, selection in self.view().parts:
            if selection.row_count:
                changed[ordinal] = selection.without(selection.offsets())
        return replace(self, changed=changed, _view=[])

    def deleted(self) -> Iterator[tuple[Chunk, Int64]]:
        """Per chunk of the snapshot, the offsets that own deletes hid, ascending."""
        for ordinal, before in self.base_view.parts:
            after = self.changed.get(ordinal)
            if after is not None:
                offsets = newly_hidden(before, after)
                if len(offsets):
                    yield before.chunk, offsets

    def own(self) -> Iterator[tuple[Chunk, Selection]]:
        """Own chunks with those of their rows that are still there."""
        for ordinal, chunk in self.inserted:
            yield chunk, self.changed.get(ordinal) or chunk.selection(0)


def hidden_offsets(selection: Selection) -> Int64:
    """All hidden rows of a chunk, ascending."""
    return concat([h.offsets + (b << BATCH_BITS) for b, h in sorted(selection.hidden.items())])


def newly_hidden(before: Selection, after: Selection) -> Int64:
    """Rows that `after` hides and `before` does not, ascending."""
    parts = []
    for batch, hidden in sorted(after.hidden.items()):
        old = before.hidden.get(batch)
        if old is hidden:
            continue
        offsets = hidden.offsets
        if old is not None:
            offsets = np.setdiff1d(offsets, old.offsets, assume_unique=True)
        parts.append(offsets + (batch << BATCH_BITS))
    return concat(parts) if parts else NO_ROWS
