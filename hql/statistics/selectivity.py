"""Which share of a table's rows lies within ranges of its columns.

Shares of several columns are combined with exponential backoff, most selective first:
s1 * s2^(1/2) * s3^(1/4) * s4^(1/8) (as SQL Server does since 2014): columns that are tested
together are rarely independent, and a plain product makes too little of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hartonomous.hql.statistics.column import ColumnStatistics, stored
from hartonomous.hql.statistics.table import TableStatistics
from hartonomous.storage.catalog import ColumnEntry
from hartonomous.storage.ranges import ColumnRange
from hartonomous.storage.table import TableView

#: shares of tests about which nothing is known
UNKNOWN_EQUAL: Final = 0.01
UNKNOWN_RANGE: Final = 0.3
#: columns beyond which a test makes no difference to the estimate
COLUMNS_MAX: Final = 4


def share_within(
    ranges: Sequence[ColumnRange], view: TableView, statistics: TableStatistics | None
) -> float:
    """0 to 1; `statistics` None: a guess, for tables that have none."""
    by_column: dict[str, list[ColumnRange]] = {}
    for given in ranges:
        by_column.setdefault(given.column, []).append(given)
    shares = []
    for name, own in by_column.items():
        column = view.column(name)
        known = None if statistics is None else statistics.column(column, view)
        shares.append(_share(own, column, known))
    shares.sort()
    found = 1.0
    for place, share in enumerate(shares[:COLUMNS_MAX]):
        found *= share ** (0.5**place)
    return found


def _share(
    ranges: Sequence[ColumnRange], column: ColumnEntry, known: ColumnStatistics | None
) -> float:
    """Of the ranges of one column: the ends of all together are one stretch."""
    singles = [_single(r, column, known) for r in ranges if _is_single(r)]
    low, high = _ends([r for r in ranges if not _is_single(r)])
    if low is not None or high is not None:
        singles.append(_stretch(low, high, column, known))
    return min(singles, default=1.0)


def _is_single(given: ColumnRange) -> bool:
    same = given.low is not None and given.low == given.high
    return given.is_null or given.values is not None or same


def _single(given: ColumnRange, column: ColumnEntry, known: ColumnStatistics | None) -> float:
    values = (given.low,) if given.values is None else given.values
    if given.is_null:
        return UNKNOWN_EQUAL if known is None else max(known.nulls, known.least)
    if known is None or not known.distinct and known.nulls < 1.0:
        return min(1.0, UNKNOWN_EQUAL * len(values))
    return min(1.0, sum(known.share_equal(stored(v, column.arrow)) for v in values))


_End = tuple[Any, bool] | None


def _ends(ranges: Sequence[ColumnRange]) -> tuple[_End, _End]:
    """The greatest low end and the least high end, each with whether it is open."""
    low: _End = None
    high: _End = None
    for r in ranges:
        if r.low is not None and (low is None or (r.low, r.low_open) > low):
            low = r.low, r.low_open
        if r.high is not None and (high is None or _is_below(r, high)):
            high = r.high, r.high_open
    return low, high


def _is_below(given: ColumnRange, high: tuple[Any, bool]) -> bool:
    return bool(given.high < high[0] or (given.high == high[0] and given.high_open))


def _stretch(low: _End, high: _End, column: ColumnEntry, known: ColumnStatistics | None) -> float:
    if known is not None:
        share = known.share_between(
            None if low is None else stored(low[0], column.arrow),
            None if high is None else stored(high[0], column.arrow),
            low is not None and low[1],
            high is not None and high[1],
        )
        if share is not None:
            return share
    return UNKNOWN_RANGE * (UNKNOWN_RANGE if low is not None and high is not None else 1.0)
