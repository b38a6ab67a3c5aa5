"""Boxes and balls in an R-tree, compiled: one pass down, whatever may hold an answer is entered.

A subtree that lies in the box asked for is copied without looking at its entries.
"""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.rtree_lanes_compiled import (
    address_of,
    first_bit,
    read_int32,
    read_shared_byte,
)
from hartonomous.kernels.rtree_layout import (
    BLOCK,
    ENTRIES,
    FAN_OUT,
    HEIGHT,
    INDEX_MASK,
    LEAF_SIZE,
    LEVEL_BITS,
    PATIENCE,
    ROWS,
    STACK,
)
from hartonomous.kernels.rtree_nodes_compiled import (
    bound_of,
    children_meeting,
    children_near,
    entries_meeting,
    entries_near,
    put_aside,
)
from hartonomous.kernels.rtree_rows_compiled import DIGITS, sort_rows

_FIRST_ROOM = 64


@numba.njit(**OPTIONS)
def _room(found, count, more):  # type: ignore[no-untyped-def]
    """`found`, or a longer copy that has room for `more` behind the first `count`."""
    if count + more <= len(found):
        return found
    longer = np.empty(max(2 * len(found), count + more), np.int64)
    for i in range(count):
        longer[i] = found[i]
    return longer


@numba.njit(**OPTIONS)
def _all_below(frame, level, index, found, count):  # type: ignore[no-untyped-def]
    """Every entry of a subtree."""
    leaves = FAN_OUT**level
    size, entries = frame[LEAF_SIZE], frame[ENTRIES]
    start = index * leaves * size
    stop = min(start + leaves * size, entries)
    found = _room(found, count, stop - start)
    for place in range(start, stop):
        found[count] = read_int32(frame[ROWS], place)
        count += 1
    return found, count


@numba.njit(**OPTIONS)
def _box(frame, a, b, c, d, e, f, cancel, found, count, nodes):  # type: ignore[no-untyped-def]
    """The entries that meet the box from (a, b, c) to (d, e, f), behind `count` others in `found`.
    -> (found, count, nodes visited)."""
    size = frame[LEAF_SIZE]
    nodes[0], depth, visited = frame[HEIGHT] << LEVEL_BITS, 1, 0
    while depth:
        depth -= 1
        visited += 1
        if visited & PATIENCE == 0 and cancel != 0 and read_shared_byte(cancel):
            break
        level, index = nodes[depth] >> LEVEL_BITS, nodes[depth] & INDEX_MASK
        if level:
            bits, whole = children_meeting(frame, level, index, a, b, c, d, e, f)
            bits ^= whole
            while whole:
                child = index * FAN_OUT + first_bit(whole)
                whole &= whole - 1
                found, count = _all_below(frame, level - 1, child, found, count)
            depth = put_aside(nodes, depth, level, index, bits)
            continue
        found = _room(found, count, size)
        for first in range(0, size, BLOCK):
            bits = entries_meeting(frame, index, first, a, b, c, d, e, f)
            while bits:
                place = index * size + first + first_bit(bits)
                bits &= bits - 1
                found[count] = read_int32(frame[ROWS], place)
                count += 1
    return found, count, visited


@numba.njit(**OPTIONS)
def _ball(  # type: ignore[no-untyped-def]
    frame, x, y, z, radius, cancel, found, count, nodes, scratch
):
    """The entries no farther than `radius` from (x, y, z). As _box."""
    if not (radius >= 0.0 and x - x == 0.0 and y - y == 0.0 and z - z == 0.0):
        return found, count, 0  # inf - inf is NaN
    size, out = frame[LEAF_SIZE], address_of(scratch)
    bound = bound_of(radius)
    nodes[0], depth, visited = frame[HEIGHT] << LEVEL_BITS, 1, 0
    while depth:
        depth -= 1
        visited += 1
        if visited & PATIENCE == 0 and cancel != 0 and read_shared_byte(cancel):
            break
        level, index = nodes[depth] >> LEVEL_BITS, nodes[depth] & INDEX_MASK
        if level:
            bits = children_near(frame, level, index, x, y, z, bound, out)
            depth = put_aside(nodes, depth, level, index, bits)
            continue
        found = _room(found, count, size)
        for first in range(0, size, BLOCK):
            bits = entries_near(frame, index, first, x, y, z, bound, out)
            while bits:
                lane = first_bit(bits)
                bits &= bits - 1
                if np.sqrt(scratch[lane]) <= radius:
                    place = index * size + first + lane
                    found[count] = read_int32(frame[ROWS], place)
                    count += 1
    return found, count, visited


@numba.njit(**OPTIONS)
def box(frame, a, b, c, d, e, f, cancel):  # type: ignore[no-untyped-def]
    """One box. -> (int64[K] rows in no order, nodes visited)."""
    found, nodes = np.empty(_FIRST_ROOM, np.int64), np.empty(STACK, np.int64)
    none = np.int64(0)  # a plain 0 is a type of its own: _box would be compiled twice
    found, count, visited = _box(frame, a, b, c, d, e, f, cancel, found, none, nodes)
    return found[:count], visited


@numba.njit(**OPTIONS)
def ball(frame, x, y, z, radius, cancel):  # type: ignore[no-untyped-def]
    """One ball. -> (int64[K] rows in no order, nodes visited)."""
    found, nodes = np.empty(_FIRST_ROOM, np.int64), np.empty(STACK, np.int64)
    scratch = np.empty(BLOCK, np.float64)
    none = np.int64(0)
    found, count, visited = _ball(frame, x, y, z, radius, cancel, found, none, nodes, scratch)
    return found[:count], visited


@numba.njit(**OPTIONS)
def boxes(  # type: ignore[no-untyped-def]
    frame, queries, order, first, last, row_count, cancel, counts
):
    """The boxes order[first:last] of float64[Q, 6]: how many rows each found goes into int64[Q]
    `counts`. -> (int64[K] rows, ascending for each query, nodes visited)."""
    found, nodes = np.empty(4 * _FIRST_ROOM, np.int64), np.empty(STACK, np.int64)
    spare, places = np.empty(0, np.int64), np.empty(DIGITS, np.int64)
    count, total = np.int64(0), 0
    for i in range(first, last):
        q, before = order[i], count
        a, b, c = queries[q, 0], queries[q, 1], queries[q, 2]
        d, e, f = queries[q, 3], queries[q, 4], queries[q, 5]
        found, count, visited = _box(frame, a, b, c, d, e, f, cancel, found, count, nodes)
        spare = sort_rows(found, before, count, row_count, spare, places)
        counts[q] = count - before
        total += visited
        if cancel != 0 and i & 255 == 0 and read_shared_byte(cancel):
            break
    return found[:count], total


@numba.njit(**OPTIONS)
def balls(  # type: ignore[no-untyped-def]
    frame, centers, radii, order, first, last, row_count, cancel, counts
):
    """The balls order[first:last] of float64[Q, 3] and float64[Q]. As boxes."""
    found, nodes = np.empty(4 * _FIRST_ROOM, np.int64), np.empty(STACK, np.int64)
    spare, places = np.empty(0, np.int64), np.empty(DIGITS, np.int64)
    scratch = np.empty(BLOCK, np.float64)
    count, total = np.int64(0), 0
    for i in range(first, last):
        q, before = order[i], count
        x, y, z = centers[q, 0], centers[q, 1], centers[q, 2]
        found, count, visited = _ball(
            frame, x, y, z, radii[q], cancel, found, count, nodes, scratch
        )
        spare = sort_rows(found, before, count, row_count, spare, places)
        counts[q] = count - before
        total += visited
        if cancel != 0 and i & 255 == 0 and read_shared_byte(cancel):
            break
    return found[:count], total
