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

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hartonomous.storage.access.parts import as_index, chunk_index, indexed_rows
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.branches import DroppedTable, Line, SettledLine
from hartonomous.storage.catalog import IndexEntry, ModelEntry, TableEntry
from hartonomous.storage.chunk import (
    BATCH_ROWS,
    BIRTH_COLUMN,
    ROW_ID_COLUMN,
    SEGMENT_ROWS,
    Chunk,
)
from hartonomous.storage.commit_pack import to_batch, write_commits
from hartonomous.storage.garbage import names_of
from hartonomous.storage.interrupts import Interrupts
from hartonomous.storage.joining import put_in
from hartonomous.storage.key_objects import write_key_index
from hartonomous.storage.keys import KeyColumns, chunk_key
from hartonomous.storage.leaf_log import unpack_leaves
from hartonomous.storage.leaves import write_leaves
from hartonomous.storage.manifest import (
    BranchManifest,
    DroppedManifest,
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
from hartonomous.storage.segment import SegmentMeta, write_segment
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.shape import TableShape, shape_holding, shape_of
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState
from hartonomous.storage.tail import merge
from hartonomous.storage.wal_frames import file_number

if TYPE_CHECKING:
    from hartonomous.storage.database import Database
    from hartonomous.storage.vacuum import Compaction


def checkpoint(database: Database, compaction: Compaction | None = None) -> None:
    """Raises DiskFault; then the state on disk is the old one or the new one, and whole. With a
    `compaction` what it made is put in place first (vacuum.py)."""
    path, objects, wal = database.commits_path, database.objects, database.wal
    folder, old_name = database.folder, database.manifest_name
    assert objects is not None and wal is not None and folder is not None
    assert old_name is not None
    with path.lock:
        repository = path.repository
        previous = repository.manifest
        assert previous is not None
        with Interrupts() as interrupts:
            interrupts.hold()
            try:
                wal_start = wal.start_file()
            except BaseException:
                path.has_failed |= wal.has_failed  # without room for it the old file goes on
                raise
        for line in repository.lines.values():
            database.publish(line, line.state)
        packs, superseded = previous.commit_packs, set[str]()
        if compaction is not None:
            past = repository.catalogs.models(repository.horizon)
            superseded |= readable_objects(objects, past)
            compaction.put_in_place(repository, objects)
            packs = put_in(packs, compaction.commits)
        settled = {i: settle(objects, line) for i, line in repository.lines.items()}
        if repository.recent:
            packs = (
                *packs,
                *write_commits(objects, [to_batch(repository.recent, repository.recent_hashes)]),
            )
        catalogs = repository.catalogs
        catalog_packs = catalogs.write(objects)
        manifest = manifest_of(
            database,
            settled,
            wal_start=wal_start,
            commit_packs=packs,
            catalog_packs=catalog_packs,
        )
        name = write_manifest(objects, manifest)
        leaving = [table for line in repository.leaving for table in line.all_tables()]
        with Interrupts() as interrupts:
            interrupts.hold()
            with path.no_return():
                write_head(database.disk, folder.head, name)
                repository.settle(manifest)
                database.manifest_name = name
                catalogs.written(catalog_packs)
                for line in repository.lines.values():
                    line.settle(settled[line.id])
                    database.publish(line, line.state)
        wal.remove_files_below(file_number(wal_start))
        kept = object_names(objects, name)
        superseded |= object_names(objects, old_name) - kept
        superseded |= _leave(leaving, kept)
        superseded |= _models_left(objects, previous, manifest)
    database.garbage.suspect(superseded)
    database.garbage.collect()


def manifest_of(
    database: Database,
    settled: Mapping[int, SettledLine],
    wal_start: int,
    commit_packs: tuple[SegmentMeta, ...],
    catalog_packs: tuple[str, ...],
) -> Manifest:
    repository, counters = database.commits_path.repository, database.counters
    main, *others = (_branch_manifest(line, settled[line.id]) for line in repository.lines.values())
    gone = (o for i, o in repository.origins.items() if i not in repository.lines)
    return Manifest(
        sequence=main.sequence,
        commit=main.commit,
        catalog=main.catalog,
        tables=main.tables,
        next_row_id=counters.next_row_id,
        next_id=counters.next_entry_id,
        wal_start=wal_start,
        identities=counters.all_identities(),
        commit_packs=commit_packs,
        catalog_hash=main.catalog_hash,
        dropped=main.dropped,
        last=repository.sequence if repository.sequence != main.sequence else 0,
        branches=tuple(others),
        origins=tuple(gone),
        tags=tuple(repository.tags.values()),
        settings=repository.settings,
        security=repository.security,
        horizon=repository.horizon,
        base=repository.catalogs.base,
        catalog_packs=catalog_packs,
    )


def _branch_manifest(line: Line, settled: SettledLine) -> BranchManifest:
    state = settled.state
    return BranchManifest(
        line.origin,
        state.sequence,
        state.commit_hash,
        state.at_us,
        tuple(sorted(state.catalog.entries.values(), key=lambda e: e.id)),
        state.catalog_hash,
        settled.tables,
        settled.dropped,
    )


def settle(objects: Objects, line: Line) -> SettledLine:
    """A branch with everything in objects. One that did not change since costs nothing."""
    if line.settled is not None and line.settled.state is line.state:
        return line.settled
    head, tables, states = line.state, {}, {}
    for table_id, state in head.tables.items():
        table = head.catalog.tables_by_id[table_id]
        states[table_id] = segmented(objects, table, state)
        leaves = _leaves(objects, line, table_id)
        lost = line.collected.get(table_id, ())
        tables[table_id] = _table_manifest(objects, table, states[table_id], leaves, lost)
    dropped, gone = [], {}
    for table_id, was in line.dropped.items():
        still = segmented(objects, was.entry, was.state)
        leaves = _leaves(objects, line, table_id)
        lost = line.collected.get(table_id, ())
        table_manifest = _table_manifest(objects, was.entry, still, leaves, lost)
        dropped.append(DroppedManifest(was.sequence, was.entry, table_manifest))
        gone[table_id] = DroppedTable(was.sequence, was.entry, still)
    settled = DatabaseState(
        head.sequence, head.catalog, states, head.commit_hash, head.at_us, head.catalog_hash
    )
    return SettledLine(settled, tables, gone, tuple(dropped))


def _leaves(objects: Objects, line: Line, table_id: int) -> tuple[ObjectRef, ...]:
    packs = line.packs.get(table_id, ())
    if packed := line.leaves.get(table_id):
        packs = (*packs, write_leaves(objects, unpack_leaves(packed)))
    return packs


def _leave(tables: Sequence[TableState], kept: Set[str]) -> set[str]:
    """Objects of dropped branches' tables; what no manifest keeps is opened for snapshots first."""
    names = names_of(tables) - kept
    for chunk in (c for table in tables for c in table.chunks):
        if isinstance(chunk.rows, SegmentRows) and chunk.rows.meta.ref.name in kept:
            for part in list(chunk.keys.values()):  # indexes are shared with who keeps the rows
                part.detach()
        else:
            chunk.detach()
    return names


def _models_left(objects: Objects, before: Manifest, after: Manifest) -> set[str]:
    """Objects of models that only the manifest before names; what history needs is kept."""
    still = _models(after)
    return readable_objects(objects, [e for e in _models(before) if e not in still])


def _models(manifest: Manifest) -> list[ModelEntry]:
    catalogs = (manifest.catalog, *(branch.catalog for branch in manifest.branches))
    return [e for catalog in catalogs for e in catalog if isinstance(e, ModelEntry)]


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
    objects: Objects,
    table: TableEntry,
    state: TableState,
    leaves: tuple[ObjectRef, ...],
    collected: tuple[ObjectRef, ...],
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
                store_parts(objects, table, chunk),
            )
        )
    return TableManifest(table.id, state.sequence, tuple(segments), state.log, leaves, collected)


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


def store_parts(objects: Objects, table: TableEntry, chunk: Chunk) -> tuple[KeyPart, ...]:
    """A segment's parts of the table's keys and indexes, as objects."""
    return (
        *(_store_key(objects, table, chunk, key.id) for key in table.keys),
        *(_store_index(objects, table, chunk, index) for index in table.indexes),
        *_store_orders(objects, table, chunk),
    )


def _store_orders(objects: Objects, table: TableEntry, chunk: Chunk) -> Iterator[KeyPart]:
    """What was asked of keys' order."""
    for key in table.keys:
        found, entry = chunk.indexes.get(key.id), as_index(key)
        if found is not None and found.serves(entry) and found.is_made:
            part = _store_index(objects, table, chunk, entry)
            yield KeyPart(-key.id, None, part.index)


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
    return KeyPart(index.id, None, PackPart(part.store(objects, indexed_rows(table, index, chunk))))
