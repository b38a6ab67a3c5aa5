"""The first rows of a scan in the order of an index (rule ordered_top).

The index is followed block by block; rows are tested against the scan's ranges until enough have
passed. That costs little where many rows pass, and much where few do: before it begins, statistics
say how many rows may have to be seen, and it is given up when it has cost as much as reading all
rows would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.expected import statistics_for
from hartonomous.hql.operators.passing import is_exact, passing_mask
from hartonomous.hql.operators.ranges import ranges_of
from hartonomous.hql.operators.scanned import batches_of
from hartonomous.hql.operators.seek import Sought
from hartonomous.hql.operators.wide import Int64
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.statistics import cost
from hartonomous.hql.statistics.selectivity import share_within
from hartonomous.hql.statistics.table import TableStatistics
from hartonomous.storage.access.ordered import KeyRange, OrderedSearch, find_ordered
from hartonomous.storage.catalog import IndexEntry
from hartonomous.storage.chunk import concat
from hartonomous.storage.ranges import ColumnRange
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.hql.operators.scan import ScanOperator


def find_first(operator: ScanOperator, view: TableView, execution: Execution) -> Sought | None:
    """The rows, in the order of the index; None where sorting all that lie within the ranges costs
    less, or what the WHERE tests cannot be tested here."""
    scan = operator.scan
    first = scan.first
    assert first is not None
    counts = [value_of(c, execution.parameters) for c in first.count]
    ranges = ranges_of(scan.ranges, scan.table, execution)
    known = [r for r in ranges if is_exact(r, view.column(r.column).arrow)]
    if len(known) < len(scan.ranges) or not all(isinstance(c, int) and c >= 0 for c in counts):
        return None
    walk = _Walk(first, ranges, sum(counts), view, operator, execution)
    return walk.rows() if first.index.forced or walk.pays() else None


class _Walk:
    """One way along an index."""

    def __init__(
        self,
        first: p.First,
        ranges: Sequence[ColumnRange],
        count: int,
        view: TableView,
        operator: ScanOperator,
        execution: Execution,
    ) -> None:
        self._first, self._count, self._view = first, count, view
        self._columns, self._execution = operator.columns_read, execution
        self._entry = find_ordered(view.table, first.index.id)
        names = {c.id: c.name for c in view.table.columns}
        own = [names[i] for i in self._entry.columns]
        self._within, self._inside = _within(own, first.equal, ranges)
        self._tests = [r for r in ranges if r not in self._inside]
        self._ordered = own[first.equal :][: first.depth]
        self._ranges = ranges
        self._batches = batches_of(view)
        self._other_us = operator.other_us(view, execution)

    def pays(self) -> bool:
        """Whether it seems to cost less than reading and sorting all rows."""
        rows, least = self._view.row_count, self._cost_us(self._count)
        if least > self._other_us + cost.TOP_ROW_US * rows:
            return False  # before statistics are asked for
        statistics = statistics_for(self._view, self._execution)
        passing = share_within(self._ranges, self._view, statistics)
        tested = share_within(self._tests, self._view, statistics) if self._tests else 1.0
        walked = min(self._count / max(tested, 1e-9), float(rows))
        found = None
        if self._first.ties:
            tied = self._tied(statistics)
            walked = min(math.ceil(walked / tied) * tied, float(rows))
            found = walked * tested
        return self._cost_us(walked, found) < self._other_us + cost.TOP_ROW_US * rows * passing

    def _tied(self, statistics: TableStatistics | None) -> float:
        """How many entries of the stretch that is walked are alike, on average, in the columns that
        the index has in order; the last ones are read to their end. One, if nothing is known."""
        if statistics is None:
            return 1.0
        alike = self._view.row_count * share_within(self._inside, self._view, statistics)
        for name in self._ordered:
            alike *= statistics.column(self._view.column(name), self._view).share_of_one
        return max(1.0, alike)

    def _cost_us(self, walked: float, found: float | None = None) -> float:
        """Of so many rows seen, of which `found`, or at most those wanted, are read."""
        chunks = len(self._view.parts)
        tests = len({r.column for r in self._tests})
        seen = cost.walk_us(walked, chunks) + cost.fetch_us(walked, tests, self._batches)
        read = min(self._count, walked) if found is None else found
        return seen + cost.fetch_us(read, self._columns, self._batches)

    def rows(self) -> Sought | None:
        """Given up when it has cost as much as reading all."""
        search = OrderedSearch(self._view, self._entry)
        if isinstance(self._entry, IndexEntry):
            self._entry.searches[0] += 1
        blocks = search.in_order(self._first.descending, self._within, _block(self._count))
        found: list[Int64] = []
        passed = walked = 0  # passed: with the ties
        last: tuple[object, ...] | None = None
        for block in blocks if self._count else ():
            self._execution.limits.check()
            walked += len(block)
            kept = block[self._mask(block)] if self._tests else block
            if last is not None:
                same = self._same(kept, last)
                found.append(kept[:same])
                passed += same
                if same < len(kept):
                    break
            elif passed + len(kept) >= self._count:
                wanted = self._count - passed
                if not self._first.ties:
                    found.append(kept[:wanted])
                    break
                last = self._keys(kept[wanted - 1 : wanted])
                same = self._same(kept[wanted:], last)
                found.append(kept[: wanted + same])
                passed += wanted + same
                if wanted + same < len(kept):
                    break
            else:
                found.append(kept)
                passed += len(kept)
            if not self._first.index.forced and self._cost_us(walked, passed) > self._other_us:
                return None
        return Sought(concat(found), walked)

    def _mask(self, addresses: Int64) -> Int64:
        names = dict.fromkeys(r.column for r in self._tests)
        rows = pa.table({n: self._view.gather(n, addresses) for n in names})
        mask = passing_mask(rows, self._tests)
        assert mask is not None
        return np.flatnonzero(mask.fill_null(False).to_numpy())

    def _keys(self, addresses: Int64) -> tuple[object, ...]:
        return tuple(self._view.gather(n, addresses)[0].as_py() for n in self._ordered)

    def _same(self, addresses: Int64, last: tuple[object, ...]) -> int:
        """How many of the addresses, from the first, have these keys."""
        if not len(addresses):
            return 0
        same = np.ones(len(addresses), np.bool_)
        for name, value in zip(self._ordered, last, strict=True):
            same &= _equal(self._view.gather(name, addresses), value)
        return len(same) if same.all() else int(np.argmin(same))


def _within(
    columns: Sequence[str], equal: int, ranges: Sequence[ColumnRange]
) -> tuple[KeyRange, list[ColumnRange]]:
    """The stretch of an index in which the rows lie, and the ranges that it answers for."""
    inside: list[ColumnRange] = []
    values = []
    for name in columns[:equal]:
        found = next(
            r for r in ranges if r.column == name and r.low is not None and r.low == r.high
        )
        values.append(found.low)
        inside.append(found)
    for given in ranges if equal < len(columns) else ():
        is_stretch = given.values is None and not given.is_null
        if given.column == columns[equal] and is_stretch:
            low, high = given.low, given.high
            inside.append(given)
            return KeyRange(tuple(values), low, high, given.low_open, given.high_open), inside
    return KeyRange(tuple(values)), inside


def _is_value(given: ColumnRange) -> bool:
    return given.low is not None and bool(given.low == given.high)


def _block(count: int) -> int:
    """Rows of the first block: the rows wanted and one that may be different."""
    return max(16, min(count + 1, 65_536))


def _equal(values: pa.Array, value: object) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    if value is None:
        return np.asarray(values.is_null().to_numpy(zero_copy_only=False))
    if isinstance(value, float) and value != value:
        return np.asarray(pc.is_nan(values).fill_null(False).to_numpy(zero_copy_only=False))
    same = pc.equal(values, pa.scalar(value, values.type)).fill_null(False)
    return np.asarray(same.to_numpy(zero_copy_only=False))
