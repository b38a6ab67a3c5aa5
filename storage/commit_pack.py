"""Commit packs: a million one-row commits are not a million files.

A pack is a segment (segment.py) with a row for each commit, ascending by sequence. The commit's
canonical bytes are made again from its columns, so VERIFY checks `hash` against the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgpack
import pyarrow as pa

from hartonomous.storage.commit import HASH_BYTES, Commit, tables_from_list, tables_to_list
from hartonomous.storage.errors import Corruption
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import (
    BATCH_ROWS,
    SEGMENT_ROWS,
    Segment,
    SegmentMeta,
    write_segment,
)

_HASH: Final = pa.binary(HASH_BYTES)
SCHEMA: Final = pa.schema(
    [
        pa.field("sequence", pa.int64(), False),
        pa.field("hash", _HASH, False),
        pa.field("parents", pa.binary(), False),  # 32 bytes each, end to end
        pa.field("at", pa.timestamp("us", "UTC"), False),
        pa.field("author", pa.string(), False),
        pa.field("statement", pa.string(), False),
        pa.field("catalog", _HASH, False),
        pa.field("root", _HASH, False),
        pa.field("tables", pa.binary(), False),  # msgpack, as in the commit's own bytes
        pa.field("branch", pa.int64(), False),  # packs from before there were branches lack it
    ]
)


def to_batch(commits: Sequence[Commit], hashes: Sequence[bytes] | None = None) -> pa.RecordBatch:
    """Commits as rows of SCHEMA; `hashes` are theirs, if they are known."""
    columns: list[list[Any]] = [
        [c.sequence for c in commits],
        [c.hash for c in commits] if hashes is None else list(hashes),
        [b"".join(c.parents) for c in commits],
        [c.at_us for c in commits],
        [c.author for c in commits],
        [c.statement for c in commits],
        [c.catalog_hash for c in commits],
        [c.root for c in commits],
        [msgpack.packb(tables_to_list(c.tables)) for c in commits],
        [c.branch for c in commits],
    ]
    arrays = [pa.array(v, f.type) for v, f in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def from_batch(batch: pa.RecordBatch) -> list[Commit]:
    """The inverse of to_batch; Corruption where a commit does not have its hash."""
    columns = [c.to_pylist() for c in batch.set_column(3, "at", batch[3].cast(pa.int64())).columns]
    commits = []
    for sequence, name, parents, at_us, author, statement, catalog, root, tables, branch in zip(
        *columns, strict=True
    ):
        some = tuple(parents[i : i + HASH_BYTES] for i in range(0, len(parents), HASH_BYTES))
        changed = tables_from_list(msgpack.unpackb(tables))
        commit = Commit(some, sequence, at_us, author, statement, catalog, changed, root, branch)
        if commit.hash != name:
            raise Corruption(
                f"commit {sequence} is damaged: expected {name.hex()}, found {commit.hash.hex()}"
            )
        commits.append(commit)
    return commits


def write_commits(objects: Objects, batches: Sequence[pa.RecordBatch]) -> list[SegmentMeta]:
    """Store rows of SCHEMA durably: one pack, or more where they exceed a segment."""
    table = pa.Table.from_batches(batches, SCHEMA)
    return [
        write_segment(objects, SCHEMA, [table.slice(start, SEGMENT_ROWS)])
        for start in range(0, len(table), SEGMENT_ROWS)
    ]


class CommitPack:
    """A pack of commits, mapped."""

    def __init__(self, objects: Objects, meta: SegmentMeta) -> None:
        self.segment = Segment(objects, meta, "commits")
        self.rows = meta.rows

    def table(self, names: Sequence[str] = tuple(SCHEMA.names)) -> pa.Table:
        """Columns of SCHEMA, oldest first, over the mapping."""
        schema = pa.schema([SCHEMA.field(n) for n in names])
        return pa.Table.from_batches([self._batch(names, b) for b in range(self._batches)], schema)

    @property
    def _batches(self) -> int:
        return (self.rows + BATCH_ROWS - 1) // BATCH_ROWS

    def _batch(self, names: Sequence[str], batch: int) -> pa.RecordBatch:
        stored = [n for n in names if n in self.segment.schema.names]
        (found,) = self.segment.columns(stored, [batch])
        main = pa.repeat(pa.scalar(0, pa.int64()), self.segment.batch_rows[batch])
        arrays = [found.column(n) if n in stored else main for n in names]
        schema = pa.schema([SCHEMA.field(n) for n in names])
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def commits(self) -> Iterator[Commit]:
        """Every commit, oldest first, its hash checked."""
        for batch in range(self._batches):
            yield from from_batch(self._batch(SCHEMA.names, batch))
