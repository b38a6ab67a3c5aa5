"""Rows given to insert or update become chunks: in memory if few, segments at once if many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import BATCH_ROWS, SEGMENT_ROWS, Chunk, Int64
from hartonomous.storage.constraints import check_required
from hartonomous.storage.memory import MemoryRows, rebatch
from hartonomous.storage.shape import TableShape, shape_of

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

#: from this size on, rows are written as segments before the commit, not into the WAL
BULK_BYTES = 8 << 20


def load(
    database: Database,
    objects: list[str],
    table: TableEntry,
    rows: pa.Table | pa.RecordBatchReader,
    row_ids: Int64 | None = None,
) -> list[Chunk]:
    """The rows as chunks of birth 0, under fresh row ids or the given ones. Names of objects
    written are added to `objects`, also when this raises (NOT_NULL_VIOLATION, DiskFault, what
    the reader raises)."""
    shape = shape_of(table)
    source = rows.to_batches() if isinstance(rows, pa.Table) else rows
    batches = _physical(shape, rows.schema, iter(source))
    first, total = [], 0
    for batch in batches:
        first.append(batch)
        total += batch.num_rows if batch.num_rows < 64 else batch.nbytes
        if total > BULK_BYTES:
            return _load_many(database, objects, shape, first, batches, row_ids)
    count = sum(b.num_rows for b in first)
    if not count:
        return []
    return _in_memory(database, shape, first, row_ids, 0)


def _physical(
    shape: TableShape, given: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Batches with the physical names, in the table's order, none empty, NOT NULL checked."""
    names = shape.logical.names
    places = None if given.names == names else [given.get_field_index(n) for n in names]
    assert len(given) == len(names), (given.names, names)
    for batch in batches:
        if not batch.num_rows:
            continue
        columns = batch.columns
        if places is not None:
            columns = [columns[p] for p in places]
        out = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
        check_required(shape, out)
        yield out


def _load_many(
    database: Database,
    objects: list[str],
    shape: TableShape,
    first: list[pa.RecordBatch],
    rest: Iterator[pa.RecordBatch],
    row_ids: Int64 | None,
) -> list[Chunk]:
    chunks: list[Chunk] = []
    held, count, done = list(first), sum(b.num_rows for b in first), 0
    first.clear()
    for batch in rest:
        held.append(batch)
        count += batch.num_rows
        if count >= SEGMENT_ROWS:
            table = pa.Table.from_batches(held, shape.physical)
            whole = table.slice(0, SEGMENT_ROWS).to_batches()
            chunks += _in_memory(database, shape, whole, row_ids, done)
            done += SEGMENT_ROWS
            held, count = table.slice(SEGMENT_ROWS).to_batches(), count - SEGMENT_ROWS
    if count:
        chunks += _in_memory(database, shape, held, row_ids, done)
    return chunks


def _in_memory(
    database: Database,
    shape: TableShape,
    batches: list[pa.RecordBatch],
    row_ids: Int64 | None,
    start: int,
) -> list[Chunk]:
    out = []
    pieces = rebatch(shape.physical, batches)
    per_chunk = SEGMENT_ROWS // BATCH_ROWS
    for at in range(0, len(pieces), per_chunk):
        rows = MemoryRows(shape.physical, pieces[at : at + per_chunk])
        if row_ids is None:
            ids: int | Int64 = database.reserve_row_ids(rows.count)
        else:
            ids = row_ids[start : start + rows.count]
            start += rows.count
        out.append(Chunk(rows, ids, 0))
    return out
