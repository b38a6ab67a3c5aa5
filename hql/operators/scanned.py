"""What a scan without an index reads: the batches that zone maps let through."""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.storage.catalog import physical_name
from hartonomous.storage.ranges import ColumnRange, matching_batches
from hartonomous.storage.table import TableView


def rows_scanned(view: TableView, ranges: Sequence[ColumnRange]) -> int:
    """How many rows lie in batches that may hold one within the ranges, hidden ones included."""
    named = [(physical_name(view.column(r.column)), r) for r in ranges if not r.folds]
    found = 0
    for _, selection in view.parts:
        chunk = selection.chunk
        batches = matching_batches(chunk, named)
        if len(batches) == chunk.batch_count:
            found += chunk.count
        else:
            found += sum(map(chunk.batch_size, batches))
    return found


def batches_of(view: TableView) -> int:
    """The batches that a view's rows lie in."""
    return sum(s.chunk.batch_count for _, s in view.parts)
