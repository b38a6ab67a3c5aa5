"""Rows that say which rows of another table are wanted (matching.py): those of a scan, of a table
that came as a parameter, or of a VALUES. How many there may be, what it costs to have them, and
their values, which the engine is not asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.operators.arrow_input import ArrowInput
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.expected import expected_rows, rows_of_a_value
from hartonomous.hql.operators.passing import passing
from hartonomous.hql.operators.ranges import ranges_of
from hartonomous.hql.operators.values import as_array
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.statistics import cost
from hartonomous.storage.access.ordered import find_ordered
from hartonomous.storage.catalog import IndexEntry, KeyEntry
from hartonomous.storage.table import TableView

if TYPE_CHECKING:
    from hartonomous.hql.operators.scan import ScanOperator

#: scans that wait for each other's rows
CHAIN_MAX = 4


class OtherRows(Protocol):
    def read_us(self, execution: Execution) -> float:
        """What it costs to have them, as far as that is known without a look at them."""

    def expected(self, execution: Execution) -> float:
        """How many there may be."""

    def read(self, names: Sequence[str], execution: Execution) -> pa.Table:
        """Columns of them; rows that cannot reach the result may be left out."""


def other_rows(operator: ScanOperator, matching: p.Matching) -> OtherRows | None:
    """The rows by which a scan may be read; None if they wait for that scan's rows themselves, or
    are none of this fragment's."""
    if matching.given is not None:
        return _GivenRows(matching.given)
    other = operator.siblings.get(matching.other)
    if other is None or matching.other in operator.waiting:
        return None
    if isinstance(other, ArrowInput):
        return _ParameterRows(other)
    return _ScannedRows(other, operator.waiting | {operator.relation})


@frozen
class _GivenRows:
    given: p.Given

    def read_us(self, execution: Execution) -> float:
        return 0.0

    def expected(self, execution: Execution) -> float:
        return len(self.given.rows)

    def read(self, names: Sequence[str], execution: Execution) -> pa.Table:
        columns = []
        fields = [f.name for f in self.given.fields]
        for name in names:
            place = fields.index(name)
            cells = [value_of(row[place], execution.parameters) for row in self.given.rows]
            columns.append(as_array(cells, self.given.fields[place].type))
        return pa.table(columns, names=list(names))


@frozen
class _ParameterRows:
    other: ArrowInput

    def read_us(self, execution: Execution) -> float:
        return 0.0

    def expected(self, execution: Execution) -> float:
        return float(self._rows(execution).num_rows)

    def read(self, names: Sequence[str], execution: Execution) -> pa.Table:
        rows = self._rows(execution)
        types = {f.name: f.type.arrow for f in self.other.source.fields}
        columns = [rows.column(n) for n in names]
        cast = [
            c if c.type.equals(types[n]) else c.cast(types[n])
            for n, c in zip(names, columns, strict=True)
        ]
        return pa.table(cast, names=list(names))

    def _rows(self, execution: Execution) -> pa.Table:
        found = execution.rows_of(self.other.source.key, self.other.source.moment)
        assert isinstance(found, pa.Table), "a table parameter is read again and again"
        return found


def _typed(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    return column if column.type.equals(type_) else column.cast(type_)


@frozen
class _ScannedRows:
    other: ScanOperator
    waiting: frozenset[int]

    def _view(self, execution: Execution) -> TableView:
        scan = self.other.scan
        return view_of(scan.table, execution.at(scan.moment))

    def read_us(self, execution: Execution) -> float:
        scan = self.other.scan
        if any((scan.lookup, scan.seek, scan.region, scan.limit, scan.first, scan.matching)):
            return 0.0  # it is found without reading all, perhaps
        return self._view(execution).row_count * cost.TEST_ROW_US

    def expected(self, execution: Execution) -> float:
        view = self._view(execution)
        rows = expected_rows(self.other.scan, view, execution)
        if len(self.waiting) >= CHAIN_MAX:
            return rows
        reader = replace(self.other, waiting=self.waiting)
        for matching in self.other.scan.matching:
            others = other_rows(reader, matching)
            keys = rows if others is None else others.expected(execution)
            if keys < rows:
                rows = min(rows, keys * rows_of_a_key(matching, view, execution))
        return rows

    def read(self, names: Sequence[str], execution: Execution) -> pa.Table:
        """Those that pass the scan's ranges."""
        scan = self.other.scan
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
        reader = replace(self.other, scan=bare, top=None, waiting=self.waiting)
        rows = reader.stored_rows(self._view(execution), execution)
        tested = [r for r in ranges if r.column in known]
        return passing(rows, tested).select(list(names))


def rows_of_a_key(matching: p.Matching, view: TableView, execution: Execution) -> float:
    """How many rows of a view one of the values finds, on average."""
    entry = find_ordered(view.table, matching.index.id)
    if _is_unique(entry, matching):
        return 1.0
    columns = {c.id: c for c in view.table.columns}
    rows = float(view.row_count)
    for column_id in entry.columns[: len(matching.values)]:
        rows = min(rows, rows_of_a_value(columns[column_id], view, execution))
    return rows


def _is_unique(entry: IndexEntry | KeyEntry, matching: p.Matching) -> bool:
    is_unique = isinstance(entry, KeyEntry) and entry.is_unique
    return is_unique and len(matching.values) == len(entry.columns)
