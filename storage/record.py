"""The record of a commit in the WAL: all that recovery needs to repeat it.

    u32    length of the head
    head   msgpack map: commit, entries, tables, next_row_id, next_entry_id, identities, and
           branch, the branch's id, unless it is main; or else database, a change of what is no
           branch's (database_changes.py)
    …      zeros up to a multiple of 8
    data   pieces that the head refers to by (offset from here, length), each at a multiple of 8

A table is a map: id, inserts, deleted, leaves. An insert is either `batches` (Arrow record batch
messages, their schema the table's physical one as the catalog has it after this commit) with
`row_ids` a number (contiguous) or a place of int64s; or `segment` (SegmentMeta) with `keys`
({key id: [range, key index]}), `row_ids` a number or None (column `__row_id` of the segment) and
`hidden`, a place of int64 offsets of rows that the same commit deleted again. `deleted` is a place
of int64 pairs (first id, number of ids), ascending; `leaves` a place of packed leaves (leaves.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa

from hartonomous.storage.catalog import Entry
from hartonomous.storage.catalog_maps import entry_from_map, entry_to_map
from hartonomous.storage.chunk import NO_ROWS, Int64
from hartonomous.storage.disk import Data
from hartonomous.storage.frozen import frozen

_PADS = [bytes(-size & 7) for size in range(8)]


class RecordWriter:
    """Gathers the pieces of one record."""

    def __init__(self) -> None:
        self._pieces: list[Data] = []
        self._offset = 0

    @property
    def size(self) -> int:
        """Bytes placed so far."""
        return self._offset

    def place(self, data: Data) -> tuple[int, int]:
        """Put data into the record; its (offset, length)."""
        size = len(data)
        offset = self._offset
        if size:
            padding = _PADS[size & 7]
            self._pieces += data, padding
            self._offset = offset + size + len(padding)
        return offset, size

    def finish(self, head: Mapping[str, Any]) -> list[Data]:
        packed: bytes = msgpack.packb(head)
        start = len(packed).to_bytes(4, "little") + packed
        return [start, _PADS[len(start) & 7], *self._pieces]


def id_runs(ids: Int64) -> Int64:
    """Ascending ids as (first, length) pairs, int64[runs, 2]."""
    if len(ids) == 1:
        return np.array([[ids[0], 1]], np.int64)
    starts = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 2) != 1)
    lengths = np.diff(np.append(starts, len(ids)))
    return np.stack([ids[starts], lengths], axis=1)


def ids_of(runs: Int64) -> Int64:
    """The inverse of id_runs."""
    if not len(runs):
        return NO_ROWS
    firsts, lengths = runs[:, 0], runs[:, 1]
    ends = np.cumsum(lengths)
    ids: Int64 = np.arange(int(ends[-1])) + np.repeat(firsts - (ends - lengths), lengths)
    return ids


def pack_entries(changes: Sequence[tuple[Entry | None, Entry | None]]) -> list[list[Any]]:
    """Catalog changes as (id before or 0, new entry or None)."""
    return [
        [before.id if before else 0, entry_to_map(after) if after else None]
        for before, after in changes
    ]


@frozen
class InsertRecord:
    """One chunk that a commit added: in memory (`batches`) or a segment."""

    row_ids: int | Int64 | None
    batches: tuple[memoryview, ...] = ()
    segment: list[Any] | None = None
    keys: Mapping[int, list[Any]] = field(default_factory=dict)
    hidden: Int64 = field(default_factory=lambda: NO_ROWS)


@frozen
class TableRecord:
    """What a commit did to one table."""

    id: int
    inserts: list[InsertRecord]
    deleted: Int64
    leaves: bytes


@frozen
class Record:
    """A record read back: a commit, or a change of the database."""

    commit: bytes
    entries: list[tuple[int, Entry | None]]
    tables: list[TableRecord]
    next_row_id: int
    next_entry_id: int
    identities: Mapping[int, int]
    branch: int = 0
    change: Mapping[str, Any] | None = None


def read_record(body: memoryview) -> Record:
    """The record in a frame's body, which is whole: its checksum was right."""
    head_end = 4 + int.from_bytes(body[:4], "little")
    head = msgpack.unpackb(body[4:head_end], strict_map_key=False)
    data = body[head_end + (-head_end & 7) :]
    if "database" in head:
        return Record(b"", [], [], 0, 0, {}, change=head["database"])
    return Record(
        head["commit"],
        [(old, entry_from_map(new) if new else None) for old, new in head["entries"]],
        [_read_table(t, data) for t in head["tables"]],
        head["next_row_id"],
        head["next_entry_id"],
        head["identities"],
        head.get("branch", 0),
    )


def _read_table(table: Mapping[str, Any], data: memoryview) -> TableRecord:
    inserts = [_read_insert(i, data) for i in table["inserts"]]
    runs = np.frombuffer(_piece(data, table["deleted"]), np.int64).reshape(-1, 2)
    return TableRecord(table["id"], inserts, ids_of(runs), bytes(_piece(data, table["leaves"])))


def _read_insert(insert: Mapping[str, Any], data: memoryview) -> InsertRecord:
    row_ids = _numbers(data, insert["row_ids"])
    if "batches" in insert:
        return InsertRecord(row_ids, tuple(_piece(data, place) for place in insert["batches"]))
    hidden = np.frombuffer(_piece(data, insert["hidden"]), np.int64)
    return InsertRecord(row_ids, (), insert["segment"], insert["keys"], hidden)


def _piece(data: memoryview, place: Sequence[int]) -> memoryview:
    offset, size = place
    return data[offset : offset + size]


def _numbers(data: memoryview, stored: int | Sequence[int] | None) -> int | Int64 | None:
    if stored is None or isinstance(stored, int):
        return stored
    return np.frombuffer(_piece(data, stored), np.int64)


def read_batch(data: memoryview, schema: pa.Schema) -> pa.RecordBatch:
    """A record batch over the record's own bytes."""
    return pa.ipc.read_record_batch(pa.py_buffer(data), schema)
