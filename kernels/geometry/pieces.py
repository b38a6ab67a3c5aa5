"""Cores taken apart into convex pieces, with a tree of boxes over each.

    value i:     pieces starts[i] … starts[i + 1]; none: it is empty
    piece p:     the convex hull of coords[corner[first[p] : first[p] + width[p]]]: a point, a
                 segment, a triangle, or more corners where the value is a HULL
    box tree:    over a value's m pieces there are 2 m - 1 nodes, from boxes[2 * starts[i]] on.
                 A node over pieces lo … hi of one piece is a leaf; else mid = (lo + hi) // 2, its
                 left child (lo … mid) is the next node, its right one lies 2 * (mid - lo) behind.

Pieces are put in the order of the tree: each node is cut at the median along its longest side.
Estimate: 130 bytes a piece, O(m log m) of time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, fixed, inner, run
from hartonomous.kernels.geometry.layout import (
    HULL,
    LINESTRING,
    POLYGON,
    Numbers,
    Offsets,
    Shapes,
)
from hartonomous.kernels.geometry.triangulate import estimate as triangulation
from hartonomous.kernels.geometry.triangulate import triangulate

#: nodes of a tree that wait at most: one sibling a level
DEPTH = 64


class Pieces(NamedTuple):
    """The pieces of N values; goes into compiled code as it is."""

    starts: Offsets  # int64[N + 1]
    first: Offsets  # int64[P]
    width: Offsets  # int64[P]
    corner: Offsets  # int64[C] into coords
    coords: Numbers  # float64[M, 3]
    boxes: Numbers  # float64[2 P, 6]: least x, y, z, largest x, y, z
    largest: Numbers  # float64[N]: the largest absolute coordinate, 0 of an empty value


def pieces_of(shapes: Shapes) -> Pieces:
    """The pieces of every value; copies no coordinates."""
    rings = (fixed(shapes.ring_starts), fixed(shapes.rings))
    places = (fixed(shapes.coord_starts), fixed(shapes.coords))
    made = run(_build, estimate(shapes), fixed(shapes.kind), *rings, *places)
    starts, first, width, corner, boxes, largest = made
    return Pieces(starts, first, width, corner, places[1], boxes, largest)


def estimate(shapes: Shapes) -> float:
    """Seconds that Python would take to build the pieces."""
    counts = shapes.num_points
    levels = 2.0 + np.log2(np.maximum(counts, 1))
    return float(2.5e-5 * (counts * levels).sum()) + triangulation(counts[shapes.kind == POLYGON])


@entry
def _build(kind, ring_starts, rings, coord_starts, coords):  # type: ignore[no-untyped-def]
    values = len(kind)
    pieces = corners = largest_polygon = 0
    for i in range(values):
        points = coord_starts[i + 1] - coord_starts[i]
        n, c = _room(kind[i], points, ring_starts[i + 1] - ring_starts[i])
        pieces, corners = pieces + n, corners + c
        if kind[i] == POLYGON:
            largest_polygon = max(largest_polygon, n)
    starts, largest = np.empty(values + 1, np.int64), np.empty(values, np.float64)
    first, width = np.empty(pieces, np.int64), np.empty(pieces, np.int64)
    corner = np.empty(corners, np.int64)
    triangles = np.empty((largest_polygon, 3), np.int64)
    p = c = 0
    for i in range(values):
        starts[i] = p
        low, high = coord_starts[i], coord_starts[i + 1]
        largest[i] = _largest(coords, low, high)
        if low == high:
            continue
        made = 0
        if kind[i] == POLYGON:
            made = triangulate(
                coords, low, high, rings, ring_starts[i], ring_starts[i + 1], triangles
            )
        p, c = _write(kind[i], low, high, triangles, made, first, width, corner, p, c)
    starts[values] = p
    boxes = np.empty((2 * p, 6), np.float64)
    waiting = np.empty((DEPTH, 3), np.int64)
    for i in range(values):
        _arrange(starts[i], starts[i + 1], first, width, corner, coords, boxes, waiting)
    return starts, first[:p], width[:p], corner[:c], boxes, largest


@inner
def _room(kind, points, rings):  # type: ignore[no-untyped-def]
    """(pieces, corners) that a value has at most."""
    if points == 0:
        return 0, 0
    if kind == POLYGON:
        most = points + 2 * rings
        return most, 3 * most
    if kind == HULL:
        return 1, points
    if kind == LINESTRING and points > 1:
        return points - 1, 2 * (points - 1)
    return points, points


@inner
def _largest(coords, low, high):  # type: ignore[no-untyped-def]
    largest = 0.0
    for k in range(low, high):
        for i in range(3):
            largest = max(largest, abs(coords[k, i]))
    return largest


@inner
def _write(kind, low, high, triangles, made, first, width, corner, p, c):  # type: ignore[no-untyped-def]
    """The pieces of one value, from place p on, their corners from c on; the places behind."""
    if kind == POLYGON:
        each, number = 3, made
    elif kind == HULL:
        each, number = high - low, 1
    elif kind == LINESTRING and high - low > 1:
        each, number = 2, high - low - 1
    else:
        each, number = 1, high - low
    for k in range(number):
        first[p], width[p] = c, each
        for j in range(each):
            corner[c] = triangles[k, j] if kind == POLYGON else low + k + j
            c += 1
        p += 1
    return p, c


@inner
def _arrange(start, end, first, width, corner, coords, boxes, waiting):  # type: ignore[no-untyped-def]
    """Orders the pieces start … end and writes the boxes of their tree."""
    if start == end:
        return
    _wait(waiting, 0, 2 * start, start, end)
    top = 1
    while top:
        top -= 1
        node, low, high = waiting[top, 0], waiting[top, 1], waiting[top, 2]
        _write_box(low, high, first, width, corner, coords, boxes, node)
        if high - low == 1:
            continue
        middle = (low + high) // 2
        if high - low > 2:
            axis = 0
            for i in range(1, 3):
                if _side(boxes, node, i) > _side(boxes, node, axis):
                    axis = i
            _select(low, high, middle, axis, first, width, corner, coords)
        _wait(waiting, top, node + 2 * (middle - low), middle, high)
        _wait(waiting, top + 1, node + 1, low, middle)
        top += 2


@inner
def _wait(waiting, top, node, low, high):  # type: ignore[no-untyped-def]
    waiting[top, 0], waiting[top, 1], waiting[top, 2] = node, low, high


@inner
def _side(boxes, node, axis):  # type: ignore[no-untyped-def]
    return boxes[node, axis + 3] * 0.5 - boxes[node, axis] * 0.5


@inner
def _write_box(low, high, first, width, corner, coords, boxes, node):  # type: ignore[no-untyped-def]
    for i in range(3):
        boxes[node, i], boxes[node, i + 3] = np.inf, -np.inf
    for p in range(low, high):
        for k in range(first[p], first[p] + width[p]):
            for i in range(3):
                x = coords[corner[k], i]
                boxes[node, i] = min(boxes[node, i], x)
                boxes[node, i + 3] = max(boxes[node, i + 3], x)


@inner
def _key(p, axis, first, width, corner, coords):  # type: ignore[no-untyped-def]
    """Where a piece lies along an axis: the mean of its first and last corner."""
    a, b = corner[first[p]], corner[first[p] + width[p] - 1]
    return coords[a, axis] * 0.5 + coords[b, axis] * 0.5


@inner
def _select(low, high, middle, axis, first, width, corner, coords):  # type: ignore[no-untyped-def]
    """Moves pieces so that those before `middle` have keys no larger than those from it on
    (Hoare's selection, pivots from the middle of what is left)."""
    high -= 1
    while low < high:
        pivot = _key((low + high) // 2, axis, first, width, corner, coords)
        i, j = low, high
        while i <= j:
            while _key(i, axis, first, width, corner, coords) < pivot:
                i += 1
            while _key(j, axis, first, width, corner, coords) > pivot:
                j -= 1
            if i <= j:
                first[i], first[j] = first[j], first[i]
                width[i], width[j] = width[j], width[i]
                i, j = i + 1, j - 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return
