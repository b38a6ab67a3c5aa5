"""Ranges of a plan as ranges of a column's own values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql import plan as p
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.values import column_value
from hartonomous.hql.rules.simple import value_of
from hartonomous.storage.table import ColumnRange

if TYPE_CHECKING:
    from hartonomous.storage.catalog import TableEntry


def ranges_of(
    given: Sequence[p.Range], table: TableEntry, execution: Execution
) -> list[ColumnRange]:
    """The ranges of a table's columns that say something about their values."""
    found = (_range_of(r, table, execution) for r in given)
    return [r for r in found if r is not None]


def _range_of(given: p.Range, table: TableEntry, execution: Execution) -> ColumnRange | None:
    if given.is_null:
        return ColumnRange(given.column, is_null=True)
    entry = table.find_column(given.column)
    assert entry is not None, given.column
    ends: list[Any] = []
    for end in (given.low, given.high, *(given.values or ())):
        value = None if end is None else value_of(end, execution.parameters)
        if end is not None and value is None and given.values is None:
            return None  # compared with NULL; no row passes the test above
        fits, value = column_value(value, entry.arrow)
        if not fits:
            return None
        ends.append(value)
    values = tuple(v for v in ends[2:] if v is not None) if given.values is not None else None
    return ColumnRange(given.column, ends[0], ends[1], given.low_open, given.high_open, values)
