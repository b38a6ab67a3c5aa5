"""Segments: immutable blocks of a table's rows in the Arrow IPC file format, read by mapping.

At most 1,048,576 rows in batches of 65,536 (the last one fewer), uncompressed, every buffer at
a multiple of 64. Behind the batches lies the directory (blocks.py): the schema, where each
buffer lies, statistics and block checksums. We read by the directory, never by the messages
between the buffers; those are for other Arrow readers.

A column is read by checking exactly the 256 KiB blocks that its buffers lie in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from hartonomous.storage import arrow_file, physical
from hartonomous.storage.blocks import ALIGNMENT, BlockReader, BlockWriter, ObjectRef
from hartonomous.storage.decoding import decoding
from hartonomous.storage.frozen import frozen
from hartonomous.storage.objects import Objects
from hartonomous.storage.statistics import BatchStatistics, ZoneMap, measure

BATCH_ROWS: Final = 65_536
SEGMENT_ROWS: Final = 1_048_576


@frozen
class SegmentMeta:
    """What a manifest or WAL record keeps of a segment; all else is in its directory."""

    ref: ObjectRef
    rows: int

    def to_list(self) -> list[Any]:
        return [*self.ref.to_list(), self.rows]

    @staticmethod
    def from_list(data: list[Any]) -> SegmentMeta:
        return SegmentMeta(ObjectRef.from_list(data[:-1]), data[-1])


class SegmentWriter:
    """One segment being written: write() batches of any size, then finish() or abort()."""

    def __init__(self, objects: Objects, schema: pa.Schema) -> None:
        fields = [f.with_type(physical.plain_type(f.type)) for f in schema]
        self.schema = pa.schema(fields)
        self.rows = 0
        self._writer = BlockWriter(objects)
        self._writer.write(arrow_file.HEAD, arrow_file.schema_message(self.schema))
        self._blocks: list[arrow_file.Block] = []
        self._nodes: list[list[physical.Node]] = []
        self._places: list[list[tuple[int, int]]] = []
        self._statistics: list[list[BatchStatistics]] = [[] for _ in fields]
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0

    @property
    def room(self) -> int:
        """Rows that still fit."""
        return SEGMENT_ROWS - self.rows

    @property
    def bytes(self) -> int:
        """Bytes written so far."""
        return self._writer.size

    def write(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Append rows with the columns of the schema, by position."""
        assert rows.num_rows <= self.room, (rows.num_rows, self.room)
        assert rows.num_columns == len(self.schema)
        self.rows += rows.num_rows
        batches = [rows] if isinstance(rows, pa.RecordBatch) else rows.to_batches()
        for batch in batches:
            while batch.num_rows:
                head = batch.slice(0, BATCH_ROWS - self._waiting_rows)
                batch = batch.slice(head.num_rows)
                self._waiting.append(head)
                self._waiting_rows += head.num_rows
                if self._waiting_rows == BATCH_ROWS:
                    self._flush()

    def finish(self) -> SegmentMeta:
        """Make the segment durable; it has at least one row."""
        if self._waiting_rows:
            self._flush()
        assert self.rows
        self._writer.write(arrow_file.END_OF_STREAM)
        self._writer.align()
        kinds = self.schema.types
        directory = {
            "schema": self.schema.serialize().to_pybytes(),
            "nodes": np.array(self._nodes, "<i8").tobytes(),
            "buffers": np.array(self._places, "<i8").tobytes(),
            "statistics": [
                ZoneMap(k, s).to_map() for k, s in zip(kinds, self._statistics, strict=True)
            ],
        }
        ref = self._writer.finish(directory, arrow_file.footer(self.schema, self._blocks))
        return SegmentMeta(ref, self.rows)

    def abort(self) -> None:
        self._writer.abort()

    def _flush(self) -> None:
        parts, self._waiting = self._waiting, []
        rows, self._waiting_rows = self._waiting_rows, 0
        nodes: list[physical.Node] = []
        buffers: list[pa.Buffer] = []
        for i, kind in enumerate(self.schema.types):
            pieces = [p.column(i) for p in parts]
            array = physical.plain(pieces[0] if len(pieces) == 1 else pa.chunked_array(pieces))
            assert array.type == kind, (array.type, kind)
            self._statistics[i].append(measure(array))
            own_nodes, own_buffers = physical.take_apart(array)
            nodes += own_nodes
            buffers += own_buffers
        self._write_batch(rows, nodes, buffers)

    def _write_batch(self, rows: int, nodes: list[physical.Node], buffers: list[pa.Buffer]) -> None:
        sizes = np.array([b.size for b in buffers], np.int64)
        padded = sizes + (-sizes % ALIGNMENT)
        starts = np.concatenate(([0], np.cumsum(padded)))
        body = int(starts[-1])
        places = list(zip(starts[:-1].tolist(), sizes.tolist(), strict=True))
        offset = self._writer.size
        message = arrow_file.batch_message(rows, nodes, places, body, offset, ALIGNMENT)
        start = offset + len(message)
        pieces: list[Any] = [message]
        for buffer in buffers:
            pieces.append(buffer)
            if padding := -buffer.size % ALIGNMENT:
                pieces.append(bytes(padding))
        self._writer.write(*pieces)
        self._blocks.append(arrow_file.Block(offset, len(message), body))
        self._nodes.append(nodes)
        self._places.append([(start + at, size) for at, size in places])


def write_segment(
    objects: Objects, schema: pa.Schema, batches: Iterable[pa.RecordBatch | pa.Table]
) -> SegmentMeta:
    """One segment of at most SEGMENT_ROWS rows, at least one."""
    writer = SegmentWriter(objects, schema)
    try:
        for batch in batches:
            writer.write(batch)
        return writer.finish()
    except BaseException:
        writer.abort()
        raise


class Segment:
    """A segment, mapped. `label` is its table's name, for errors."""

    def __init__(self, objects: Objects, meta: SegmentMeta, label: str = "") -> None:
        self.meta, self.label = meta, label
        self._blocks = BlockReader(objects, meta.ref, label)
        with decoding(f"object {meta.ref.name}"):
            self._lay_out(self._blocks.directory)
        self._arrays: dict[tuple[int, int], pa.Array] = {}
        self._zone_maps: dict[str, ZoneMap] = {}

    def _lay_out(self, directory: dict[str, Any]) -> None:
        self.schema: pa.Schema = pa.ipc.read_schema(pa.py_buffer(directory["schema"]))
        shape = [physical.counts(f.type) for f in self.schema]
        starts = np.cumsum([(0, 0), *shape], axis=0)
        self._starts: list[tuple[int, int]] = [(int(a), int(b)) for a, b in starts]
        total_nodes, total_buffers = self._starts[-1]
        self.batch_rows: list[int] = [
            min(BATCH_ROWS, self.meta.rows - at) for at in range(0, self.meta.rows, BATCH_ROWS)
        ]
        batches = len(self.batch_rows)
        nodes = np.frombuffer(directory["nodes"], "<i8")
        places = np.frombuffer(directory["buffers"], "<i8")
        self._nodes = nodes.reshape(batches, total_nodes, 2)
        self._places = places.reshape(batches, total_buffers, 2)

    is_mapped = True

    @property
    def count(self) -> int:
        """Rows."""
        return self.meta.rows

    def batch_bytes(self, name: str, batch: int) -> int:
        """Bytes of one column in one batch, padding included."""
        index = self.schema.get_field_index(name)
        place, place_end = self._starts[index][1], self._starts[index + 1][1]
        if index < 0 or place == place_end:
            return 0
        first, (last, size) = self._places[batch, place, 0], self._places[batch, place_end - 1]
        return int(last + size - first)

    @property
    def bytes_checked(self) -> int:
        """Bytes of the blocks checked so far in this process."""
        return self._blocks.bytes_checked

    def zone_map(self, name: str) -> ZoneMap | None:
        """The statistics of a column; None if the segment does not have it."""
        if name not in self._zone_maps:
            index = self.schema.get_field_index(name)
            if index < 0:
                return None
            data = self._blocks.directory["statistics"][index]
            self._zone_maps[name] = ZoneMap.from_map(self.schema.field(index).type, data)
        return self._zone_maps[name]

    def column(self, name: str, batch: int) -> pa.Array | None:
        """One batch of a column: a zero-copy array whose blocks are checked. None if the segment
        does not have the column."""
        index = self.schema.get_field_index(name)
        if index < 0:
            return None
        array = self._arrays.get((index, batch))
        if array is None:
            array = self._arrays[index, batch] = self._read(index, batch)
        return array

    def columns(
        self, names: Sequence[str], batches: Iterable[int] | None = None
    ) -> list[pa.RecordBatch]:
        """The asked-for batches (default: all) with these columns, which the segment has.

        Corruption if a block that one of the columns lies in is damaged.
        """
        which = range(len(self.batch_rows)) if batches is None else batches
        schema = pa.schema([self.schema.field(n) for n in names])
        return [
            pa.RecordBatch.from_arrays([self.column(n, b) for n in names], schema=schema)
            for b in which
        ]

    def check_all(self) -> None:
        """Re-check every block; Corruption names the first damaged one."""
        self._blocks.check_all()

    def _read(self, index: int, batch: int) -> pa.Array:
        (node, place), (node_end, place_end) = self._starts[index], self._starts[index + 1]
        nodes: list[list[int]] = self._nodes[batch, node:node_end].tolist()
        places: list[list[int]] = self._places[batch, place:place_end].tolist()
        if places:  # the buffers of a column lie side by side
            first, (last, size) = places[0][0], places[-1]
            self._blocks.check(first, last + size - first)
        whole = self._blocks.buffer
        return physical.put_together(
            self.schema.field(index).type, _pairs(nodes), (whole.slice(a, n) for a, n in places)
        )


def _pairs(nodes: list[list[int]]) -> Iterator[physical.Node]:
    return ((length, nulls) for length, nulls in nodes)
