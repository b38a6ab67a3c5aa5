"""Rows of a large table that match the few rows of another, through an index (rule match_rows).

The other rows' values (other_rows.py) are read, made distinct and looked up. Four
times it is asked whether that costs less than reading the table: before anything, from what is
expected; for the rows each value has; when the values are known; and when their rows are. Who
loses a bet has paid less than the scan that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.other_rows import other_rows, rows_of_a_key
from hartonomous.hql.operators.scanned import batches_of
from hartonomous.hql.operators.seek import Sought
from hartonomous.hql.operators.values import column_value
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.statistics import cost
from hartonomous.storage.access.ordered import find_ordered, look_up
from hartonomous.storage.catalog import ColumnEntry, IndexEntry, KeyEntry
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.hql.operators.scan import ScanOperator

#: scans that wait for each other's rows
CHAIN_MAX = 4
#: how much of a table's reading time the values of the other one may cost
SHARE_MAX = 0.5


def find_matching(operator: ScanOperator, view: TableView, execution: Execution) -> Sought | None:
    """The rows that can match; None where reading all rows costs less."""
    reading = _Reading(operator, view, execution)
    if reading.scan_us < cost.LEAST_SCAN_US and not reading.is_forced:
        return None
    best: tuple[float, p.Matching] | None = None
    for matching in operator.scan.matching:
        found = reading.expected_us(matching, execution)
        if found is not None and (best is None or found < best[0]):
            best = found, matching
    if best is None or not (reading.is_forced or best[0] < reading.scan_us):
        return None
    return reading.look_up(best[1], execution)


class _Reading:
    """A scan that may be read in part."""

    def __init__(self, operator: ScanOperator, view: TableView, execution: Execution) -> None:
        self._operator, self._view = operator, view
        self._columns, self._batches = operator.columns_read, batches_of(view)
        self.scan_us = operator.other_us(view, execution)
        self.is_forced = any(m.index.forced for m in operator.scan.matching)

    def _rows_us(self, keys: float, rows: float) -> float:
        seek = cost.seek_us(keys, len(self._view.parts))
        return seek + cost.fetch_us(rows, self._columns, self._batches)

    def expected_us(self, matching: p.Matching, execution: Execution) -> float | None:
        """What it may cost to read by the values of the other rows; None if these wait for this
        scan, or are too many."""
        other = other_rows(self._operator, matching)
        if other is None:
            return None
        read_us = other.read_us(execution)
        if not self.is_forced and read_us > self.scan_us * SHARE_MAX:
            return None  # before statistics are asked for
        keys = other.expected(execution)
        if not self.is_forced and read_us + self._rows_us(keys, keys) > self.scan_us:
            return None
        return read_us + self._rows_us(keys, keys * rows_of_a_key(matching, self._view, execution))

    def look_up(self, matching: p.Matching, execution: Execution) -> Sought | None:
        entry = find_ordered(self._view.table, matching.index.id)
        columns = {c.id: c for c in self._view.table.columns}
        own = [columns[i] for i in entry.columns[: len(matching.values)]]
        values = self._values(matching, own, execution)
        if values is None:
            return None
        keys = len(values[0])
        if not self.is_forced and self._rows_us(keys, keys) > self.scan_us:
            return None
        if isinstance(entry, KeyEntry) and len(own) == len(entry.columns):
            wanted = pa.table(values, names=[c.name for c in own])
            addresses = self._view.lookup(entry.id, wanted)
        else:
            addresses = np.unique(look_up(self._view, entry, values)[1])
        if not self.is_forced and self._rows_us(0, len(addresses)) > self.scan_us:
            return None
        if isinstance(entry, IndexEntry):
            entry.searches[0] += 1
        return Sought(addresses, len(addresses))

    def _values(
        self, matching: p.Matching, own: Sequence[ColumnEntry], execution: Execution
    ) -> list[pa.Array] | None:
        """The different values of the other rows, in the types of our columns; None if one
        of ours is compared with a value that its type does not have."""
        names = list(dict.fromkeys(v for v in matching.values if isinstance(v, str)))
        other = other_rows(self._operator, matching)
        assert other is not None
        read = _distinct(other.read(names, execution), names)
        found: list[pa.Array] = []
        kept = np.ones(read.num_rows, np.bool_)
        for value, column in zip(matching.values, own, strict=True):
            if isinstance(value, str):
                array, fits = _converted(read.column(value), column.arrow)
                kept &= fits
            else:
                does_fit, plain = column_value(value_of(value, execution.parameters), column.arrow)
                if not does_fit or plain is None:
                    return None
                array = pa.repeat(pa.scalar(plain, column.arrow), read.num_rows)
            found.append(array)
        if kept.all():
            return found
        places = pa.array(np.flatnonzero(kept))
        return [a.take(places) for a in found]


def _distinct(rows: pa.Table, names: list[str]) -> pa.Table:
    """Each combination of values once, without those that have a NULL."""
    rows = rows.drop_null()
    if len(names) == 1:
        values = rows.column(0).unique()
        return pa.table([values], names=names)
    return rows.group_by(names).aggregate([]).select(names)


def _converted(column: pa.ChunkedArray, wanted: pa.DataType) -> tuple[pa.Array, Any]:
    """Values as a column of another integer type has them, and bool[N]: which of them it has."""
    array = plain(column)
    if isinstance(array, pa.ChunkedArray):  # without chunks
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, wanted)
    if array.type.equals(wanted):
        return array, np.ones(len(array), np.bool_)
    whole = array.to_numpy(zero_copy_only=False)
    limit = 1 << (wanted.bit_width - 1)
    fits = (whole >= -limit) & (whole < limit)
    return pa.array(np.where(fits, whole, 0)).cast(wanted), fits
