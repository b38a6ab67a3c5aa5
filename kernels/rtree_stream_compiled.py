"""Entries of an R-tree one after the other, nearest first, compiled: a search that can be resumed.

One heap holds nodes and entries by their distance; whatever is on top is next: an entry is handed
out, a node is replaced by what it holds (G. Hjaltason and H. Samet, Distance Browsing in Spatial
Databases, TODS 1999). Nothing is read that is not needed for the entries asked for.
"""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.rtree_lanes_compiled import (
    address_of,
    first_bit,
    read_byte,
    read_int32,
    read_shared_byte,
)
from hartonomous.kernels.rtree_layout import (
    BLOCK,
    FAN_OUT,
    INDEX_MASK,
    LEAF_SIZE,
    LEVEL_BITS,
    PATIENCE,
    ROWS,
)
from hartonomous.kernels.rtree_nodes_compiled import bound_of, children_near, entries_near


@numba.njit(**OPTIONS)
def _push(distances, items, size, distance, item):  # type: ignore[no-untyped-def]
    """Into a heap of `size` with the least (distance, item) on top."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        a, b = distances[parent], items[parent]
        if not (distance < a or (distance == a and item < b)):
            break
        distances[place], items[place] = a, b
        place = parent
    distances[place], items[place] = distance, item


@numba.njit(**OPTIONS)
def _drop(distances, items, size):  # type: ignore[no-untyped-def]
    """Take the top out of a heap that has `size` left then."""
    distance, item = distances[size], items[size]
    place, child = 0, 1
    while child < size:
        if child + 1 < size and (
            distances[child + 1] < distances[child]
            or (distances[child + 1] == distances[child] and items[child + 1] < items[child])
        ):
            child += 1
        a, b = distances[child], items[child]
        if not (a < distance or (a == distance and b < item)):
            break
        distances[place], items[place] = a, b
        place = child
        child = 2 * place + 1
    distances[place], items[place] = distance, item


@numba.njit(**OPTIONS)
def _open(  # type: ignore[no-untyped-def]
    frame, level, index, x, y, z, limit, keep, distances, items, size, scratch
):
    """Put what a node holds into the heap, no farther than `limit`; returns the heap's size."""
    out, bound = address_of(scratch), bound_of(limit)
    if level:
        bits = children_near(frame, level, index, x, y, z, bound, out)
        while bits:
            lane = first_bit(bits)
            bits &= bits - 1
            child = (level - 1) << LEVEL_BITS | (index * FAN_OUT + lane)
            _push(distances, items, size, np.sqrt(scratch[lane]), -1 - child)
            size += 1
        return size
    leaf_size = frame[LEAF_SIZE]
    for first in range(0, leaf_size, BLOCK):
        bits = entries_near(frame, index, first, x, y, z, bound, out)
        while bits:
            lane = first_bit(bits)
            bits &= bits - 1
            distance = np.sqrt(scratch[lane])
            row = read_int32(frame[ROWS], index * leaf_size + first + lane)
            if distance <= limit and (keep == 0 or read_byte(keep, row)):
                _push(distances, items, size, distance, row)
                size += 1
    return size


@numba.njit(**OPTIONS)
def advance(  # type: ignore[no-untyped-def]
    frame, x, y, z, limit, keep, cancel, distances, items, size, out_distances, out_rows, count
):
    """Fill the outputs from place `count` on. `distances` and `items` are the heap: an entry's item
    is its row, a node's is -1 - (level, index), so that at one distance nodes are opened before
    entries are handed out and entries come by row.
    -> (how many are filled now, the heap's size, nodes visited, whether it stopped because the heap
    may have no room for one more node's)."""
    scratch = np.empty(BLOCK, np.float64)
    most, visited = max(FAN_OUT, frame[LEAF_SIZE]), 0
    while count < len(out_rows) and size:
        if size + most > len(items):
            return count, size, visited, True
        distance, item = distances[0], items[0]
        size -= 1
        _drop(distances, items, size)
        if item >= 0:
            out_distances[count], out_rows[count] = distance, item
            count += 1
            continue
        visited += 1
        if visited & PATIENCE == 0 and cancel != 0 and read_shared_byte(cancel):
            break
        level, index = (-1 - item) >> LEVEL_BITS, (-1 - item) & INDEX_MASK
        size = _open(frame, level, index, x, y, z, limit, keep, distances, items, size, scratch)
    return count, size, visited, False
