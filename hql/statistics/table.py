"""TableStatistics: what is known of a table, column by column, and until when it holds.

A column is looked at when something first asks for it, or when UPDATE STATISTICS asks for all. The
table's statistics are good until a tenth of its rows (and some) have come, gone or changed; then
new ones are begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from hartonomous.hql.statistics.column import ColumnStatistics, measure
from hartonomous.hql.statistics.sample import sample_addresses
from hartonomous.storage.catalog import ColumnEntry
from hartonomous.storage.chunk import Int64
from hartonomous.storage.table import TableView

#: of the rows that there were
STALE_SHARE: Final = 0.1
#: changed rows that a small table may have besides
STALE_ROWS: Final = 50


class TableStatistics:
    """Statistics of a table as `view` shows it. Threads may share it: at worst a column is
    measured twice."""

    __slots__ = ("_columns", "gone", "made_us", "rows")

    def __init__(self, view: TableView, made_us: int) -> None:
        self.rows, self.made_us = view.row_count, made_us
        self.gone = rows_gone(view)
        #: by id and type: an id says which column only once it is committed
        self._columns: dict[tuple[int, pa.DataType], ColumnStatistics] = {}

    def changed_since(self, view: TableView) -> int:
        """How many rows came and went between the two, an update being both. A table whose dead
        rows were collected meanwhile seems to have changed more."""
        gone = abs(rows_gone(view) - self.gone)
        come = abs((view.row_count + rows_gone(view)) - (self.rows + self.gone))
        return gone + come

    def holds_for(self, view: TableView) -> bool:
        """Whether too few rows have changed to matter."""
        return self.changed_since(view) <= STALE_ROWS + STALE_SHARE * self.rows

    def find(self, column: ColumnEntry) -> ColumnStatistics | None:
        """What is known of a column already, without looking."""
        return self._columns.get((column.id, column.arrow))

    def column(self, column: ColumnEntry, view: TableView) -> ColumnStatistics:
        """The statistics of a stored column, measured now if they are not there yet."""
        found = self._columns.get((column.id, column.arrow))
        if found is None:
            found = self._measured((column,), view)[0]
        return found

    def measure_all(self, columns: Iterable[ColumnEntry], view: TableView) -> None:
        """Measures all of the columns now."""
        self._measured(tuple(columns), view)

    def _measured(
        self, columns: tuple[ColumnEntry, ...], view: TableView
    ) -> list[ColumnStatistics]:
        addresses = sample_addresses(view)
        return [self._measure(c, addresses, view) for c in columns]

    def _measure(self, column: ColumnEntry, addresses: Int64, view: TableView) -> ColumnStatistics:
        keys = (k for k in view.table.keys if k.is_unique and k.columns == (column.id,))
        is_unique = next(keys, None) is not None
        values = view.gather(column.name, addresses)
        found = measure(values, view.row_count, is_unique=is_unique)
        self._columns[column.id, column.arrow] = found
        return found


def rows_gone(view: TableView) -> int:
    """How many rows lie in the view's chunks and are not seen."""
    return sum(s.chunk.count - s.row_count for _, s in view.parts)
