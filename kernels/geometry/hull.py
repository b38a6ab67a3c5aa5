"""Convex hulls in three dimensions.

    hulls(coord_starts, coords) -> kind, number of points, points and centroid of each value's hull

Coordinates are rounded to whole numbers of 2**-52 of the largest (a power of two above it), about
which quickhull.py decides exactly. What is no more than `TOLERANCE` of the largest coordinate
outside of the hull so far is left out: rounding noise on a face does not make vertices, and points
as flat as that give a POLYGON, LINESTRING or POINT.
"""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, inner
from hartonomous.kernels.geometry.exact import is_before, sort
from hartonomous.kernels.geometry.layout import HULL, LINESTRING, POINT, POLYGON, Shapes
from hartonomous.kernels.geometry.polygon_hull import polygon_hull
from hartonomous.kernels.geometry.quickhull import (
    ALIVE,
    CORNER,
    GRID_BITS,
    STATE,
    first_corners,
    surface,
)

#: of the largest coordinate: HQL's tolerance of comparisons
TOLERANCE = 1e-12


def estimate(shapes: Shapes) -> float:
    """Seconds that Python would take over the hulls of all values."""
    return 4e-4 * int(shapes.num_points.sum())


@inner
def _corners(facets, used, count, kept):  # type: ignore[no-untyped-def]
    """Writes which of `count` points are corners of facets into `kept`; returns their number."""
    is_corner = np.zeros(count, np.bool_)
    for f in range(used):
        if facets[f, STATE] == ALIVE:
            for i in range(3):
                is_corner[facets[f, CORNER + i]] = True
    size = 0
    for p in range(count):
        if is_corner[p]:
            kept[size] = p
            size += 1
    return size


@inner
def _solid_centroid(grid, facets, used, origin, centroid):  # type: ignore[no-untyped-def]
    """The mean of the tetrahedra from point `origin` to the facets, by volume."""
    total = 0.0
    corner = np.empty((3, 3))
    for i in range(3):
        centroid[i] = 0.0
    for f in range(used):
        if facets[f, STATE] != ALIVE:
            continue
        for k in range(3):
            for i in range(3):
                corner[k, i] = grid[facets[f, k], i] - grid[origin, i]
        volume = 0.0
        for i in range(3):
            u, v = (i + 1) % 3, (i + 2) % 3
            volume += corner[0, i] * (corner[1, u] * corner[2, v] - corner[1, v] * corner[2, u])
        total += volume
        for i in range(3):
            centroid[i] += volume * (corner[0, i] + corner[1, i] + corner[2, i]) * 0.25
    for i in range(3):
        centroid[i] = grid[origin, i] + centroid[i] / total


@inner
def _hull(points, grid, kept, centroid):  # type: ignore[no-untyped-def]
    """(kind, how many rows of points were written to `kept`) of one value; a ring's first point is
    not repeated. The centroid is in units of the grid."""
    count, largest, lowest = len(grid), 0.0, 0
    for p in range(count):
        kept[p] = p
        if is_before(points, p, lowest):
            lowest = p
        for i in range(3):
            largest = max(largest, abs(grid[p, i]))
    allowed = TOLERANCE * largest
    dimension, corners = first_corners(grid, allowed)
    if dimension == 3:
        facets, used = surface(grid, corners, allowed)
        _solid_centroid(grid, facets, used, corners[0], centroid)
        size = _corners(facets, used, count, kept)
        sort(points, kept[:size])
        return HULL, size
    if dimension == 2:
        size = polygon_hull(grid, corners, allowed, points, kept, centroid)
        if size > 2:
            return POLYGON, size
    kept[0] = lowest
    a, b = corners[0], corners[1]
    if dimension == 0:
        a = b = lowest
    for i in range(3):
        centroid[i] = grid[a, i] + 0.5 * (grid[b, i] - grid[a, i])
    if dimension == 0:
        return POINT, 1
    if is_before(points, b, a):
        a, b = b, a
    kept[0], kept[1] = a, b
    return LINESTRING, 2


@entry
def hulls(coord_starts, coords, kinds, counts, out, centroids):  # type: ignore[no-untyped-def]
    """For every value: kind (0: empty), number of points, points one after another in `out`, and
    centroid. Returns how many points were written; `out` has a row for each point and value."""
    written = 0
    for row in range(len(kinds)):
        first, last = coord_starts[row], coord_starts[row + 1]
        kinds[row], counts[row] = 0, 0
        if first == last:
            continue
        largest = 0.0
        for k in range(first, last):
            for i in range(3):
                largest = max(largest, abs(coords[k, i]))
        _, exponent = math.frexp(largest)
        grid, kept = np.empty((last - first, 3)), np.empty(last - first, np.int64)
        for k in range(first, last):
            for i in range(3):
                grid[k - first, i] = np.rint(math.ldexp(coords[k, i], GRID_BITS - exponent))
        kind, size = _hull(coords[first:last], grid, kept, centroids[row])
        begin = written
        for k in range(size + 1):
            if k == size and kind != POLYGON:
                break
            for i in range(3):
                out[written, i] = coords[first + kept[k % size], i]
            written += 1
        for i in range(3):
            # NumPy's, as it may be infinite by rounding, which math's refuses
            centroids[row, i] = np.ldexp(centroids[row, i], exponent - GRID_BITS)
        if kind == POINT:  # as given, not as rounded to the grid
            for i in range(3):
                centroids[row, i] = out[begin, i]
        kinds[row], counts[row] = kind, written - begin
    return written
