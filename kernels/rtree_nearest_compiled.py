"""Nearest entries of an R-tree, compiled: depth first, the nearest child first.

A subtree is entered unless its box is farther than the k-th best so far (N. Roussopoulos, S. Kelley
and F. Vincent, Nearest Neighbor Queries, SIGMOD 1995). The best are a heap with the worst on top,
by (distance, row): among equal distances the lowest rows win, as when everything is sorted.
Comparisons of squares let a little too much through, the distances themselves decide.
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
    HEIGHT,
    INDEX_MASK,
    LEAF_SIZE,
    LEVEL_BITS,
    PATIENCE,
    ROWS,
    STACK,
)
from hartonomous.kernels.rtree_nodes_compiled import bound_of, children_near, entries_near


@numba.njit(**OPTIONS)
def _sink(distances, rows, base, size, place, distance, row):  # type: ignore[no-untyped-def]
    """Put (distance, row) where `place` is free, or below it, so that the worst stays on top."""
    child = 2 * place + 1
    while child < size:
        a, b = distances[base + child], rows[base + child]
        if child + 1 < size:
            c, d = distances[base + child + 1], rows[base + child + 1]
            if c > a or (c == a and d > b):
                a, b = c, d
                child += 1
        if not (a > distance or (a == distance and b > row)):
            break
        distances[base + place], rows[base + place] = a, b
        place = child
        child = 2 * place + 1
    distances[base + place], rows[base + place] = distance, row


@numba.njit(**OPTIONS)
def _rise(distances, rows, base, place, distance, row):  # type: ignore[no-untyped-def]
    """Put (distance, row) into the free last place, or above it."""
    while place > 0:
        parent = (place - 1) // 2
        a, b = distances[base + parent], rows[base + parent]
        if not (distance > a or (distance == a and row > b)):
            break
        distances[base + place], rows[base + place] = a, b
        place = parent
    distances[base + place], rows[base + place] = distance, row


@numba.njit(**OPTIONS)
def _sort(distances, rows, base, size):  # type: ignore[no-untyped-def]
    """Turn the heap into ascending order."""
    while size > 1:
        size -= 1
        distance, row = distances[base + size], rows[base + size]
        distances[base + size], rows[base + size] = distances[base], rows[base]
        _sink(distances, rows, base, size, np.int64(0), distance, row)


@numba.njit(**OPTIONS)
def _search(  # type: ignore[no-untyped-def]
    frame, x, y, z, k, limit, keep, cancel, distances, rows, base, bounds, nodes, scratch
):
    """The (up to) k nearest entries no farther than `limit` into distances and rows from `base` on,
    sorted. -> (how many, nodes visited)."""
    size, row_numbers, out = frame[LEAF_SIZE], frame[ROWS], address_of(scratch)
    bound, zero = bound_of(limit), np.int64(0)
    count, visited = zero, 0
    if not (limit >= 0.0 and x - x == 0.0 and y - y == 0.0 and z - z == 0.0):
        return count, visited  # inf - inf is NaN
    bounds[0], nodes[0], depth = 0.0, frame[HEIGHT] << LEVEL_BITS, 1
    while depth:
        depth -= 1
        if bounds[depth] > bound:
            continue
        visited += 1
        if visited & PATIENCE == 0 and cancel != 0 and read_shared_byte(cancel):
            break
        level, index = nodes[depth] >> LEVEL_BITS, nodes[depth] & INDEX_MASK
        if level:
            bits = children_near(frame, level, index, x, y, z, bound, out)
            child = (level - 1) << LEVEL_BITS | index * FAN_OUT
            start = depth
            while bits:
                lane = first_bit(bits)
                bits &= bits - 1
                near = scratch[lane]
                place = depth
                if count == k:
                    while place > start and bounds[place - 1] < near:
                        bounds[place], nodes[place] = bounds[place - 1], nodes[place - 1]
                        place -= 1
                elif depth > start and bounds[depth - 1] < near:
                    bounds[place], nodes[place] = bounds[place - 1], nodes[place - 1]
                    place -= 1
                bounds[place], nodes[place] = near, child + lane
                depth += 1
            continue
        for first in range(0, size, BLOCK):
            bits = entries_near(frame, index, first, x, y, z, bound, out)
            while bits:
                lane = first_bit(bits)
                bits &= bits - 1
                square = scratch[lane]
                if square > bound:
                    continue
                row = read_int32(row_numbers, index * size + first + lane)
                distance = np.sqrt(square)
                if keep != 0 and not read_byte(keep, row):
                    continue
                if count < k:
                    if distance > limit:
                        continue
                    _rise(distances, rows, base, count, distance, row)
                    count += 1
                elif distance < limit or (distance == limit and row < rows[base]):
                    _sink(distances, rows, base, k, zero, distance, row)
                else:
                    continue
                if count == k:
                    limit = distances[base]
                    bound = bound_of(limit)
    _sort(distances, rows, base, count)
    return count, visited


@numba.njit(**OPTIONS)
def nearest(  # type: ignore[no-untyped-def]
    frame, x, y, z, limit, keep, cancel, distances, rows
):
    """One search for as many as `distances` has places. -> (how many, nodes visited)."""
    bounds, nodes = np.empty(STACK, np.float64), np.empty(STACK, np.int64)
    scratch = np.empty(BLOCK, np.float64)
    k, base = len(distances), np.int64(0)  # a plain 0 is a type of its own, and compiled for
    return _search(
        frame, x, y, z, k, limit, keep, cancel, distances, rows, base, bounds, nodes, scratch
    )


@numba.njit(**OPTIONS)
def nearest_of_each(  # type: ignore[no-untyped-def]
    frame, centers, limits, order, first, last, keep, cancel, k, distances, rows
):
    """The queries order[first:last] of float64[Q, 3] centers and float64[Q] limits, each into its
    k places of float64[Q k] distances and int64[Q k] rows. -> nodes visited."""
    bounds, nodes = np.empty(STACK, np.float64), np.empty(STACK, np.int64)
    scratch = np.empty(BLOCK, np.float64)
    total = 0
    for i in range(first, last):
        query = order[i]
        x, y, z = centers[query, 0], centers[query, 1], centers[query, 2]
        base = query * k
        _, visited = _search(
            frame, x, y, z, k, limits[query], keep, cancel,
            distances, rows, base, bounds, nodes, scratch,
        )  # fmt: skip
        total += visited
        if cancel != 0 and i & 255 == 0 and read_shared_byte(cancel):
            break
    return total
