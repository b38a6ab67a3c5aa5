"""What a commit needs of a table and can be made before the commit lock is taken.

Own rows become chunks as others will see them: small ones one chunk in memory, in row-id order,
without rows that were deleted again; what does not fit the WAL a segment. Their leaves are hashed
and their bytes laid into the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import TableEntry, physical_name
from hartonomous.storage.chunk import BATCH_ROWS, NO_ROWS, Chunk, Int64, Selection, concat
from hartonomous.storage.encoding import deletion_leaf_hash, leaf_hash
from hartonomous.storage.frozen import frozen
from hartonomous.storage.key_objects import write_key_index
from hartonomous.storage.keys import KeyColumns
from hartonomous.storage.leaf_log import NewLeaf
from hartonomous.storage.leaves import DELETED, INSERTED
from hartonomous.storage.load import BULK_BYTES, write_chunks
from hartonomous.storage.memory import MemoryRows, one_batch, rebatch
from hartonomous.storage.record import RecordWriter, id_runs
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.shape import TableShape, shape_holding, shape_of
from hartonomous.storage.small_leaf import ROWS_MAX as SMALL_ROWS_MAX
from hartonomous.storage.tail import batches_of, merge
from hartonomous.storage.working import WorkingTable, hidden_offsets

if TYPE_CHECKING:
    from hartonomous.storage.database import Database


@frozen
class Born:
    """A chunk to be published, and those of its rows that the same transaction deleted again
    (in segments only; in memory they are left out)."""

    chunk: Chunk
    hidden: Int64


@frozen
class Prepared:
    working: WorkingTable
    born: list[Born]
    leaves: list[NewLeaf]
    deleted: list[tuple[Chunk, Int64]]
    inserts: list[dict[str, Any]]  # for the record
    deleted_place: tuple[int, int]


def prepare(
    database: Database, objects: list[str], working: WorkingTable, record: RecordWriter | None
) -> Prepared:
    """`record` None: nothing is kept on disk. Names of objects written go into `objects`."""
    shape = shape_of(working.table)
    born = _born(database, objects, working, shape)
    deleted = list(working.deleted()) if working.changed else []
    ids = NO_ROWS
    hashed = shape_holding(shape, lambda name: any(b.chunk.rows.has(name) for b in born))
    leaves = insert_leaves(born, hashed)
    if deleted:
        ids = np.sort(concat([chunk.row_ids_at(offsets) for chunk, offsets in deleted]))
        leaves.append(NewLeaf(DELETED, len(ids), deletion_leaf_hash(ids)))
    if record is None:
        return Prepared(working, born, leaves, deleted, [], (0, 0))
    inserts = [_insert_record(database, objects, working.table, b, record) for b in born]
    place = record.place(id_runs(ids).tobytes() if len(ids) else b"")
    return Prepared(working, born, leaves, deleted, inserts, place)


def _born(
    database: Database, objects: list[str], working: WorkingTable, shape: TableShape
) -> list[Born]:
    if len(working.inserted) == 1 and not working.changed:
        only = working.inserted[0][1]
        if only.count == 1 and not only.rows.is_mapped:  # nothing to merge, sort or cut
            return [Born(reshaped(only, shape), NO_ROWS)]
    small: list[Chunk] = []
    out: list[Born] = []
    for chunk, selection in working.own():
        if not selection.row_count:
            continue
        if chunk.rows.is_mapped:
            out.append(Born(chunk, hidden_offsets(selection) if selection.hidden else NO_ROWS))
        else:
            small.append(without_hidden(chunk, selection, shape))
    if len(small) == 1 or sum(c.count for c in small) >= 2 * BATCH_ROWS:
        whole = small
    else:
        whole = [merge(small, shape)] if small else []
    for chunk in whole:
        chunk = in_id_order(reshaped(chunk, shape), shape)
        if database.objects is not None and chunk.count >= 64 and chunk.rows.bytes > BULK_BYTES:
            ids = None if isinstance(chunk.row_ids, int) else chunk.row_ids
            first = chunk.row_ids if isinstance(chunk.row_ids, int) else None
            batches = iter(batches_of([chunk], shape))
            written = write_chunks(database, objects, shape, batches, ids, first)
            out += [Born(c, NO_ROWS) for c in written]
        else:
            out.append(Born(chunk, NO_ROWS))
    return out


def without_hidden(chunk: Chunk, selection: Selection, shape: TableShape) -> Chunk:
    """A chunk of only the visible rows."""
    return pick(chunk, selection.offsets(), shape) if selection.hidden else chunk


def reshaped(chunk: Chunk, shape: TableShape) -> Chunk:
    """The chunk with the table's columns of now, which the record's batches must have: its rows may
    be from before an ALTER TABLE of the same transaction."""
    rows = chunk.rows
    if not isinstance(rows, MemoryRows) or rows.schema is shape.physical:
        return chunk
    if rows.schema.equals(shape.physical):
        return chunk
    return Chunk(MemoryRows(shape.physical, batches_of([chunk], shape)), chunk.row_ids, 0)


def in_id_order(chunk: Chunk, shape: TableShape) -> Chunk:
    """A chunk of the same rows in the order of their ids."""
    ids = chunk.row_ids
    if isinstance(ids, int) or len(ids) == 1 or bool((ids[1:] > ids[:-1]).all()):
        return chunk
    return pick(chunk, np.argsort(ids, kind="stable"), shape)


def pick(chunk: Chunk, offsets: Int64, shape: TableShape) -> Chunk:
    """A chunk in memory of some rows of another."""
    columns = [chunk.take(physical_name(c), c.arrow, offsets) for c in shape.stored]
    batch = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
    rows = MemoryRows(shape.physical, rebatch(shape.physical, [batch]))
    return Chunk(rows, chunk.row_ids_at(offsets), 0)


def insert_leaves(born: Sequence[Born], shape: TableShape) -> list[NewLeaf]:
    """The rows in row-id order in runs of at most 65,536, hashed."""
    if len(born) == 1 and born[0].chunk.count == 1:
        return [NewLeaf(INSERTED, 1, _batch_leaf(born[0].chunk, 0, shape))]
    if len(born) > 1:
        ordered = sorted(born, key=lambda b: int(b.chunk.row_ids_at(slice(0, 1))[0]))
    else:
        ordered = list(born)
    if not all(_ascends(b) for b in ordered) or not _disjoint(ordered):
        return _leaves_of_any(ordered, shape)
    out = []
    for b in ordered:
        known = b.chunk.rows.leaf_hashes if isinstance(b.chunk.rows, SegmentRows) else None
        for batch in range(b.chunk.batch_count):
            size = b.chunk.batch_size(batch)
            found = known[batch] if known is not None else _batch_leaf(b.chunk, batch, shape)
            out.append(NewLeaf(INSERTED, size, found))
    return out


def _batch_leaf(chunk: Chunk, batch: int, shape: TableShape) -> bytes:
    if isinstance(chunk.rows, MemoryRows) and chunk.rows.schema is shape.physical:
        rows, columns = chunk.rows.batches[batch], chunk.rows.columns(batch)
    else:
        columns = [chunk.column(physical_name(c), c.arrow, batch) for c in shape.stored]
        rows = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
    start = batch * BATCH_ROWS
    ids = chunk.row_ids
    if isinstance(ids, int):
        if rows.num_rows <= SMALL_ROWS_MAX:
            found = shape.small_leaf.hash(columns, rows.num_rows, ids + start)
            if found is not None:
                return found
        return leaf_hash(rows, ids + start)
    return leaf_hash(rows, ids[start : start + rows.num_rows])


def _ascends(born: Born) -> bool:
    if len(born.hidden):
        return False
    ids = born.chunk.row_ids
    return isinstance(ids, int) or bool((ids[1:] > ids[:-1]).all())


def _disjoint(ordered: Sequence[Born]) -> bool:
    edges = [b.chunk.row_ids_at(np.array([0, b.chunk.count - 1])).tolist() for b in ordered]
    return all(a[1] < b[0] for a, b in zip(edges, edges[1:], strict=False))


def _leaves_of_any(born: Sequence[Born], shape: TableShape) -> list[NewLeaf]:
    """Rows of all chunks merged by id, gathered run by run."""
    ids, places = [], []
    for number, b in enumerate(born):
        kept = np.ones(b.chunk.count, np.bool_)
        kept[b.hidden] = False
        offsets = np.flatnonzero(kept)
        ids.append(b.chunk.row_ids_at(offsets))
        places.append(offsets + (number << 32))
    all_ids, all_places = concat(ids), concat(places)
    order = np.argsort(all_ids, kind="stable")
    return [
        NewLeaf(
            INSERTED,
            len(some),
            run_leaf([b.chunk for b in born], all_places[some], all_ids[some], shape),
        )
        for some in np.split(order, range(BATCH_ROWS, len(order), BATCH_ROWS))
        if len(some)
    ]


def run_leaf(chunks: Sequence[Chunk], places: Int64, ids: Int64, shape: TableShape) -> bytes:
    """The leaf of a run of rows anywhere: place = number of the chunk << 32 | offset."""
    if int(places[-1]) - int(places[0]) == len(places) - 1 and (places[1:] > places[:-1]).all():
        chunk, start = chunks[int(places[0] >> 32)], int(places[0] & 0xFFFFFFFF)
        return leaf_hash(_slice(chunk, start, start + len(places), shape), ids)
    order = np.argsort(places, kind="stable")
    numbers = places >> 32
    parts = []
    for number in np.unique(numbers).tolist():
        offsets = np.sort(places[numbers == number] & 0xFFFFFFFF)
        columns = [chunks[number].take(physical_name(c), c.arrow, offsets) for c in shape.stored]
        parts.append(pa.RecordBatch.from_arrays(columns, schema=shape.physical))
    rows = pa.Table.from_batches(parts, shape.physical)
    by_id = np.argsort(ids[order], kind="stable")
    if not np.array_equal(by_id, np.arange(len(by_id))):
        rows = rows.take(pa.array(by_id))
    return leaf_hash(one_batch(rows), np.sort(ids))


def _slice(chunk: Chunk, start: int, stop: int, shape: TableShape) -> pa.Table:
    """Rows [start, stop) of a chunk, not copied."""
    parts = []
    for batch in range(start // BATCH_ROWS, (stop - 1) // BATCH_ROWS + 1):
        columns = [chunk.column(physical_name(c), c.arrow, batch) for c in shape.stored]
        whole = pa.RecordBatch.from_arrays(columns, schema=shape.physical)
        first = batch * BATCH_ROWS
        low, high = max(start - first, 0), min(stop - first, BATCH_ROWS)
        parts.append(whole.slice(low, high - low))
    return pa.Table.from_batches(parts, shape.physical)


def _insert_record(
    database: Database,
    objects: list[str],
    table: TableEntry,
    born: Born,
    record: RecordWriter,
) -> dict[str, Any]:
    chunk, rows = born.chunk, born.chunk.rows
    ids = chunk.row_ids
    if isinstance(rows, SegmentRows):
        assert database.objects is not None
        stored = ids if isinstance(ids, int) else None
        keys = {}
        for key in table.keys:
            part = chunk.keys.get(key.id)
            if part is not None and part.has_index and part.serves(KeyColumns.of(table, key)):
                with database.garbage.writing(objects):
                    ref = write_key_index(database.objects, part.index)
                    objects.append(ref.name)
                part.stored = ref
                keys[key.id] = [part.range, ref.to_list()]
        hidden = record.place(born.hidden.tobytes())
        return {"segment": rows.meta.to_list(), "row_ids": stored, "keys": keys, "hidden": hidden}
    assert isinstance(rows, MemoryRows)
    batches = [record.place(batch.serialize()) for batch in rows.batches]
    place = ids if isinstance(ids, int) else record.place(ids.tobytes())
    return {"batches": batches, "row_ids": place}
