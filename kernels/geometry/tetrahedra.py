"""Hulls cut into simplices.

Where a piece must have four corners at most (cells of hausdorff.py), a hull of more is the
union of the tetrahedra from one of its vertices to the facets of its surface; a flat one, within
rounding, of the triangles from one of its vertices, or it is a segment. Estimate: that of the hull.
"""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, inner, run
from hartonomous.kernels.geometry.hull import TOLERANCE
from hartonomous.kernels.geometry.pieces import Pieces
from hartonomous.kernels.geometry.polygon_hull import polygon_hull
from hartonomous.kernels.geometry.quickhull import (
    ALIVE,
    GRID_BITS,
    STATE,
    first_corners,
    surface,
)

#: corners that a piece may have
MOST = 4


def simplices_of(pieces: Pieces) -> Pieces:
    """The same cores in pieces of at most four corners. Their order is no longer that of the box
    trees, which stay those of `pieces`."""
    if not (pieces.width > MOST).any():
        return pieces
    starts, first, width, corner = run(
        _cut,
        estimate(pieces),
        pieces.starts,
        pieces.first,
        pieces.width,
        pieces.corner,
        pieces.coords,
    )
    return pieces._replace(starts=starts, first=first, width=width, corner=corner)


def estimate(pieces: Pieces) -> float:
    """Seconds that Python would take to cut all of them."""
    return 4e-4 * int(pieces.width.sum())


@entry
def _cut(starts, first, width, corner, coords):  # type: ignore[no-untyped-def]
    room = 0
    for p in range(len(first)):
        room += 2 * width[p] if width[p] > MOST else 1
    new_starts = np.empty(len(starts), np.int64)
    new_first, new_width = np.empty(room, np.int64), np.empty(room, np.int64)
    new_corner = np.empty(MOST * room, np.int64)
    n = c = 0
    for i in range(len(starts) - 1):
        new_starts[i] = n
        for p in range(starts[i], starts[i + 1]):
            begin, end = first[p], first[p] + width[p]
            if width[p] > MOST:
                made = _simplices(coords, corner, begin, end)
            else:
                made = corner[begin:end].copy().reshape(1, width[p])
            for k in range(len(made)):
                new_first[n], new_width[n] = c, made.shape[1]
                for m in range(made.shape[1]):
                    new_corner[c] = made[k, m]
                    c += 1
                n += 1
    new_starts[len(starts) - 1] = n
    return new_starts, new_first[:n], new_width[:n], new_corner[:c]


@inner
def _simplices(coords, corner, begin, end):  # type: ignore[no-untyped-def]
    """int64[K, 2 to 4]: rows of coords of each simplex."""
    count, largest = end - begin, 0.0
    points, grid = np.empty((count, 3)), np.empty((count, 3))
    for k in range(count):
        for i in range(3):
            points[k, i] = coords[corner[begin + k], i]
            largest = max(largest, abs(points[k, i]))
    exponent = math.frexp(largest)[1]
    for k in range(count):
        for i in range(3):
            grid[k, i] = np.rint(math.ldexp(points[k, i], GRID_BITS - exponent))
    allowed = TOLERANCE * math.ldexp(largest, GRID_BITS - exponent)
    dimension, corners = first_corners(grid, allowed)
    if dimension == 3:
        made = _fan_of_facets(grid, corners, allowed)
    elif dimension == 2:
        kept = np.empty(count, np.int64)
        size = polygon_hull(grid, corners, allowed, points, kept, np.empty(3))
        made = np.empty((max(size - 2, 1), 3), np.int64)
        for k in range(len(made)):
            made[k, 0], made[k, 1], made[k, 2] = kept[0], kept[k + 1], kept[(k + 2) % size]
    else:
        made = np.empty((1, 2), np.int64)
        made[0, 0], made[0, 1] = corners[0], corners[1]
    for k in range(len(made)):
        for m in range(made.shape[1]):
            made[k, m] = corner[begin + made[k, m]]
    return made


@inner
def _fan_of_facets(grid, corners, allowed):  # type: ignore[no-untyped-def]
    facets, used = surface(grid, corners, allowed)
    apex, count = -1, 0
    made = np.empty((used, 4), np.int64)
    for f in range(used):
        if facets[f, STATE] != ALIVE:
            continue
        if apex < 0:
            apex = facets[f, 0]
        if facets[f, 0] != apex and facets[f, 1] != apex and facets[f, 2] != apex:
            made[count, 0] = apex
            for m in range(3):
                made[count, m + 1] = facets[f, m]
            count += 1
    return made[:count]
