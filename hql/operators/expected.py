"""How many rows a scan is expected to give to what stands above it, by the table's statistics.

Expected are the rows that pass the scan's ranges, not those that it reads: zone maps and indexes
let more through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql import plan as p
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.ranges import ranges_of
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.statistics.kept import statistics_of
from hartonomous.hql.statistics.selectivity import share_within
from hartonomous.hql.statistics.table import TableStatistics
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.storage.catalog import ColumnEntry


def statistics_for(view: TableView, execution: Execution) -> TableStatistics | None:
    """The statistics of a stored table; None of table variables and computed tables, and where a
    policy hides rows, of which estimates would tell."""
    if view.table.id <= 0:
        return None
    if execution.context is not None and execution.context.account is not None:
        from hartonomous.hql.security.rows import policies_for

        if policies_for(execution.context.account, view.table) is not None:
            return None
    return statistics_of(view, execution.source.database)


def expected_rows(scan: p.Scan, view: TableView, execution: Execution) -> float:
    """Of a scan, by its ranges, its key and its limit."""
    if is_single_row(scan):
        return float(min(1, view.row_count))
    rows = float(view.row_count)
    ranges = ranges_of(scan.ranges, scan.table, execution)
    if ranges and rows:
        rows *= share_within(ranges, view, statistics_for(view, execution))
    found = scan.nearest or scan.first
    counts = () if found is None else found.count
    if scan.limit is not None:
        counts = (scan.limit,)
    known = [value_of(count, execution.parameters) for count in counts]
    if known and all(isinstance(k, int) and k >= 0 for k in known):
        rows = min(rows, float(sum(known)))
    return rows


def is_single_row(scan: p.Scan) -> bool:
    """Whether the scan reads one row at most: by the whole of a unique key."""
    if scan.lookup is None:
        return False
    return next(k for k in scan.table.keys if k.id == scan.lookup.key).is_unique


def rows_of_a_value(column: ColumnEntry, view: TableView, execution: Execution) -> float:
    """How many rows have a value of a column of which nothing is known, on average."""
    known = statistics_for(view, execution)
    if known is None:
        return max(1.0, view.row_count / 100)
    return known.column(column, view).share_of_one * view.row_count
