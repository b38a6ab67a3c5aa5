"""From a manifest to a repository: which objects hold branches' chunks, deaths and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hartonomous.storage.access.parts import ChunkIndex, as_index
from hartonomous.storage.blocks import ObjectRef
from hartonomous.storage.branches import MAIN_ORIGIN, DroppedTable, Line, roots_of
from hartonomous.storage.catalog import TableEntry, fold
from hartonomous.storage.catalog_history import (
    FIRST_BASE,
    CatalogBase,
    CatalogHistory,
    catalog_of,
)
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.commit_pack import CommitPack
from hartonomous.storage.deaths import DeathLog
from hartonomous.storage.key_objects import read_key_index
from hartonomous.storage.keys import ChunkKey, KeyColumns
from hartonomous.storage.manifest import BranchManifest, Manifest, SegmentEntry, TableManifest
from hartonomous.storage.objects import Objects
from hartonomous.storage.packs import Pack
from hartonomous.storage.repository import Repository
from hartonomous.storage.segment import SegmentMeta
from hartonomous.storage.segment_rows import SegmentRows
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState

DEATHS_KIND = "deaths"


def repository_of(
    objects: Objects, manifest: Manifest, known: dict[str, SegmentRows] | None = None
) -> Repository:
    """What a manifest describes. Death logs are read now, all else when touched; segments are
    added to `known`, since branches share them. Raises Corruption."""
    known = {} if known is None else known
    at_us = _last_moment(objects, manifest)
    main = BranchManifest(
        MAIN_ORIGIN,
        manifest.sequence,
        manifest.commit,
        at_us,
        manifest.catalog,
        manifest.catalog_hash,
        manifest.tables,
        manifest.dropped,
    )
    lines = [_line(objects, branch, known) for branch in (main, *manifest.branches)]
    base = manifest.base
    if base is None:
        base = CatalogBase(manifest.sequence, manifest.catalog) if manifest.sequence else FIRST_BASE
    return Repository(
        objects,
        {line.id: line for line in lines},
        CatalogHistory(objects, base, manifest.catalog_packs),
        manifest.newest,
        at_us,
        manifest,
        {o.id: o for o in (*manifest.origins, *(line.origin for line in lines))},
        {fold(t.name): t for t in manifest.tags},
        manifest.settings,
        manifest.security,
        horizon=manifest.horizon,
    )


def _line(objects: Objects, branch: BranchManifest, known: dict[str, SegmentRows]) -> Line:
    catalog = catalog_of({e.id: e for e in branch.catalog})
    tables = {
        table_id: _table(objects, catalog.tables_by_id[table_id], table, known)
        for table_id, table in branch.tables.items()
    }
    dropped = {
        d.entry.id: DroppedTable(d.sequence, d.entry, _table(objects, d.entry, d.table, known))
        for d in branch.dropped
    }
    packs = {i: table.leaves for i, table in branch.tables.items()}
    packs |= {d.entry.id: d.table.leaves for d in branch.dropped}
    state = DatabaseState(
        branch.sequence, catalog, tables, branch.commit, branch.at_us, branch.catalog_hash
    )
    collected = {i: table.collected for i, table in branch.tables.items()}
    collected |= {d.entry.id: d.table.collected for d in branch.dropped}
    return Line(
        branch.origin, state, state, roots_of(state), {}, packs, dropped, collected=collected
    )


def _table(
    objects: Objects, entry: TableEntry, table: TableManifest, known: dict[str, SegmentRows]
) -> TableState:
    packs: dict[ObjectRef, Pack] = {}
    chunks = tuple(
        _chunk(objects, entry, table, segment, packs, known) for segment in table.segments
    )
    return TableState(table.table_id, table.sequence, chunks, table.log)


def _last_moment(objects: Objects, manifest: Manifest) -> int:
    """When the last commit was made; later ones are not earlier."""
    if not manifest.commit_packs:
        return 0
    at = CommitPack(objects, manifest.commit_packs[-1]).table(["at"]).column(0)
    return int(at[-1].value)


def _chunk(
    objects: Objects,
    table: TableEntry,
    manifest: TableManifest,
    segment: SegmentEntry,
    packs: dict[ObjectRef, Pack],
    known: dict[str, SegmentRows],
) -> Chunk:
    births = segment.births
    newest = manifest.sequence if births is None else births
    name = segment.meta.ref.name
    chunk = segment_chunk(
        objects, table, segment.meta.to_list(), segment.row_ids, births, newest, known.get(name)
    )
    if isinstance(chunk.rows, SegmentRows):
        known[name] = chunk.rows
    if segment.deaths is not None:
        ref, prefix = segment.deaths.ref, segment.deaths.prefix
        if ref not in packs:
            packs[ref] = Pack(objects, ref, DEATHS_KIND, table.name)
        chunk.deaths = DeathLog(
            packs[ref].array(prefix + "sequences"),
            packs[ref].array(prefix + "offsets").astype(np.int64),
        )
        chunk.stored_deaths = segment.deaths, chunk.deaths.count
    keys = {key.id: key for key in table.keys}
    indexes = {index.id: index for index in table.indexes}
    for part in segment.keys:
        if part.key_id in keys:
            columns = KeyColumns.of(table, keys[part.key_id])
            stored = None if part.index is None else part.index.ref.to_list()
            chunk.keys[part.key_id] = key_of_segment(objects, chunk, columns, part.range, stored)
        elif part.key_id in indexes and part.index is not None:
            entry = indexes[part.key_id]
            chunk.indexes[entry.id] = ChunkIndex(entry, objects, part.index.ref)
        elif -part.key_id in keys and part.index is not None:
            entry = as_index(keys[-part.key_id])
            chunk.indexes[entry.id] = ChunkIndex(entry, objects, part.index.ref)
    return chunk


def segment_chunk(
    objects: Objects,
    table: TableEntry,
    meta: list[Any],
    row_ids: int | None,
    births: int | None,
    newest_birth: int,
    rows: SegmentRows | None = None,
) -> Chunk:
    """A chunk over a segment, which is opened when first read."""
    if rows is None:
        rows = SegmentRows(objects, SegmentMeta.from_list(meta), table.name)
    return Chunk(rows, row_ids, births, newest_birth=newest_birth)


def key_of_segment(
    objects: Objects,
    chunk: Chunk,
    key: KeyColumns,
    range_: tuple[int, int] | list[int] | None,
    stored: list[Any] | None,
) -> ChunkKey:
    """A chunk's part of a key whose index lies in an object, or is still to be made."""
    load: Callable[[], Any] | None = None
    ref = None if stored is None else ObjectRef.from_list(stored)
    if ref is not None:
        place = ref
        label = f'key "{key.key.name}"'

        def load() -> Any:
            return read_key_index(objects, place, label)

    part = ChunkKey(chunk, key, (range_[0], range_[1]) if range_ else None, None, load)
    part.stored = ref
    return part
