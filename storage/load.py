"""Rows given to insert or update become chunks: in memory if few, segments at once if many."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import TableEntry
from hartonomous.storage.chunk import BATCH_ROWS, ROW_ID_COLUMN, SEGMENT_ROWS, Chunk, Int64
from hartonomous.storage.constraints import check_required
from hartonomous.storage.encoding import leaf_hash
from hartonomous.storage.memory import MemoryRows, one_batch, rebatch
from hartonomous.storage.segment import SegmentWriter
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.shape import TableShape, shape_of

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from hartonomous.storage.database import Database

#: from this size on, rows are written as segments before the commit, not into the WAL
BULK_BYTES = 8 << 20
#: rows of fewer bytes than this are not counted one by one
FEW_ROWS = 64
#: leaves being hashed at once; each holds a batch
HASHING_MAX = 8


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
    first: list[pa.RecordBatch] = []
    total = 0
    for batch in batches:
        first.append(batch)
        total += batch.num_rows if batch.num_rows < FEW_ROWS else batch.nbytes
        if total > BULK_BYTES and not table.temporary:
            everything = itertools.chain(first, batches)
            if database.objects is None:
                return _in_memory(database, shape, list(everything), row_ids)
            return write_chunks(database, objects, shape, everything, row_ids)
    return _in_memory(database, shape, first, row_ids) if first else []


def load_few(database: Database, table: TableEntry, columns: list[pa.Array]) -> Chunk:
    """At most FEW_ROWS rows, at least one, given as the table's stored columns in order: a chunk
    under fresh row ids. Raises NOT_NULL_VIOLATION."""
    shape = shape_of(table)
    batch = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
    assert 0 < batch.num_rows <= FEW_ROWS, batch.num_rows
    check_required(shape, batch)
    rows = MemoryRows(shape.physical, [batch], columns)
    return Chunk(rows, database.reserve_row_ids(rows.count), 0)


def _physical(
    shape: TableShape, given: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Batches with the physical names, in the table's order, none empty, NOT NULL checked."""
    names = shape.logical.names
    places = None if given.names == names else [given.get_field_index(n) for n in names]
    assert len(given) == len(names), (given.names, names)
    first = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        columns = batch.columns
        if places is not None:
            columns = [columns[p] for p in places]
        out = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
        check_required(shape, out, first)
        first += out.num_rows
        yield out


def _in_memory(
    database: Database, shape: TableShape, batches: list[pa.RecordBatch], row_ids: Int64 | None
) -> list[Chunk]:
    out, start = [], 0
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


def write_chunks(
    database: Database,
    objects: list[str],
    shape: TableShape,
    batches: Iterator[pa.RecordBatch],
    row_ids: Int64 | None = None,
    first_row_id: int | None = None,
) -> list[Chunk]:
    """Segments of the physical batches, as many as it takes, leaves hashed beside the writing.
    Row ids: the given ones, or contiguous from `first_row_id`, or fresh."""
    from concurrent.futures import ThreadPoolExecutor  # 10 ms, with the logging it brings

    out: list[Chunk] = []
    pieces = _even(batches)
    done = 0
    with database.garbage.writing(objects), ThreadPoolExecutor(1, "leaf hash") as pool:
        while (head := next(pieces, None)) is not None:
            some = itertools.chain([head], itertools.islice(pieces, SEGMENT_ROWS // BATCH_ROWS - 1))
            if row_ids is not None:
                chunk = _write_with_ids(database, objects, shape, some, row_ids[done:])
            else:
                first = None if first_row_id is None else first_row_id + done
                chunk = _write_contiguous(database, objects, shape, some, first, pool)
            done += chunk.count
            out.append(chunk)
    return out


def _even(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of 65,536, the last one shorter."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while count + batch.num_rows >= BATCH_ROWS:
            head = batch.slice(0, BATCH_ROWS - count)
            batch = batch.slice(head.num_rows)
            yield _joined([*held, head])
            held, count = [], 0
        if batch.num_rows:
            held.append(batch)
            count += batch.num_rows
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else one_batch(pa.Table.from_batches(batches))


def _write_contiguous(
    database: Database,
    objects: list[str],
    shape: TableShape,
    batches: Iterator[pa.RecordBatch],
    first_row_id: int | None,
    pool: ThreadPoolExecutor,
) -> Chunk:
    fresh = first_row_id is None
    first = database.reserve_row_ids(SEGMENT_ROWS) if first_row_id is None else first_row_id
    assert database.objects is not None
    writer = SegmentWriter(database.objects, shape.physical)
    leaves: list[Future[bytes]] = []
    try:
        for batch in batches:
            leaves.append(pool.submit(leaf_hash, batch, first + writer.rows))
            writer.write(batch)
            if len(leaves) >= HASHING_MAX:
                leaves[-HASHING_MAX].result()
        hashes = [leaf.result() for leaf in leaves]
        meta = writer.finish()
    except BaseException:
        writer.abort()
        raise
    objects.append(meta.ref.name)
    if fresh:
        database.counters.return_row_ids(first + meta.rows, first + SEGMENT_ROWS)
    rows = SegmentRows(database.objects, meta, shape.table.name)
    rows.leaf_hashes = hashes
    return Chunk(rows, first, 0)


def _write_with_ids(
    database: Database,
    objects: list[str],
    shape: TableShape,
    batches: Iterator[pa.RecordBatch],
    row_ids: Int64,
) -> Chunk:
    """A segment with a column of row ids; an update's rows keep theirs."""
    assert database.objects is not None
    schema = shape.physical.append(pa.field(ROW_ID_COLUMN, pa.int64()))
    writer = SegmentWriter(database.objects, schema)
    try:
        for batch in batches:
            ids = pa.array(row_ids[writer.rows : writer.rows + batch.num_rows])
            columns = [*batch.columns, ids]
            writer.write(pa.RecordBatch.from_arrays(columns, schema=schema))
        meta = writer.finish()
    except BaseException:
        writer.abort()
        raise
    objects.append(meta.ref.name)
    rows = SegmentRows(database.objects, meta, shape.table.name)
    return Chunk(rows, np.array(row_ids[: meta.rows]), 0)
