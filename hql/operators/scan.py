"""Scan: the rows of a stored table as the Arrow table that a fragment reads.

Columns out: the narrow ones as stored (no copy), a BIGINT handle for each wide one, native
functions computed before the fragment, and on demand `__address`, `__row_id`, `__ordinal`. Row
order is the storage's. Which rows: all that the zone maps let through, or those of a key
(`lookup`), or the nearest k (topk.py), or the first n (`limit`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.functions.vectors import INTERN
from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.operators.base import Execution, Figures
from hartonomous.hql.operators.evaluate import evaluate, rows_at_once
from hartonomous.hql.operators.indexed import find_nearest, find_region
from hartonomous.hql.operators.ranges import ranges_of
from hartonomous.hql.operators.scanned import rows_scanned
from hartonomous.hql.operators.seek import Sought, find_sought, seek_us
from hartonomous.hql.operators.stored import Stored
from hartonomous.hql.operators.values import column_value
from hartonomous.hql.operators.wide import Int64
from hartonomous.hql.rules.simple import value_of
from hartonomous.hql.rules.tree import columns_in
from hartonomous.hql.statistics import cost
from hartonomous.hql.types import GEOMETRY, Type, parse_type
from hartonomous.storage.table import ScanResult, TableView

if TYPE_CHECKING:
    from hartonomous.hql.operators.arrow_input import ArrowInput
    from hartonomous.hql.operators.topk import TopK

ADDRESS, ROW_ID, ORDINAL = "__address", "__row_id", "__ordinal"

#: stored columns, and computed ones that are known already, to what whoever reads the scan wants
Form = Callable[[Stored, Execution, Mapping[str, Any]], pa.Table]


@frozen
class FoundRows:
    """Columns of rows that a key or an index found; `entries` of the index were read."""

    columns: list[Any]
    count: int
    entries: int | None


@frozen
class ScanOperator:
    """One scan of one statement. `label` stands before the names of its columns in the fragment;
    `sources` numbers its wide columns, stored and computed, in the WideStore."""

    scan: p.Scan
    label: str
    sources: dict[str, int]
    top: TopK | None = None  # if the scan has `nearest`
    #: what the fragment reads, by relation, and who waits for this one's rows (matching.py)
    siblings: Mapping[int, ScanOperator | ArrowInput] = field(
        default_factory=dict, compare=False, repr=False
    )
    waiting: frozenset[int] = frozenset()

    @property
    def relation(self) -> int:
        return self.scan.relation

    def table(self, execution: Execution) -> pa.Table:
        """What is registered under the scan's name; at least one column."""
        return self._formed(self.shape, execution)

    def values(self, names: Sequence[str], execution: Execution) -> pa.Table:
        """The columns of these names, by position, wide ones as their values: for rows that no
        fragment reads."""
        return self._formed(partial(self._values, names), execution)

    def _formed(self, form: Form, execution: Execution) -> pa.Table:
        started, before = time.perf_counter(), execution.asked()
        with execution.limits.lent() if self.scan.computed else nullcontext():
            result, table = self._rows(form, execution)
        if execution.measured is not None:
            figures = Figures(
                rows=table.num_rows,
                seconds=time.perf_counter() - started,
                bytes=result.bytes_mapped,
                batches_total=result.batches_total,
                batches_pruned=result.batches_pruned,
                segments_total=result.segments_total,
                segments_pruned=result.segments_pruned,
                nodes_visited=result.nodes_visited,
                index_entries=result.index_entries,
                candidates=result.table.num_rows,
                tensors_total=result.tensors_total,
                tensors_pruned=result.tensors_pruned,
                requests=execution.asked_since(before),
            )
            execution.measured.note(self, figures)
        return table

    def _rows(self, form: Form, execution: Execution) -> tuple[ScanResult, pa.Table]:
        view = view_of(self.scan.table, execution.at(self.scan.moment))
        if self.top is not None:
            return self._nearest(self.top, view, form, execution)
        result = self._read(view, execution)
        return result, form(_stored(result), execution, {})

    def preview(self, execution: Execution) -> pa.Table:
        """As `table`, with NULLs for everything that is computed: enough to plan with."""
        view = view_of(self.scan.table, execution.at(self.scan.moment))
        stored = _stored(self._read(view, execution))
        if self.scan.nearest is not None:
            count = sum(value_of(e, execution.parameters) for e in self.scan.nearest.count)
            stored = stored.slice(0, count)
        nulls = {
            c.name: pa.chunked_array([pa.nulls(stored.num_rows, _engine_type(c.expr.type))])
            for c in self.scan.computed
        }
        return self.shape(stored, execution, nulls)

    def stored_column(self, column: str, execution: Execution) -> pa.Table:
        """A stored column, `__address` and `__row_id` of the scan's rows, in its order."""
        entry = self.scan.table.find_column(column)
        assert entry is not None, column
        bare = replace(self.scan, fields=(p.Field(column, parse_type(entry.type)),), computed=())
        scan = replace(bare, address=True, row_id=True)
        view = view_of(scan.table, execution.at(scan.moment))
        stored = _stored(replace(self, scan=scan)._read(view, execution))
        columns = [stored.values(n, GEOMETRY.arrow) for n in stored.names]
        return pa.table(columns, names=stored.names)

    # --- reading ---------------------------------------------------------------------------------

    def stored_rows(self, view: TableView, execution: Execution) -> pa.Table:
        """The stored columns of the scan's rows."""
        return self._read(view, execution).table

    def stored_names(self) -> list[str]:
        """Stored columns to read: those of the fragment and those that computed ones need."""
        names = dict.fromkeys(f.name for f in self.scan.fields)
        for computed in self.scan.computed:
            own = (c for c in columns_in(computed) if c.relation == self.scan.relation)
            names.update(dict.fromkeys(c.name for c in own))
        return list(names)

    def sought(self, names: list[str], execution: Execution) -> FoundRows | None:
        """Columns (stored ones, `__address`, `__row_id`) of the rows that a lookup or a seek finds;
        None where it pays to read all."""
        view = view_of(self.scan.table, execution.at(self.scan.moment))
        if self.scan.lookup is not None:
            addresses, entries = self._look_up(view, execution), None
        else:
            found = self._seek(view, execution)
            if found is None:
                return None
            addresses, entries = found.addresses, found.entries
        return FoundRows(_columns_at(view, names, addresses), len(addresses), entries)

    def _seek(self, view: TableView, execution: Execution) -> Sought | None:
        scan = self.scan
        if scan.seek is None:
            return None
        ranges = ranges_of(scan.ranges, scan.table, execution, folded=True)
        return find_sought((scan.seek, *scan.seeks), view, ranges, self.columns_read)

    @property
    def columns_read(self) -> int:
        """How many columns count when ways to the rows are compared: one, where others count on
        the rows' places, and read other columns of them."""
        is_counted = self.scan.ordinal or self.scan.nearest is not None
        return 1 if is_counted else max(1, len(self.stored_names()))

    def other_us(self, view: TableView, execution: Execution) -> float:
        """What the rows cost by their own ranges, through an index or not."""
        scan = self.scan
        ranges = ranges_of(scan.ranges, scan.table, execution, folded=True)
        scan_us = cost.scan_us(rows_scanned(view, ranges), self.columns_read)
        if scan.seek is None:
            return scan_us
        return min(scan_us, seek_us((scan.seek, *scan.seeks), view, ranges, self.columns_read))

    def _few(self, view: TableView, execution: Execution) -> ScanResult | None:
        """The first rows of an index, or those that match another scan's; None where it costs
        more than to read by the scan's own ranges."""
        # imported late: few queries have either
        from hartonomous.hql.operators.first_rows import find_first
        from hartonomous.hql.operators.matching import find_matching

        found = find_first(self, view, execution) if self.scan.first is not None else None
        if found is None and self.scan.matching:
            found = find_matching(self, view, execution)
        if found is None:
            return None
        result = self._gathered(view, self.stored_names(), np.sort(found.addresses))
        return replace(result, index_entries=found.entries)

    def _read(self, view: TableView, execution: Execution) -> ScanResult:
        scan, names = self.scan, self.stored_names()
        if scan.lookup is not None:
            return self._gathered(view, names, self._look_up(view, execution))
        ranges = ranges_of(scan.ranges, scan.table, execution)
        if scan.region is not None:
            found = find_region(scan.region, view, execution)
            if found is not None:
                addresses = view.narrowed(found.addresses, ranges)
                return self._gathered(view, names, addresses, found.visited)
        if scan.first is not None or scan.matching:
            better = self._few(view, execution)
            if better is not None:
                return better
        sought = self._seek(view, execution)
        if sought is not None:
            result = self._gathered(view, names, sought.addresses)
            return replace(result, index_entries=sought.entries)
        row_id = scan.row_id or scan.nearest is not None or not names
        result = view.scan(
            names,
            ranges,
            address=scan.address,
            row_id=row_id,
            cancel=execution.is_cancelled,
        )
        if scan.limit is None:
            return result
        count = value_of(scan.limit, execution.parameters)
        if count is None or count < 0:
            return result  # the engine says what is wrong with it
        return replace(result, table=result.table.slice(0, count))

    def _look_up(self, view: TableView, execution: Execution) -> Int64:
        """The addresses of the rows that have the looked-up key."""
        lookup = self.scan.lookup
        assert lookup is not None
        key: list[pa.Array] = []
        for name, expr in zip(lookup.columns, lookup.values, strict=True):
            arrow = view.column(name).arrow
            fits, value = column_value(value_of(expr, execution.parameters), arrow)
            if not fits or value is None:
                return np.empty(0, np.int64)
            key.append(pa.array([value], arrow))
        return view.lookup_columns(lookup.key, key)

    def _gathered(
        self, view: TableView, names: list[str], addresses: Int64, visited: int | None = None
    ) -> ScanResult:
        """The rows at ascending addresses."""
        scan = self.scan
        fields = list(names)
        if scan.address:
            fields.append(ADDRESS)
        if scan.row_id or scan.nearest is not None or not names:
            fields.append(ROW_ID)
        table = pa.table(_columns_at(view, fields, addresses), names=fields)
        deferred = view.deferred(names)
        return ScanResult(table, 0, 0, 0, 0, table.nbytes, visited, deferred)

    def _nearest(
        self, top: TopK, view: TableView, form: Form, execution: Execution
    ) -> tuple[ScanResult, pa.Table]:
        """What was read, and the nearest rows of it."""
        passed = None
        count = top.count(execution)
        if top.filter is not None and count and view.row_count:
            passed = top.passed(execution)
        is_whole = self.scan.region is None and self.scan.seek is None
        if is_whole and top.nearest.index is not None and count:
            among = None if passed is None else self._addresses(view, execution)[passed]
            found = find_nearest(self.scan, count, view, among, execution)
            if found is not None:
                names = self.stored_names()
                result = self._gathered(view, names, found.addresses, found.visited)
                return result, top.table(self.scan, _stored(result), None, form, execution)
        result = self._read(view, execution)
        return result, top.table(self.scan, _stored(result), passed, form, execution)

    def _addresses(self, view: TableView, execution: Execution) -> Int64:
        """The addresses of the scan's rows, by ordinal."""
        ranges = ranges_of(self.scan.ranges, self.scan.table, execution)
        found = view.scan([], ranges, address=True, cancel=execution.is_cancelled)
        addresses: Int64 = found.table.column(ADDRESS).to_numpy()
        return addresses

    # --- shaping ---------------------------------------------------------------------------------

    def shape(
        self, stored: Stored, execution: Execution, known: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """The fragment's columns from the stored ones; `known` are computed columns that are there
        already."""
        names: list[str] = []
        columns: list[pa.ChunkedArray] = []
        for shown in self.scan.fields:
            names.append(shown.name)
            values = stored.column(shown.name)
            if shown.name in stored.deferred:
                number, made = self.sources[shown.name], stored.deferred[shown.name]
                columns.append(execution.store.defer(number, made, values))
            else:
                columns.append(self._column(shown.name, shown.type, values, execution))
        for computed in self.scan.computed:
            names.append(computed.name)
            if known is not None and computed.name in known:
                columns.append(known[computed.name])
            else:
                columns.append(self._computed(computed, stored, execution))
        for wanted, name in ((self.scan.address, ADDRESS), (self.scan.row_id, ROW_ID)):
            if wanted:
                names.append(name)
                columns.append(stored.column(name))
        if self.scan.ordinal:
            names.append(ORDINAL)
            columns.append(pa.chunked_array([np.arange(stored.num_rows, dtype=np.int64)]))
        if not names:
            names.append(ROW_ID)
            columns.append(stored.column(ROW_ID))
        return pa.table(columns, names=[f"{self.label}.{n}" for n in names])

    def _values(
        self, names: Sequence[str], stored: Stored, execution: Execution, known: Mapping[str, Any]
    ) -> pa.Table:
        types = {f.name: f.type.arrow for f in self.scan.fields}
        computed = {c.name: c.expr for c in self.scan.computed if c.name not in known}
        columns: list[pa.ChunkedArray] = []
        for name in names:
            if name in computed:
                columns.append(self.compute(computed[name], stored, execution))
            else:
                is_known = name in known
                columns.append(known[name] if is_known else stored.values(name, types[name]))
        return pa.table(columns, names=[str(place) for place in range(len(columns))])

    def _column(
        self, name: str, type_: Type, values: pa.ChunkedArray, execution: Execution
    ) -> pa.ChunkedArray:
        """A column as fragments have it: wide values as handles."""
        if not type_.is_wide:
            return values
        return execution.store.add_column(self.sources[name], values)

    def _computed(
        self, computed: p.Output, stored: Stored, execution: Execution
    ) -> pa.ChunkedArray:
        expr = computed.expr
        if not (isinstance(expr, p.Call) and expr.function is INTERN):
            values = self.compute(expr, stored, execution)
            return self._column(computed.name, expr.type, values, execution)
        values = self.compute(expr.arguments[0], stored, execution)
        column = self._column(computed.name, expr.type, values, execution)
        interned = [execution.store.intern(c) for c in column.chunks]
        return pa.chunked_array(interned, pa.int64())

    def compute(self, expr: p.Expr, stored: Stored, execution: Execution) -> pa.ChunkedArray:
        """A native function over the stored columns, chunk by chunk."""
        if isinstance(expr, p.Column):
            return stored.values(expr.name, expr.type.arrow)
        read = sorted({c.name for c in columns_in(expr)})
        parts: list[pa.Array] = []
        with execution.limits.advancing(stored.num_rows) as advance:
            for batch in stored.batches(read, rows_at_once(expr)):
                execution.limits.check()
                row = dict(zip(read, batch.columns, strict=True))
                values = evaluate(expr, row, execution.parameters)
                assert len(values) == batch.num_rows, (expr, len(values), batch.num_rows)
                is_right = values.type.equals(expr.type.arrow)
                parts.append(values if is_right else values.cast(expr.type.arrow))
                advance.done += batch.num_rows
        return pa.chunked_array(parts, expr.type.arrow)


def _columns_at(view: TableView, names: Sequence[str], addresses: Int64) -> list[Any]:
    """Stored columns, `__address` and `__row_id` of the rows at ascending addresses."""
    plain = [n for n in names if n != ADDRESS and n != ROW_ID]
    columns = view.gather_all(plain, addresses)
    if len(plain) == len(names):
        return columns
    found = dict(zip(plain, columns, strict=True))
    if ADDRESS in names:
        found[ADDRESS] = pa.array(addresses)
    if ROW_ID in names:
        found[ROW_ID] = pa.array(view.row_ids(addresses) if len(addresses) else addresses)
    return [found[name] for name in names]


def _stored(result: ScanResult) -> Stored:
    return Stored(result.table, result.deferred)


def _engine_type(type_: Type) -> pa.DataType:
    return pa.int64() if type_.is_wide else type_.arrow
