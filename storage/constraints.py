"""NOT NULL and unique keys, as a transaction's own changes must keep them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import Chunk, Int64
from hartonomous.storage.errors import ConstraintFault, Offence
from hartonomous.storage.keyhash import equal_rows
from hartonomous.storage.keys import (
    ChunkKey,
    KeyColumns,
    Probe,
    find_duplicate,
    find_visible,
    unique_violation,
)
from hartonomous.storage.shape import TableShape, shape_of
from hartonomous.storage.table import TableView
from hartonomous.storage.working import WorkingTable

#: what to do about a value that a unique key has twice: two of the rows that come have it, or one
#: that comes and one that is there, or rows that are changed, or rows of a table that gets the key
_TWICE = "two of the rows have it: SELECT DISTINCT or GROUP BY gives one of each"
_THERE = "UPDATE or MERGE changes the row that is there"
_CHANGED = "every row is to have another value after the UPDATE"
_OLD = "SELECT … GROUP BY … HAVING COUNT(*) > 1 finds the values that rows share"


def check_required(shape: TableShape, batch: pa.RecordBatch, first: int = 0) -> None:
    """Raises NOT_NULL_VIOLATION naming table and column; `batch`: physical columns in order, whose
    first row is number `first` of those that came."""
    for place in shape.required:
        column = batch.column(place)
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise null_violation(shape.table, shape.stored[place].name, first + row)


def null_violation(table: TableEntry, column: str, row: int | None = None) -> ConstraintFault:
    return ConstraintFault(
        f'column "{column}" of table "{table.name}" takes no NULL',
        code="NOT_NULL_VIOLATION",
        offence=Offence(table, (column,), row),
    )


def check_keys(
    grown: WorkingTable,
    before: WorkingTable,
    chunks: Sequence[Chunk],
    changed: Sequence[np.ndarray | None] | None = None,
) -> None:
    """Raises UNIQUE_VIOLATION if a row of `chunks` (just added to `before`, giving `grown`) has
    a key that another visible row has. `changed`: per unique key, the rows whose key is new."""
    shape = shape_of(grown.table)
    if not chunks or not shape.unique:
        return
    for number, (key, positions) in enumerate(shape.unique):
        rows = None if changed is None else changed[number]
        if rows is not None and not len(rows):
            continue
        columns = [chunk_columns(chunks, shape, position) for position in positions]
        if rows is not None:
            columns = [c.take(pa.array(rows)) for c in columns]
        probe = Probe(key.compared(columns))
        twice = find_duplicate(probe)
        if twice is not None:
            hint = _TWICE if changed is None else _CHANGED
            raise unique_violation(grown.table, key, columns, twice, hint)
        if len(chunks) == 1 and rows is None and probe.rows is None:
            keys = chunks[0].keys  # the range is known now: keep it
            keys.setdefault(key.key.id, ChunkKey(chunks[0], key, probe.range, None))
        # A changed key may meet an unchanged row of the same update: then look at all that is
        # there now, where each row finds itself; otherwise only at what was there before.
        if rows is None:
            for _, found, _ in find_visible(before.visible(key, probe), key, probe):
                raise unique_violation(grown.table, key, columns, int(found[0]), _THERE)
        else:
            _check_once(grown, key, columns, probe)


def _check_once(
    grown: WorkingTable, key: KeyColumns, columns: Sequence[pa.Array], probe: Probe
) -> None:
    """Each probed row is among the visible ones and must be found exactly once."""
    seen = np.zeros(len(columns[0]), np.int64)
    for _, found, _ in find_visible(grown.view().parts, key, probe):
        np.add.at(seen, found, 1)
    twice = np.flatnonzero(seen > 1)
    if len(twice):
        raise unique_violation(grown.table, key, columns, int(twice[0]), _CHANGED)


def chunk_columns(chunks: Sequence[Chunk], shape: TableShape, position: int) -> pa.Array:
    """One stored column of all rows of some chunks."""
    column = shape.stored[position]
    name = shape.physical.names[position]
    parts = [c.column(name, column.arrow, b) for c in chunks for b in range(c.batch_count)]
    return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


def changed_rows(view: TableView, addresses: Int64, rows: pa.Table) -> list[np.ndarray | None]:
    """Per unique key, the numbers of the rows whose new key differs from the one they had."""
    out: list[np.ndarray | None] = []
    for key, _ in shape_of(view.table).unique:
        old = [view.gather(c.name, addresses) for c in key.columns]
        new = [_one(rows.column(c.name)) for c in key.columns]
        if any(c.null_count for c in (*old, *new)):
            out.append(np.arange(len(addresses)))
        else:
            out.append(np.flatnonzero(~equal_rows(old, new)))
    return out


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def check_new_key(before: TableEntry, view: TableView) -> None:
    """Raises ConstraintFault if rows break a key or NOT NULL of the view's table that the table
    did not have before."""
    old, new = shape_of(before), shape_of(view.table)
    required = {old.stored[place].id for place in old.required}
    for place in new.required:
        column = new.stored[place]
        is_new = column.id not in required and view.row_count
        if is_new and view.scan([column.name]).table.column(0).null_count:
            raise null_violation(view.table, column.name)
    known = {key.key.id for key, _ in old.unique}
    for key, _ in new.unique:
        if key.key.id in known or not view.row_count:
            continue
        columns = [_one(c) for c in view.scan([c.name for c in key.columns]).table.columns]
        twice = find_duplicate(Probe(key.compared(columns)))
        if twice is not None:
            raise unique_violation(view.table, key, columns, twice, _OLD)
