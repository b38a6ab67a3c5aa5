"""A table at one moment: its chunks, and the view through which queries read them.

Row address (BIGINT): ordinal of the chunk in the view << 32 | offset in the chunk. An address
holds for the view that gave it and, inside one transaction, for the transaction's later changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import ColumnEntry, TableEntry, physical_name
from hartonomous.storage.chunk import (
    BATCH_BITS,
    BATCH_ROWS,
    NO_ROWS,
    Chunk,
    Int64,
    Selection,
    concat,
    distinct,
    inverse,
    taken,
    value_at,
)
from hartonomous.storage.errors import Cancelled, NotFound
from hartonomous.storage.frozen import frozen
from hartonomous.storage.keys import KeyColumns, Probe, chunk_key, find_visible, union_of
from hartonomous.storage.merkle import Log
from hartonomous.storage.ranges import ColumnRange, matching_batches

KeyRanges = dict[int, tuple[KeyColumns, tuple[int, int] | None]]

#: scans that a view keeps, and how much of each may lie in memory of its own
RESULTS_MAX = 16
RESULT_BYTES_MAX = 64 << 20

ADDRESS_BITS = 32
OFFSET_MASK = (1 << ADDRESS_BITS) - 1
ADDRESS = "__address"
ROW_ID = "__row_id"

__all__ = ["ColumnRange", "ScanResult", "TableState", "TableView"]


@frozen
class TableState:
    """A table as one commit left it: the one at `sequence`, the last that changed it."""

    id: int
    sequence: int
    chunks: tuple[Chunk, ...] = ()
    log: Log = Log()
    view_cache: dict[int, TableView] = field(default_factory=dict, compare=False, repr=False)
    key_ranges: KeyRanges = field(default_factory=dict, compare=False, repr=False)

    def view(self, table: TableEntry) -> TableView:
        """Kept, so that scans of an unchanged table find what earlier ones made."""
        found = self.view_cache.get(id(table))
        if found is None or found.table is not table:
            selections = tuple(c.selection(self.sequence) for c in self.chunks)
            found = TableView(table, tuple(enumerate(selections)))
            self.view_cache[id(table)] = found
        return found

    def key_range(self, key: KeyColumns) -> tuple[int, int] | None:
        """Least and greatest value of the key's first column in any chunk, where that is a whole
        number or a time; None if unknown. An empty table gives a range that holds nothing."""
        found = self.key_ranges.get(key.key.id)
        if found is None or found[0] is not key:
            ranges = [chunk_key(c, key).range for c in self.chunks]
            known = [r for r in ranges if r is not None]
            span = union_of(known) if len(known) == len(ranges) else None
            found = self.key_ranges[key.key.id] = key, span
        return found[1]

    def grown_ranges(self, chunks: Sequence[Chunk]) -> KeyRanges:
        """The key ranges that were asked for, with more chunks, for the state that has them."""
        out: KeyRanges = {}
        if not self.key_ranges:
            return out
        for key_id, (key, span) in self.key_ranges.items():
            ranges = [chunk_key(c, key).range for c in chunks]
            known = [r for r in ranges if r is not None]
            if span is None or len(known) < len(ranges):
                out[key_id] = key, None
            else:
                out[key_id] = key, union_of([span, *known]) if known else span
        return out


class Deferred(Protocol):
    """Values that are made of whole numbers when they are wanted, from any thread."""

    @property
    def longest(self) -> int:
        """The elements of the longest value."""

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept to make them faster."""

    def read(self, numbers: Int64) -> pa.Array:
        """The values of numbers, in their order."""


@frozen
class ScanResult:
    """Rows of a scan and what reading them took. `table`: logical names, record batches as stored
    (mapped memory itself where no row is hidden); columns in `deferred` hold whole numbers in place
    of their values."""

    table: pa.Table
    batches_total: int
    batches_pruned: int
    segments_total: int
    segments_pruned: int
    bytes_mapped: int
    nodes_visited: int | None = None  # of a spatial index, if one found the rows
    deferred: Mapping[str, Deferred] = field(default_factory=dict)
    tensors_total: int = 0  # of models
    tensors_pruned: int = 0
    index_entries: int | None = None  # of an ordered index, if one found the rows


class TableView:
    """The visible rows of a table. Immutable; results of scans are kept with it."""

    __slots__ = ("_columns", "_keys", "_results", "parts", "row_count", "table")

    def __init__(self, table: TableEntry, parts: tuple[tuple[int, Selection], ...]) -> None:
        self.table = table
        self.parts = parts  # (ordinal in addresses, visible rows of a chunk)
        self.row_count = sum(s.row_count for _, s in parts)
        self._results: dict[tuple[Any, ...], ScanResult] = {}
        self._columns: dict[str, ColumnEntry] = {}  # by the names that were asked for
        self._keys: dict[int, KeyColumns] = {}

    def scan(
        self,
        columns: Sequence[str],
        ranges: Sequence[ColumnRange] = (),
        *,
        address: bool = False,
        row_id: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> ScanResult:
        """The named columns of all rows that may satisfy `ranges` (a superset: only whole batches
        are left out), then `__address` and `__row_id` as int64 if asked for. Raises NotFound for
        an unknown column, Corruption for a damaged block, Cancelled when `cancel()` is true."""
        entries = [self.column(name) for name in columns]
        named = [(physical_name(self.column(r.column)), r) for r in ranges]
        batches = [matching_batches(selection.chunk, named) for _, selection in self.parts]
        pruned = any(
            len(b) < s.chunk.batch_count for b, (_, s) in zip(batches, self.parts, strict=True)
        )
        key = (tuple(columns), address, row_id, tuple(map(tuple, batches)) if pruned else None)
        found = self._results.get(key)
        if found is None:
            read = self._read(list(columns), entries, batches, address, row_id, cancel)
            table, mapped, copied = read
            found = self._result(table, batches, mapped)
            if copied <= RESULT_BYTES_MAX:
                if len(self._results) >= RESULTS_MAX:
                    self._results.clear()
                self._results[key] = found
        return found

    def _read(
        self,
        names: list[str],
        entries: Sequence[ColumnEntry],
        batches: Sequence[Sequence[int]],
        address: bool,
        row_id: bool,
        cancel: Callable[[], bool] | None,
    ) -> tuple[pa.Table, int, int]:
        """The rows, the bytes of mapped memory they lie in, and the bytes of copies made."""
        columns: list[list[pa.Array]] = [[] for _ in entries]
        addresses: list[pa.Array] = []
        row_ids: list[pa.Array] = []
        mapped = copied = 0
        for (ordinal, selection), wanted in zip(self.parts, batches, strict=True):
            if not selection.row_count:
                continue
            chunk = selection.chunk
            for batch in wanted:
                if cancel is not None and cancel():
                    raise Cancelled("the statement was cancelled")
                hidden = selection.hidden.get(batch)
                if hidden is not None and not hidden.kept:
                    continue
                for entry, into in zip(entries, columns, strict=True):
                    name = physical_name(entry)
                    values = chunk.column(name, entry.arrow, batch)
                    if chunk.rows.is_mapped:
                        mapped += chunk.rows.batch_bytes(name, batch)
                    if hidden is not None:
                        values = hidden.filter(name, values)
                        copied += values.nbytes
                    into.append(values)
                if address or row_id:
                    offsets = _offsets(selection, batch)
                    copied += 16 * len(offsets)
                    if address:
                        addresses.append(pa.array(offsets + (ordinal << ADDRESS_BITS)))
                    if row_id:
                        row_ids.append(pa.array(chunk.row_ids_at(offsets)))
        fields = [(n, e.arrow) for n, e in zip(names, entries, strict=True)]
        if address:
            columns.append(addresses)
            fields.append((ADDRESS, pa.int64()))
        if row_id:
            columns.append(row_ids)
            fields.append((ROW_ID, pa.int64()))
        arrays = [pa.chunked_array(c, t) for c, (_, t) in zip(columns, fields, strict=True)]
        return pa.table(arrays, pa.schema(fields)), mapped, copied

    def _result(self, table: pa.Table, batches: Sequence[Sequence[int]], mapped: int) -> ScanResult:
        chunks = [s.chunk for _, s in self.parts]
        segments = [(c, b) for c, b in zip(chunks, batches, strict=True) if c.rows.is_mapped]
        total = sum(c.batch_count for c in chunks)
        return ScanResult(
            table,
            batches_total=total,
            batches_pruned=total - sum(map(len, batches)),
            segments_total=len(segments),
            segments_pruned=sum(1 for c, b in segments if c.batch_count and not len(b)),
            bytes_mapped=mapped,
        )

    def column(self, name: str) -> ColumnEntry:
        """The stored column of that name; raises NotFound."""
        known = self._columns.get(name)
        if known is not None:
            return known
        found = self.table.find_column(name)
        if found is None or (found.computed is not None and not found.persisted):
            raise NotFound(f'table "{self.table.name}" stores no column "{name}"')
        self._columns[name] = found
        return found

    def gather(self, column: str, addresses: Int64) -> pa.Array:
        """The column's values at `addresses`, in their order; duplicates allowed."""
        addresses = np.asarray(addresses, np.int64)
        if bool((addresses[1:] >= addresses[:-1]).all()):
            return self.gather_all((column,), addresses)[0]
        order = np.argsort(addresses, kind="stable")
        whole = self.gather_all((column,), addresses[order])[0]
        return whole.take(pa.array(inverse(order)))

    def gather_all(self, columns: Sequence[str], addresses: Int64) -> list[Any]:
        """The values of several columns at `addresses`, which must not descend."""
        entries = [self.column(name) for name in columns]
        if not len(addresses):
            return [pa.nulls(0, entry.arrow) for entry in entries]
        if len(addresses) == 1:
            return self._row(entries, int(addresses[0]))
        chunks = {ordinal: selection.chunk for ordinal, selection in self.parts}
        numbers = addresses >> BATCH_BITS
        cuts = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), len(addresses)]
        pieces: list[tuple[Chunk, int, pa.Array]] = []
        for start, stop in pairwise(cuts):
            ordinal, offset = divmod(int(addresses[start]), 1 << ADDRESS_BITS)
            within = pa.array(addresses[start:stop] & (BATCH_ROWS - 1))
            pieces.append((chunks[ordinal], offset >> BATCH_BITS, within))
        found = []
        for entry in entries:
            name = physical_name(entry)
            parts = [
                taken(chunk.column(name, entry.arrow, batch), within)
                for chunk, batch, within in pieces
            ]
            found.append(parts[0] if len(parts) == 1 else pa.concat_arrays(parts))
        return found

    def _row(self, entries: Sequence[ColumnEntry], address: int) -> list[pa.Array]:
        """The values of one row, an array each."""
        ordinal, offset = divmod(address, 1 << ADDRESS_BITS)
        chunk = next(s.chunk for number, s in self.parts if number == ordinal)
        batch, place = offset >> BATCH_BITS, offset & (BATCH_ROWS - 1)
        columns = [chunk.column(physical_name(e), e.arrow, batch) for e in entries]
        return [value_at(column, place) for column in columns]

    def narrowed(self, addresses: Int64, ranges: Sequence[ColumnRange]) -> Int64:
        """Those of the addresses that may satisfy `ranges`, as far as that costs nothing to see."""
        return addresses

    def deferred(self, columns: Sequence[str]) -> Mapping[str, Deferred]:
        """Those of the columns of which `gather` gives whole numbers in place of values."""
        return {}

    def row_ids(self, addresses: Int64) -> Int64:
        """The row ids at `addresses`, which must be ascending."""
        chunks = {ordinal: selection.chunk for ordinal, selection in self.parts}
        return concat([chunks[o].row_ids_at(offsets) for o, offsets in split_addresses(addresses)])

    def lookup(self, key_id: int, rows: pa.Table) -> Int64:
        """Addresses, ascending, of visible rows whose key columns equal, as the key compares them,
        one of `rows` (columns in the key's order, of the columns' types). NULL never matches.
        Raises NotFound."""
        return self.lookup_columns(key_id, [_whole(column) for column in rows.columns])

    def lookup_columns(self, key_id: int, columns: Sequence[pa.Array]) -> Int64:
        """As `lookup`, of rows that are given as an array for each of the key's columns."""
        key = self._key(key_id)
        probe = Probe(key.compared(columns))
        found = [
            offsets + (ordinal << ADDRESS_BITS)
            for ordinal, _, offsets in find_visible(self.parts, key, probe)
        ]
        if len(found) == 1:
            return distinct(found[0])
        return distinct(concat(found)) if found else NO_ROWS

    def _key(self, key_id: int) -> KeyColumns:
        key = self._keys.get(key_id)
        if key is None:
            entry = next((k for k in self.table.keys if k.id == key_id), None)
            if entry is None:
                raise NotFound(f'table "{self.table.name}" has no key number {key_id}')
            key = self._keys[key_id] = KeyColumns.of(self.table, entry)
        return key


def _offsets(selection: Selection, batch: int) -> Int64:
    """The visible rows of a batch as offsets in the chunk."""
    start = batch << BATCH_BITS
    hidden = selection.hidden.get(batch)
    if hidden is None:
        return np.arange(start, start + selection.chunk.batch_size(batch), dtype=np.int64)
    return np.flatnonzero(hidden.keep()) + start


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def split_addresses(addresses: Int64) -> list[tuple[int, Int64]]:
    """Addresses grouped by ordinal, which must not descend: (ordinal, offsets)."""
    if not len(addresses):
        return []
    ordinals = addresses >> ADDRESS_BITS
    numbers, starts = np.unique(ordinals, return_index=True)
    parts = np.split(addresses & OFFSET_MASK, starts[1:])
    return list(zip(numbers.tolist(), parts, strict=True))
