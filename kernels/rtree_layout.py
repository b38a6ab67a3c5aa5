"""How a packed R-tree lies in memory and on disk: four arrays, no pointers.

    header  int64[4]          version, rows the tree was built from, entries, boxes per leaf (L)
    leaves  float64[M, 3, L]  the points of leaf m: x, y, z; or, where boxes have an extent,
            float64[M, 6, L]  min x, y, z, max x, y, z
    rows    int32[M, L]       the row of each entry, -1 where a leaf is not full
    nodes   float32[I, 6, 16] the boxes of inner node i's children, rounded outwards

Leaves hold L entries each, only the last may have fewer; their free places are NaN, as are those of
the last node of a level. Nodes are stored level by level, from the lowest, whose node i has leaves
16i to 16i + 15 as children, up to the root, the last one. A tree of one leaf has no nodes, an empty
one no leaves. Everything is as large as it was built: 28 bytes an entry and 24 bytes a leaf for
points, 52 for boxes.

Child boxes are float32 because they are what a search reads most; rounded outwards they only ever
let a search look at too much. Whether an entry is an answer is decided in float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
RowNumbers = npt.NDArray[np.int32]
Boxes32 = npt.NDArray[np.float32]

VERSION = 1
#: boxes compared at a time
BLOCK = 16
#: children of an inner node: one block
FAN_OUT = 16
LANE_BYTES = 4 * FAN_OUT
HALF_NODE_BYTES = 3 * LANE_BYTES
NODE_BYTES = 2 * HALF_NODE_BYTES
#: numbers of an entry that is a point, stored once, and of a box
POINT_SIDES, BOX_SIDES = 3, 6

#: a node in a search's stack: `level << LEVEL_BITS | index`, leaves are level 0
LEVEL_BITS = 40
INDEX_MASK = (1 << LEVEL_BITS) - 1
#: what a depth-first search can have put aside: 15 children on each of at most 8 levels, and one
STACK = 256
#: visited nodes between two looks at the cancel flag, less one: a power of two less one
PATIENCE = 1023
#: rows are int32
ROWS_MAX = (1 << 31) - 1

#: places in a frame
HEIGHT, LEAF_SIZE, LEAF_BYTES, HIGH_BYTES, ENTRIES, LEAVES, ROWS, NODES, LEVELS = range(9)


def level_sizes(leaves: int) -> list[int]:
    """How many nodes each level has, leaves first, the root last."""
    sizes = [leaves]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // FAN_OUT))
    return sizes


def level_starts(leaves: int) -> list[int]:
    """The number of the first node of each level; leaves are counted apart, so the first two are
    both 0."""
    starts, total = [0], 0
    for size in level_sizes(leaves)[1:]:
        starts.append(total)
        total += size
    return starts


def check(header: Integers, leaves: Floats, rows: RowNumbers, nodes: Boxes32) -> None:
    """ValueError unless the arrays are as large as the header says, which searches rely on: they
    look at no bounds."""
    version, row_count, entries, size = header.tolist()
    if version != VERSION or not 0 <= entries <= row_count or size < 1 or size % BLOCK:
        raise ValueError(f"no header of an R-tree: {header}")
    count = -(-entries // size)
    sides = POINT_SIDES if leaves.shape[1] == POINT_SIDES else BOX_SIDES
    inner = sum(level_sizes(count)[1:])
    for name, array, kind, shape in (
        ("leaves", leaves, np.float64, (count, sides, size)),
        ("rows", rows, np.int32, (count, size)),
        ("nodes", nodes, np.float32, (inner, 6, FAN_OUT)),
    ):
        if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"{name} of an R-tree: {array.dtype}{array.shape} for {shape}")


def frame(entries: int, leaves: Floats, rows: RowNumbers, nodes: Boxes32) -> Integers:
    """int64[LEVELS + height + 1]: all that a compiled search is told of a tree: its height (0: the
    root is a leaf), sizes, addresses, and where levels start. Valid as long as the arrays live."""
    count, sides, size = leaves.shape
    starts = level_starts(count)
    high = 0 if sides == POINT_SIDES else leaves.itemsize * size * 3
    numbers = [len(starts) - 1, size, leaves.itemsize * size * sides, high, entries]
    addresses = [a.__array_interface__["data"][0] for a in (leaves, rows, nodes)]
    return np.array([*numbers, *addresses, *starts], np.int64)


def nodes_over(low: Floats, high: Floats) -> Boxes32:
    """float32[I, 6, 16]: all levels over leaves with the corners float64[M, 3] `low` and `high`."""
    corners = np.concatenate((_outward(low, -np.inf), _outward(high, np.inf)), axis=1)
    levels = [np.empty((0, 6, FAN_OUT), np.float32)]
    while len(corners) > 1:
        count = -(-len(corners) // FAN_OUT)
        padded = np.full((count * FAN_OUT, 6), np.nan, np.float32)
        padded[: len(corners)] = corners
        level = padded.reshape(count, FAN_OUT, 6).transpose(0, 2, 1)
        levels.append(level)
        low, high = np.fmin.reduce(level[:, :3], axis=2), np.fmax.reduce(level[:, 3:], axis=2)
        corners = np.concatenate((low, high), axis=1)
    return np.concatenate(levels)


def _outward(values: Floats, towards: float) -> Boxes32:
    """Rounded to float32, never to the inner side."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(np.float32)
        inside = rounded > values if towards < 0 else rounded < values
        return np.where(inside, np.nextafter(rounded, np.float32(towards)), rounded)


def squared_bound(distance: float) -> float:
    """A number that no square is above whose root is `distance` or less. Searches compare squares
    with it first; the roots of the few that pass decide, as they would in a scan."""
    return distance * distance * (1.0 + 2.0**-50) + 2e-323
