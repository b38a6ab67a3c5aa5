"""The convex hull of points of one plane in space.

The plane is projected along the axis in which its normal is largest; the hull of the projection is
found exactly on the grid of hull.py by monotone chains (Andrew 1979), and what sticks out
by no more than the tolerance is left out, farthest points first, as in line simplification
(Ramer 1972; Douglas, Peucker 1973).
"""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import inner
from hartonomous.kernels.geometry.exact import determinant_sign, is_before, sort

#: of two products of differences below 2**53, each rounded, and their difference
_ROUNDING = 4.0 * 2.0**-53


@inner
def _turn(flat, a, b, c):  # type: ignore[no-untyped-def]
    """1 if a, b, c turn left, -1 if right, 0 on one line: exact."""
    px, py = flat[b, 0] - flat[a, 0], flat[b, 1] - flat[a, 1]
    qx, qy = flat[c, 0] - flat[a, 0], flat[c, 1] - flat[a, 1]
    left, right = px * qy, py * qx
    if abs(left - right) > _ROUNDING * (abs(left) + abs(right)):
        return 1 if left > right else -1
    rows = np.zeros((3, 3), np.int64)
    rows[0, 0], rows[0, 1] = np.int64(px), np.int64(py)
    rows[1, 0], rows[1, 1] = np.int64(qx), np.int64(qy)
    rows[2, 2] = 1
    return determinant_sign(rows)


@inner
def _chains(flat, ring):  # type: ignore[no-untyped-def]
    """The strictly extreme points anticlockwise into `ring`; returns their number."""
    count = len(flat)
    order = np.arange(count)
    sort(flat, order)
    size, floor = 0, 2
    for k in range(2 * count - 1):
        if k == count:
            floor = size + 1  # the lower chain stands; the upper one goes back over all points
        p = order[k] if k < count else order[2 * count - 2 - k]
        while size >= floor and _turn(flat, ring[size - 2], ring[size - 1], p) <= 0:
            size -= 1
        ring[size] = p
        size += 1
    return size - 1


@inner
def _across(flat, a, b, p):  # type: ignore[no-untyped-def]
    """The distance of p from the line through a and b."""
    x, y = flat[b, 0] - flat[a, 0], flat[b, 1] - flat[a, 1]
    u, v = flat[p, 0] - flat[a, 0], flat[p, 1] - flat[a, 1]
    return abs(x * v - y * u) / math.sqrt(x * x + y * y)


@inner
def _away(flat, ring, size, a):  # type: ignore[no-untyped-def]
    """The place in the ring that is farthest from place a."""
    best, reach = a, -1.0
    for k in range(size):
        x, y = flat[ring[k], 0] - flat[ring[a], 0], flat[ring[k], 1] - flat[ring[a], 1]
        if x * x + y * y > reach:
            best, reach = k, x * x + y * y
    return best


@inner
def _keep(flat, ring, size, start, kept, allowed):  # type: ignore[no-untyped-def]
    """Marks in `kept` the places of the ring that stay; `start` is one of them."""
    middle = _away(flat, ring, size, start)
    kept[start] = kept[middle] = True
    middle = middle if middle > start else middle + size
    stack = np.empty((size + 2, 2), np.int64)
    stack[0, 0], stack[0, 1] = start, middle
    stack[1, 0], stack[1, 1] = middle, start + size
    waiting = 2
    while waiting > 0:
        waiting -= 1
        low, high = stack[waiting, 0], stack[waiting, 1]
        best, reach = -1, allowed
        for k in range(low + 1, high):
            away = _across(flat, ring[low % size], ring[high % size], ring[k % size])
            if away > reach:
                best, reach = k, away
        if best >= 0:
            kept[best % size] = True
            stack[waiting, 0], stack[waiting, 1] = low, best
            stack[waiting + 1, 0], stack[waiting + 1, 1] = best, high
            waiting += 2


@inner
def _projected(grid, corners):  # type: ignore[no-untyped-def]
    """float64[n,3]: the points without the axis of the plane's normal, z = 0."""
    axis, most = 0, -1.0
    a, b, c = corners[0], corners[1], corners[2]
    for i in range(3):
        u, v = (i + 1) % 3, (i + 2) % 3
        size = (grid[b, u] - grid[a, u]) * (grid[c, v] - grid[a, v])
        size -= (grid[b, v] - grid[a, v]) * (grid[c, u] - grid[a, u])
        if abs(size) > most:
            axis, most = i, abs(size)
    flat = np.zeros((len(grid), 3))
    for p in range(len(grid)):
        flat[p, 0], flat[p, 1] = grid[p, (axis + 1) % 3], grid[p, (axis + 2) % 3]
    return flat


@inner
def polygon_hull(grid, corners, allowed, points, kept_rows, centroid):  # type: ignore[no-untyped-def]
    """Writes rows of the hull's points into `kept_rows`, anticlockwise seen from the positive side
    of the axis, the first in the order of `points` first; returns their number. The first three
    `corners` span the plane. The centroid by area, in units of the grid."""
    flat = _projected(grid, corners)
    ring = np.empty(2 * len(grid), np.int64)
    size = _chains(flat, ring)
    kept = np.zeros(size, np.bool_)
    _keep(flat, ring, size, _away(flat, ring, size, 0), kept, allowed)
    lowest = -1
    for k in range(size):
        if kept[k] and (lowest < 0 or is_before(points, ring[k], ring[lowest])):
            lowest = k
    count = 0
    for k in range(lowest, lowest + size):
        if kept[k % size]:
            kept_rows[count] = ring[k % size]
            count += 1
    _polygon_centroid(grid, flat, kept_rows, count, centroid)
    return count


@inner
def _polygon_centroid(grid, flat, ring, size, centroid):  # type: ignore[no-untyped-def]
    first, total = ring[0], 0.0
    for i in range(3):
        centroid[i] = 0.0
    for k in range(1, size - 1):
        p, q = ring[k], ring[k + 1]
        area = (flat[p, 0] - flat[first, 0]) * (flat[q, 1] - flat[first, 1])
        area -= (flat[p, 1] - flat[first, 1]) * (flat[q, 0] - flat[first, 0])
        total += area
        for i in range(3):
            away = (grid[p, i] - grid[first, i]) + (grid[q, i] - grid[first, i])
            centroid[i] += area / 3.0 * away
    for i in range(3):
        if total != 0.0:
            centroid[i] /= total
        centroid[i] += grid[first, i]
