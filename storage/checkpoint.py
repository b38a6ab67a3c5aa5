"""Checkpoint: what the log holds becomes objects, a manifest says where, the log begins anew.

Under the commit lock, in an order in which a crash at any point is safe:

    1  a new log file; all older ones are durable and complete
    2  segments of the tail, death logs, key indexes, leaves, commits, manifest: new objects
    3  refs/heads/main names the new manifest; until here the old one and the old log files count
    4  the old log files go, and objects that only the old manifest named

Readers are not blocked: snapshots keep their chunks. A table's small last segments are written
again together with its tail, so it has O(log n) of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.storage.access.parts import chunk_index, indexed_rows
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.catalog import IndexEntry, ModelEntry, TableEntry
from hartonomous.storage.chunk import (
    BATCH_ROWS,
    BIRTH_COLUMN,
    ROW_ID_COLUMN,
    SEGMENT_ROWS,
    Chunk,
)
from hartonomous.storage.commit_pack import to_batch, write_commits
from hartonomous.storage.key_objects import write_key_index
from hartonomous.storage.keys import KeyColumns, chunk_key
from hartonomous.storage.leaf_log import unpack_leaves
from hartonomous.storage.leaves import write_leaves
from hartonomous.storage.manifest import (
    KeyPart,
    Manifest,
    PackPart,
    SegmentEntry,
    TableManifest,
    object_names,
    write_head,
    write_manifest,
)
from hartonomous.storage.manifest_state import DEATHS_KIND
from hartonomous.storage.models import readable_objects
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import write_pack
from hartonomous.storage.segment import write_segment
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.shape import TableShape, shape_holding, shape_of
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState
from hartonomous.storage.tail import merge
from hartonomous.storage.wal_frames import file_number

if TYPE_CHECKING:
    from hartonomous.storage.database import Database


def checkpoint(database: Database) -> None:
    """Raises DiskFault; then the state on disk is the old one or the new one, and whole."""
    path, objects, wal = database.commits_path, database.objects, database.wal
    folder, previous = database.folder, database.manifest
    assert objects is not None and wal is not None and folder is not None
    old_name = database.manifest_name
    assert previous is not None and old_name is not None
    with path.lock:
        with path.no_return():
            wal_start = wal.start_file()
        head = path.head
        database.publish(head)
        tables, states = {}, {}
        for table_id, state in head.tables.items():
            table = head.catalog.tables_by_id[table_id]
            settled = segmented(objects, table, state)
            states[table_id] = settled
            old = previous.tables.get(table_id)
            leaves = old.leaves if old is not None else ()
            if packed := path.leaves.get(table_id):
                leaves = (*leaves, write_leaves(objects, unpack_leaves(packed)))
            tables[table_id] = _table_manifest(objects, table, settled, leaves)
        packs = previous.commit_packs
        if path.recent:
            packs = (*packs, *write_commits(objects, [to_batch(path.recent)]))
        counters = database.counters
        manifest = Manifest(
            sequence=head.sequence,
            commit=head.commit_hash,
            catalog=tuple(sorted(head.catalog.entries.values(), key=lambda e: e.id)),
            tables=tables,
            next_row_id=counters.next_row_id,
            next_id=counters.next_entry_id,
            wal_start=wal_start,
            identities=counters.all_identities(),
            commit_packs=packs,
            catalog_hash=head.catalog_hash,
        )
        name = write_manifest(objects, manifest)
        settled_head = DatabaseState(
            head.sequence, head.catalog, states, head.commit_hash, head.at_us, head.catalog_hash
        )
        with path.no_return():
            write_head(database.disk, folder.head, name)
            database.manifest, database.manifest_name = manifest, name
            path.recent.clear()
            path.leaves.clear()
            path.head = settled_head
            database.publish(settled_head)
        wal.remove_files_below(file_number(wal_start))
        superseded = object_names(objects, old_name) - object_names(objects, name)
        models = (e for e in previous.catalog if isinstance(e, ModelEntry))
        superseded |= readable_objects(objects, [m for m in models if m not in manifest.catalog])
    database.garbage.suspect(superseded)
    database.garbage.collect()


def segmented(objects: Objects, table: TableEntry, state: TableState) -> TableState:
    """The table with its tail, and small segments before it, written as segments."""
    tail = [c for c in state.chunks if not c.rows.is_mapped]
    if not tail:
        return state
    kept = [c for c in state.chunks if c.rows.is_mapped]
    rows = sum(c.count for c in tail)
    while kept and kept[-1].count <= rows and kept[-1].count + rows <= SEGMENT_ROWS:
        tail.insert(0, kept.pop())
        rows += tail[0].count
    shape = shape_of(table)
    groups: list[list[Chunk]] = [[]]
    for chunk in tail:
        if groups[-1] and sum(c.count for c in groups[-1]) + chunk.count > SEGMENT_ROWS:
            groups.append([])
        groups[-1].append(chunk)
    written = [write_chunk(objects, table, shape, group) for group in groups]
    for chunk in tail:
        chunk.detach()
    return TableState(state.id, state.sequence, (*kept, *written), state.log)


def write_chunk(
    objects: Objects, table: TableEntry, shape: TableShape, parts: Sequence[Chunk]
) -> Chunk:
    """Some chunks as one over a new segment, with their ids, births, deaths and keys."""
    whole = merge(parts, shape) if len(parts) > 1 else parts[0]
    shape = shape_holding(shape, whole.rows.has)
    schema, ids, births = shape.physical, whole.row_ids, whole.births
    if not isinstance(ids, int):
        schema = schema.append(pa.field(ROW_ID_COLUMN, pa.int64()))
    if not isinstance(births, int):
        schema = schema.append(pa.field(BIRTH_COLUMN, pa.int64()))
    batches = []
    for batch in range(whole.batch_count):
        start = batch * BATCH_ROWS
        stop = start + whole.batch_size(batch)
        columns = [
            whole.column(name, type_, batch)
            for name, type_ in zip(shape.physical.names, shape.types, strict=True)
        ]
        columns += [pa.array(n[start:stop]) for n in (ids, births) if not isinstance(n, int)]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    meta = write_segment(objects, schema, batches)
    rows = SegmentRows(objects, meta, table.name)
    out = Chunk(rows, ids, births, whole.deaths, whole.newest_birth)
    for key_id, part in list(whole.keys.items()):  # readers add to it meanwhile
        out.keys[key_id] = part.moved_to(out)
    out.indexes = whole.indexes
    return out


def _table_manifest(
    objects: Objects, table: TableEntry, state: TableState, leaves: tuple[ObjectRef, ...]
) -> TableManifest:
    deaths = _store_deaths(objects, state)
    segments = []
    for chunk in state.chunks:
        rows = chunk.rows
        assert isinstance(rows, SegmentRows)
        segments.append(
            SegmentEntry(
                rows.meta,
                chunk.row_ids if isinstance(chunk.row_ids, int) else None,
                chunk.births if isinstance(chunk.births, int) else None,
                deaths.get(id(chunk)),
                (
                    *(_store_key(objects, table, chunk, key.id) for key in table.keys),
                    *(_store_index(objects, table, chunk, index) for index in table.indexes),
                ),
            )
        )
    return TableManifest(table.id, state.sequence, tuple(segments), state.log, leaves)


def _store_deaths(objects: Objects, state: TableState) -> dict[int, PackPart]:
    """Death logs that grew since they were stored, in one pack; by the chunk's identity."""
    out: dict[int, PackPart] = {}
    arrays: dict[str, Any] = {}
    fresh: list[tuple[Chunk, str, int]] = []
    for chunk in state.chunks:
        count = chunk.deaths.count
        if not count:
            continue
        if chunk.stored_deaths is not None and chunk.stored_deaths[1] == count:
            out[id(chunk)] = chunk.stored_deaths[0]
            continue
        prefix = f"{len(fresh)}."
        arrays[prefix + "sequences"] = chunk.deaths.sequences(0, count)
        arrays[prefix + "offsets"] = chunk.deaths.offsets(0, count).astype(np.uint32)
        fresh.append((chunk, prefix, count))
    if fresh:
        ref = write_pack(objects, DEATHS_KIND, arrays)
        for chunk, prefix, count in fresh:
            part = PackPart(ref, prefix)
            chunk.stored_deaths = part, count
            out[id(chunk)] = part
    return out


def _store_key(objects: Objects, table: TableEntry, chunk: Chunk, key_id: int) -> KeyPart:
    key = next(k for k in table.keys if k.id == key_id)
    part = chunk_key(chunk, KeyColumns.of(table, key))
    if part.ascending is not None:
        return KeyPart(key_id, part.range, None)
    if part.stored is None:
        part.stored = write_key_index(objects, part.index)
    return KeyPart(key_id, part.range, PackPart(part.stored))


def _store_index(objects: Objects, table: TableEntry, chunk: Chunk, index: IndexEntry) -> KeyPart:
    part = chunk_index(chunk, index)
    return KeyPart(
        index.id, None, PackPart(part.store(objects, indexed_rows(table, index, chunk)))
    )
