"""A chunk's rows in a segment: opened when first touched, blocks checked when first read."""

from __future__ import annotations

import pyarrow as pa

from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import Segment, SegmentMeta
from hartonomous.storage.statistics import ZoneMap


class SegmentRows:
    """See chunk.Rows. `label` is the table's name, for errors. `leaf_hashes`: the Merkle leaves
    of its batches, known to the transaction that wrote it under contiguous row ids."""

    is_mapped = True

    __slots__ = ("_label", "_names", "_objects", "_segment", "count", "leaf_hashes", "meta")

    def __init__(self, objects: Objects, meta: SegmentMeta, label: str) -> None:
        self.meta, self.count = meta, meta.rows
        self._objects, self._label = objects, label
        self.leaf_hashes: list[bytes] | None = None
        self._segment: Segment | None = None
        self._names: frozenset[str] = frozenset()

    @property
    def segment(self) -> Segment:
        if self._segment is None:
            segment = Segment(self._objects, self.meta, self._label)
            self._names = frozenset(segment.schema.names)
            self._segment = segment
        return self._segment

    @property
    def bytes(self) -> int:
        """The object's size."""
        return self.meta.ref.bytes

    def open(self) -> None:
        """Map the segment now. Raises Corruption."""
        assert self.segment is not None

    def column(self, name: str, batch: int) -> pa.Array | None:
        segment = self.segment
        return segment.column(name, batch) if name in self._names else None

    def has(self, name: str) -> bool:
        self.open()
        return name in self._names

    def zone_map(self, name: str) -> ZoneMap | None:
        return self.segment.zone_map(name)

    def batch_bytes(self, name: str, batch: int) -> int:
        column = self.column(name, batch)
        return 0 if column is None else int(column.nbytes)
