"""Rows that lie within ranges of an index's first columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.scanned import batches_of, rows_scanned
from hartonomous.hql.operators.wide import Int64
from hartonomous.hql.statistics import cost
from hartonomous.storage.access.ordered import KeyRange, OrderedSearch, find_ordered
from hartonomous.storage.catalog import NOCASE, IndexEntry, KeyEntry
from hartonomous.storage.ranges import ColumnRange
from hartonomous.storage.table import TableView

#: stretches of an index that one scan looks through; beyond them the last columns are left alone
STRETCHES_MAX = 4096


@frozen
class Sought:
    """Addresses, ascending, and how many entries of the index were read."""

    addresses: Int64
    entries: int


def find_sought(
    indexes: Sequence[p.Index], view: TableView, ranges: Sequence[ColumnRange], columns: int
) -> Sought | None:
    """Rows within the ranges as far as the best of the indexes knows, the one with the fewest
    entries there; None where reading `columns` of all rows costs less, or nothing is known of any
    first column when it comes to its values."""
    ways = [w for i in indexes if (w := _way(i, view, ranges)) is not None]
    if not ways:
        return None
    best = min(ways, key=lambda w: (not w.is_forced, w.count))
    if not (best.is_forced or best.pays(view, ranges, columns)):
        return None
    if isinstance(best.entry, IndexEntry):
        best.entry.searches[0] += 1
    return Sought(best.search.search(best.stretches), best.count)


def seek_us(
    indexes: Sequence[p.Index], view: TableView, ranges: Sequence[ColumnRange], columns: int
) -> float:
    """What `find_sought` would cost; without end where no index is of use."""
    ways = (_way(i, view, ranges) for i in indexes)
    return min((w.cost_us(view, columns) for w in ways if w is not None), default=float("inf"))


@frozen
class _Way:
    """An index, and what there is of it within ranges."""

    entry: IndexEntry | KeyEntry
    search: OrderedSearch
    stretches: list[KeyRange]
    count: int
    is_forced: bool

    def cost_us(self, view: TableView, columns: int) -> float:
        seek = cost.seek_us(len(self.stretches), len(view.parts))
        return seek + cost.fetch_us(self.count, columns, batches_of(view))

    def pays(self, view: TableView, ranges: Sequence[ColumnRange], columns: int) -> bool:
        own_us = self.cost_us(view, columns)
        if own_us < cost.LEAST_SCAN_US:
            return True  # without a look at the zone maps
        scan_us = cost.scan_us(rows_scanned(view, ranges), columns)
        return own_us < scan_us


def _way(index: p.Index, view: TableView, ranges: Sequence[ColumnRange]) -> _Way | None:
    entry = find_ordered(view.table, index.id)
    columns = {c.id: (c.name, c.collation == NOCASE) for c in view.table.columns}
    stretches = key_ranges([columns[i] for i in entry.columns], ranges)
    if stretches is None:
        return None
    search = OrderedSearch(view, entry)
    return _Way(entry, search, stretches, search.count(stretches), index.forced)


def key_ranges(
    columns: Sequence[tuple[str, bool]], ranges: Sequence[ColumnRange]
) -> list[KeyRange] | None:
    """The stretches of an index over `columns` (names, and whether it has them in lower case) in
    which all rows within `ranges` lie: every combination of the values that the first columns
    equal, and what the next one lies between. None if nothing is known of the first."""
    equal: list[tuple[Any, ...]] = []
    count = 1
    for column, folds in columns:
        own = [r for r in ranges if r.column == column and (r.folds == folds or r.is_null)]
        values = _values(own)
        if values is None or count * len(values) > STRETCHES_MAX:
            return _ended(equal, own)
        equal.append(values)
        count *= len(values)
    return [KeyRange(e) for e in product(*equal)] if equal else None


def _values(ranges: Sequence[ColumnRange]) -> tuple[Any, ...] | None:
    """The values that a column must equal, each once; None if it may have any of a stretch."""
    for r in ranges:
        if r.is_null:
            return (None,)
        if r.values is not None:
            return tuple(dict.fromkeys(r.values))
        if r.low is not None and r.low == r.high and not (r.low_open or r.high_open):
            return (r.low,)
    return None


def _ended(
    equal: Sequence[tuple[Any, ...]], ranges: Sequence[ColumnRange]
) -> list[KeyRange] | None:
    """The stretches of the columns before with the first ends that `ranges` have."""
    low = next((r for r in ranges if r.low is not None), None)
    high = next((r for r in ranges if r.high is not None), None)
    if low is None and high is None:
        return [KeyRange(e) for e in product(*equal)] if equal else None
    return [
        KeyRange(
            e,
            None if low is None else low.low,
            None if high is None else high.high,
            low is not None and low.low_open,
            high is not None and high.high_open,
        )
        for e in product(*equal)
    ]
