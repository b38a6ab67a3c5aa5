"""USING RTREE: the boxes of geometries in a packed R-tree (kernels/rtree.py), one for each chunk.

A geometry's box is that of its coordinates, grown by its radius and by one unit in the last place,
so that rounding never makes it too small. NULL and empty geometries have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.access.base import (
    NEAREST,
    OVERLAP,
    Floats,
    IndexedRows,
    IndexPart,
    Int64,
)

if TYPE_CHECKING:
    from hartonomous.kernels.rtree import Tree


class BoxTree:
    """The part of an R-tree index over one chunk."""

    __slots__ = ("_scale", "missing", "tree")

    def __init__(self, tree: Tree, missing: Int64, scale: float) -> None:
        self.tree, self.missing, self._scale = tree, missing, scale

    @property
    def scale(self) -> float:
        return self._scale

    @property
    def bytes(self) -> int:
        return sum(int(a.nbytes) for a in self.arrays().values())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            **self.tree.arrays(),
            "missing": self.missing.astype("<i4"),
            "scale": np.array([self._scale]),
        }

    def overlapping(self, boxes: Floats) -> tuple[Int64, Int64, int]:
        visited = np.zeros(1, np.int64)
        if len(boxes) == 1:
            rows = self.tree.search_box(boxes[0], visited=visited)
            return np.array([0, len(rows)]), rows, int(visited[0])
        starts, rows = self.tree.search_boxes(boxes, visited=visited)
        return starts, rows, int(visited[0])

    def nearest(
        self, centers: Floats, count: int, keep: npt.NDArray[np.bool_] | None
    ) -> tuple[Int64, Int64, int]:
        visited = np.zeros(1, np.int64)
        if len(centers) == 1:
            _, rows = self.tree.nearest(centers[0], count, keep=keep, visited=visited)
            return np.array([0, len(rows)]), rows, int(visited[0])
        _, found = self.tree.nearest_of_each(centers, count, keep=keep, visited=visited)
        filled = found >= 0
        starts = np.concatenate(([0], np.cumsum(filled.sum(axis=1))))
        return starts, found[filled], int(visited[0])


class RTree:
    name = "RTREE"
    capabilities = frozenset({OVERLAP, NEAREST})
    columns_max = 1
    takes = "it takes a GEOMETRY column"

    def accepts(self, type_: pa.DataType) -> bool:
        return bool(pa.types.is_struct(type_) and type_.get_field_index("coords") >= 0)

    def build(self, rows: IndexedRows) -> BoxTree:
        from hartonomous.kernels.rtree import build

        boxes = np.full((rows.count, 6), np.nan)
        start = 0
        for batch in rows.batches(0):
            boxes[start : start + len(batch)] = boxes_of(batch)
            start += len(batch)
        return BoxTree(build(boxes), *_around(boxes))

    def open(self, arrays: Mapping[str, npt.NDArray[Any]]) -> BoxTree:
        from hartonomous.kernels.rtree import Tree

        own = {n: a for n, a in arrays.items() if n not in ("missing", "scale")}
        missing = arrays["missing"].astype(np.int64)
        return BoxTree(Tree.from_arrays(own), missing, float(arrays["scale"][0]))

    def check(self, part: IndexPart, rows: IndexedRows) -> str | None:
        from hartonomous.kernels import rtree_check

        assert isinstance(part, BoxTree)
        boxes = np.concatenate([np.empty((0, 6)), *map(boxes_of, rows.batches(0))])
        missing, scale = _around(boxes)
        if not np.array_equal(part.missing, missing):
            return f"{len(part.missing)} rows without a box instead of {len(missing)}"
        if part.scale != scale:
            return f"coordinates up to {part.scale} instead of {scale}"
        return rtree_check.fault(part.tree) or rtree_check.difference(part.tree, boxes)


RTREE = RTree()


def _around(boxes: Floats) -> tuple[Int64, float]:
    """(rows that have no box, the largest coordinate by magnitude) of float64[N, 6]."""
    missing = np.flatnonzero(np.isnan(boxes[:, 0]))
    return missing, float(np.nanmax(np.abs(boxes))) if len(missing) < len(boxes) else 0.0


def boxes_of(geometries: pa.Array) -> Floats:
    """float64[N, 6]: min x, y, z, max x, y, z; NaN for NULL and empty geometries."""
    count = len(geometries)
    boxes = np.full((count, 6), np.nan)
    lists = geometries.field("coords")
    offsets = lists.offsets.to_numpy()
    lengths = np.diff(offsets)
    filled = lengths > 0
    if geometries.null_count:
        filled &= geometries.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(filled)
    if not len(rows):
        return boxes
    values = lists.values
    points = values.flatten().to_numpy().reshape(-1, 3)
    starts, ends = offsets[:-1][rows], offsets[1:][rows]
    if (lengths[rows] == 1).all():
        low = high = points[starts]
    else:
        # reduceat over (start, end) pairs: every second result is a value's own
        cuts = np.stack((starts, ends), axis=1).reshape(-1)
        padded = np.concatenate((points, np.zeros((1, 3))))
        low = np.minimum.reduceat(padded, cuts, axis=0)[::2]
        high = np.maximum.reduceat(padded, cuts, axis=0)[::2]
    radius = geometries.field("radius").to_numpy(zero_copy_only=False)[rows]
    grown = radius > 0
    low, high = np.array(low), np.array(high)
    low[grown] = np.nextafter(low[grown] - radius[grown, None], -np.inf)
    high[grown] = np.nextafter(high[grown] + radius[grown, None], np.inf)
    boxes[rows, :3], boxes[rows, 3:] = low, high
    return boxes
