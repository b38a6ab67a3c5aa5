"""Replay: the records of many commits applied to the branches' states at once.

Rows of all records become one chunk per table and branch, and deaths are located together: a death
of row id r at sequence s ends the version of r with the greatest birth below s. So a full log is
read at the speed of its decoding, however many commits it holds. Used when a writer opens a
database and when a reader process follows one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from hartonomous.storage.branches import DroppedTable, Line
from hartonomous.storage.catalog import TableEntry, next_version
from hartonomous.storage.catalog_history import CatalogDelta
from hartonomous.storage.chunk import BATCH_ROWS, SEGMENT_ROWS, Chunk, Int64, concat
from hartonomous.storage.commit import Commit, decode, parents_of
from hartonomous.storage.database_changes import change_from_map
from hartonomous.storage.errors import Corruption
from hartonomous.storage.keys import KeyColumns
from hartonomous.storage.leaf_log import hashes_of
from hartonomous.storage.manifest_state import key_of_segment, segment_chunk
from hartonomous.storage.memory import MemoryRows, rebatch
from hartonomous.storage.objects import Objects
from hartonomous.storage.record import InsertRecord, Record, TableRecord, read_batch, read_record
from hartonomous.storage.repository import Repository
from hartonomous.storage.shape import TableShape, shape_holding, shape_of
from hartonomous.storage.state import DatabaseState
from hartonomous.storage.table import TableState
from hartonomous.storage.tail import settle


@dataclass(slots=True)
class _Gathered:
    """What the records say of one table."""

    sequence: int = 0
    batches: list[pa.RecordBatch] = field(default_factory=list)
    row_ids: list[Int64] = field(default_factory=list)
    births: list[Int64] = field(default_factory=list)
    segments: list[tuple[InsertRecord, int]] = field(default_factory=list)
    dead_ids: list[Int64] = field(default_factory=list)
    dead_at: list[Int64] = field(default_factory=list)
    leaves: bytearray = field(default_factory=bytearray)


class Replay:
    """add() records in order, then finish(). Until then states do not change, but their chunks'
    death logs grow by deaths that no snapshot of them can see."""

    def __init__(self, objects: Objects, repository: Repository) -> None:
        self._objects, self._repository = objects, repository
        self._lines: dict[int, LineReplay] = {}
        self.next_row_id = self.next_entry_id = 0
        self.identities: dict[int, int] = {}

    def add(self, body: memoryview) -> None:
        """The next record; Corruption if it does not follow the one before."""
        repository, record = self._repository, read_record(body)
        repository.has_news = True
        if record.change is not None:
            self.finish()  # a branch may begin where the log has come to
            change_from_map(record.change).apply(repository)
            return
        commit = decode(record.commit, record.branch)
        line = repository.lines.get(record.branch)
        if line is None or commit.sequence != repository.sequence + 1:
            raise Corruption(
                f"the log holds commit {commit.sequence} of branch {record.branch} where commit "
                f"{repository.sequence + 1} should follow"
            )
        if line.id not in self._lines:
            self._lines[line.id] = LineReplay(self._objects, line)
        self._lines[line.id].add(record, commit)
        repository.add(commit, hashlib.sha256(record.commit).digest())
        if record.entries:
            entries = tuple(record.entries)
            repository.catalogs.add(CatalogDelta(commit.sequence, line.id, entries))
        self.next_row_id, self.next_entry_id = record.next_row_id, record.next_entry_id
        self.identities.update(record.identities)

    def finish(self) -> None:
        """Bring all branches to the last record."""
        for replay in self._lines.values():
            replay.finish()
        self._lines.clear()


class LineReplay:
    """The records of one branch."""

    def __init__(self, objects: Objects, line: Line) -> None:
        self._objects, self._line, self._state = objects, line, line.state
        state = line.state
        self._catalog = state.catalog
        self._tables: dict[int, _Gathered] = {}
        self._dropped: dict[int, tuple[int, TableEntry]] = {}
        self._hash, self._sequence, self._at_us = state.commit_hash, state.sequence, state.at_us
        self._catalog_hash, self._root = state.catalog_hash, b""
        self._roots: dict[int, tuple[int, bytes] | None] = {}

    def add(self, record: Record, commit: Commit) -> None:
        """The next record; Corruption if it does not follow the one before."""
        if commit.parents != parents_of(self._hash, commit.parents[1:]):
            raise Corruption(
                f"commit {commit.sequence} in the log does not name commit {self._sequence}, "
                "which it follows"
            )
        self._hash = hashlib.sha256(record.commit).digest()
        self._sequence, self._at_us = commit.sequence, commit.at_us
        self._catalog_hash, self._root = commit.catalog_hash, commit.root
        self._roots.update(commit.tables)
        self._add_entries(record)
        for table in record.tables:
            self._add_table(table, commit.sequence)

    def _add_entries(self, record: Record) -> None:
        if not record.entries:
            return
        catalog = self._catalog
        by_id = {e.id: e for e in catalog.entries.values()}
        for old, new in record.entries:
            if old:
                before = by_id[old]
                catalog = catalog.without(before, next_version())
                if new is None and isinstance(before, TableEntry):
                    self._dropped[old] = self._sequence, before
        for _, new in record.entries:
            if new is not None:
                catalog = catalog.with_entry(new, next_version())
        self._catalog = catalog

    def _add_table(self, record: TableRecord, sequence: int) -> None:
        gathered = self._tables.setdefault(record.id, _Gathered())
        gathered.sequence = sequence
        shape = shape_of(self._catalog.tables_by_id[record.id])
        for insert in record.inserts:
            if insert.segment is not None:
                gathered.segments.append((insert, sequence))
                continue
            batches = [read_batch(b, shape.physical) for b in insert.batches]
            count = sum(b.num_rows for b in batches)
            ids = insert.row_ids
            assert ids is not None
            gathered.batches += batches
            gathered.row_ids.append(
                np.arange(ids, ids + count, dtype=np.int64) if isinstance(ids, int) else ids
            )
            gathered.births.append(np.full(count, sequence, np.int64))
        if len(record.deleted):
            gathered.dead_ids.append(record.deleted)
            gathered.dead_at.append(np.full(len(record.deleted), sequence, np.int64))
        gathered.leaves += record.leaves

    def finish(self) -> None:
        """The branch after its last record."""
        line, kept = self._line, self._catalog.tables_by_id
        states = dict(self._state.tables)
        for table_id, gathered in self._tables.items():
            table = kept[table_id] if table_id in kept else self._dropped[table_id][1]
            states[table_id] = self._table(table, gathered)
            line.leaves.setdefault(table_id, bytearray()).extend(gathered.leaves)
        for table_id, (sequence, entry) in self._dropped.items():
            gone = states.pop(table_id, None) or TableState(table_id, sequence)
            line.dropped[table_id] = DroppedTable(sequence, entry, gone)
        state = DatabaseState(
            self._sequence, self._catalog, states, self._hash, self._at_us, self._catalog_hash
        )
        if line.roots.apply(self._roots) != self._root:
            raise Corruption(f"commit {self._sequence} does not have the root of its tables")
        line.state = line.published = state

    def _table(self, table: TableEntry, gathered: _Gathered) -> TableState:
        before = self._state.table(table.id)
        shape = shape_of(table)
        chunks = [*before.chunks]
        for insert, sequence in gathered.segments:
            chunks.append(self._segment(table, insert, sequence))
        if gathered.batches:
            chunks += memory_chunks(
                shape, gathered.batches, concat(gathered.row_ids), concat(gathered.births)
            )
        if gathered.dead_ids:
            kill(table, chunks, concat(gathered.dead_ids), concat(gathered.dead_at))
        log = before.log.extend(hashes_of(bytes(gathered.leaves)))
        if self._roots[table.id] not in (None, (log.size, log.root)):
            raise Corruption(
                f'the log\'s leaves of table "{table.name}" do not give the root of '
                f"commit {gathered.sequence}"
            )
        return TableState(table.id, gathered.sequence, settle(tuple(chunks), shape), log)

    def _segment(self, table: TableEntry, insert: InsertRecord, sequence: int) -> Chunk:
        ids = insert.row_ids
        assert insert.segment is not None and (ids is None or isinstance(ids, int))
        chunk = segment_chunk(self._objects, table, insert.segment, ids, sequence, sequence)
        if len(insert.hidden):
            chunk.deaths.append(sequence, insert.hidden)
        for key in table.keys:
            if key.id in insert.keys:
                range_, ref = insert.keys[key.id]
                columns = KeyColumns.of(table, key)
                chunk.keys[key.id] = key_of_segment(self._objects, chunk, columns, range_, ref)
        return chunk


def memory_chunks(
    shape: TableShape, batches: Sequence[pa.RecordBatch], row_ids: Int64, births: Int64
) -> list[Chunk]:
    """Chunks in memory; batches of an older schema get NULLs for the columns they lack."""
    shape = shape_holding(
        shape, lambda name: any(b.schema.get_field_index(name) >= 0 for b in batches)
    )
    fitting = [_fit(batch, shape) for batch in batches]
    pieces = rebatch(shape.physical, fitting)
    out, start = [], 0
    for at in range(0, len(pieces), SEGMENT_ROWS // BATCH_ROWS):
        rows = MemoryRows(shape.physical, pieces[at : at + SEGMENT_ROWS // BATCH_ROWS])
        stop = start + rows.count
        out.append(Chunk(rows, as_run(row_ids[start:stop]), as_one(births[start:stop])))
        start = stop
    return out


def _fit(batch: pa.RecordBatch, shape: TableShape) -> pa.RecordBatch:
    if batch.schema.equals(shape.physical):
        return batch
    columns = [
        batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, type_)
        for name, type_ in zip(shape.physical.names, shape.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=shape.physical)


def as_run(ids: Int64) -> int | Int64:
    """Consecutive ids as the first of them."""
    first = int(ids[0])
    is_run = int(ids[-1]) - first == len(ids) - 1 and bool((ids[1:] > ids[:-1]).all())
    return first if is_run else ids


def as_one(births: Int64) -> int | Int64:
    """Equal births as one number."""
    first = int(births[0])
    return first if bool((births == first).all()) else births


def kill(table: TableEntry, chunks: Sequence[Chunk], ids: Int64, at: Int64) -> None:
    """Append deaths (row id, sequence) to the death logs of the chunks where the versions lie.
    Raises Corruption if one is nowhere."""
    wanted, inverse = np.unique(ids, return_inverse=True)
    numbers, offsets, births, which = [], [], [], []
    for number, chunk in enumerate(chunks):
        index, found = chunk.find_row_ids(wanted)
        if len(index) and (never := chunk.deaths.prefix(0)):
            was = ~np.isin(found, chunk.deaths.offsets(0, never))  # on this branch
            index, found = index[was], found[was]
        if len(index):
            numbers.append(np.full(len(index), number, np.int64))
            offsets.append(found)
            births.append(chunk.births_at(found))
            which.append(index)
    count = sum(map(len, which))
    # Versions and deaths in one order: by row id, then time, deaths before births of their time.
    who = concat([*which, inverse.astype(np.int64)])
    when = concat([*births, at])
    is_version = np.arange(len(who)) < count
    order = np.lexsort((is_version, when, who))
    version = np.where(is_version[order], order, -1)
    before = np.maximum.accumulate(np.where(version >= 0, np.arange(len(order)), -1))
    deaths = np.flatnonzero(version < 0)
    places = before[deaths]
    if not len(places) or (places < 0).any() or (who[order[places]] != who[order[deaths]]).any():
        raise Corruption(f'the log deletes rows of table "{table.name}" that are not there')
    victims = order[places]
    times = when[order[deaths]]
    chunk_of, offset_of = concat(numbers)[victims], concat(offsets)[victims]
    for number in np.unique(chunk_of).tolist():
        mine = np.flatnonzero(chunk_of == number)
        mine = mine[np.argsort(times[mine], kind="stable")]
        chunks[number].deaths.extend(times[mine], offset_of[mine])
