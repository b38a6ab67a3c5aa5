"""Rows of a large table that match the few rows of another, through an index (rule match_rows).

The other scan's values are read, tested against its own ranges, made distinct and looked up. Four
times it is asked whether that costs less than reading the table: before anything, from what is
expected; for the rows each value has; when the values are known; and when their rows are. Who
loses a bet has paid less than the scan that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.expected import expected_rows, rows_of_a_value
from hartonomous.hql.operators.passing import passing
from hartonomous.hql.operators.ranges import ranges_of
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
        """What it may cost to read by the values of the other scan; None if that one waits for
        this one, or there are too many."""
        operator = self._operator
        other = operator.siblings.get(matching.other)
        if other is None or matching.other in operator.waiting:
            return None
        view = view_of(other.scan.table, execution.at(other.scan.moment))
        read_us = 0.0 if _is_found(other.scan) else view.row_count * cost.TEST_ROW_US
        if not self.is_forced and read_us > self.scan_us * SHARE_MAX:
            return None  # before statistics are asked for
        keys = _expected(other, view, operator.waiting | {operator.relation}, execution)
        if not self.is_forced and read_us + self._rows_us(keys, keys) > self.scan_us:
            return None
        return read_us + self._rows_us(keys, keys * _rows_of_a_key(matching, self._view, execution))

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
        """The different values of the other scan's rows, in the types of our columns; None if one
        of ours is compared with a value that its type does not have."""
        names = list(dict.fromkeys(v for v in matching.values if isinstance(v, str)))
        read = self._read(self._operator.siblings[matching.other], names, execution)
        read = _distinct(read, names)
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

    def _read(self, other: ScanOperator, names: list[str], execution: Execution) -> pa.Table:
        """Columns of the other scan's rows that pass its ranges."""
        scan = other.scan
        view = view_of(scan.table, execution.at(scan.moment))
        ranges = ranges_of(scan.ranges, scan.table, execution)
        known = {f.name: f for f in scan.fields}
        needed = dict.fromkeys([*names, *(r.column for r in ranges if r.column in known)])
        bare = replace(
            scan,
            fields=tuple(known[n] for n in needed),
            computed=(),
            nearest=None,
            address=False,
            row_id=False,
            ordinal=False,
        )
        waiting = self._operator.waiting | {self._operator.relation}
        reader = replace(other, scan=bare, top=None, waiting=waiting)
        rows = reader.stored_rows(view, execution)
        return passing(rows, [r for r in ranges if r.column in known]).select(names)


def _expected(
    operator: ScanOperator, view: TableView, waiting: frozenset[int], execution: Execution
) -> float:
    """How many rows a scan is expected to give, if it reads only those that match others' rows."""
    rows = expected_rows(operator.scan, view, execution)
    if len(waiting) >= CHAIN_MAX:
        return rows
    waiting = waiting | {operator.relation}
    for matching in operator.scan.matching:
        other = operator.siblings.get(matching.other)
        if other is not None and matching.other not in waiting:
            theirs = view_of(other.scan.table, execution.at(other.scan.moment))
            keys = _expected(other, theirs, waiting, execution)
            if keys < rows:
                rows = min(rows, keys * _rows_of_a_key(matching, view, execution))
    return rows


def _rows_of_a_key(matching: p.Matching, view: TableView, execution: Execution) -> float:
    entry = find_ordered(view.table, matching.index.id)
    if _is_complete(entry, matching):
        return 1.0
    columns = {c.id: c for c in view.table.columns}
    rows = float(view.row_count)
    for column_id in entry.columns[: len(matching.values)]:
        rows = min(rows, rows_of_a_value(columns[column_id], view, execution))
    return rows


def _is_found(scan: p.Scan) -> bool:
    """Whether a scan's rows are found without reading all."""
    return any((scan.lookup, scan.seek, scan.region, scan.limit, scan.matching))


def _is_complete(entry: IndexEntry | KeyEntry, matching: p.Matching) -> bool:
    is_unique = isinstance(entry, KeyEntry) and entry.is_unique
    return is_unique and len(matching.values) == len(entry.columns)


def _distinct(rows: pa.Table, names: list[str]) -> pa.Table:
    """Each combination of values once, without those that have a NULL."""
    rows = rows.drop_null()
    if len(names) == 1:
        values = rows.column(0).unique()
        return pa.table([values], names=names)
    return rows.group_by(names).aggregate([]).select(names)


def _converted(column: pa.ChunkedArray, wanted: pa.DataType) -> tuple[pa.Array, Any]:
    """Values as a column of another integer type has them, and bool[N]: which of them it has."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # without chunks
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, wanted)
    if array.type.equals(wanted):
        return array, np.ones(len(array), np.bool_)
    whole = array.to_numpy(zero_copy_only=False)
    limit = 1 << (wanted.bit_width - 1)
    fits = (whole >= -limit) & (whole < limit)
    return pa.array(np.where(fits, whole, 0)).cast(wanted), fits
