"""The surface of a convex hull in three dimensions, by quickhull.

    first_corners(grid, allowed) -> dimension, and four points that span the set
    surface(grid, corners, allowed) -> the facets of a solid hull

`grid` holds whole numbers up to 2**GRID_BITS, so that on which side of a facet a point lies can be
decided exactly: from the facet's plane where that is beyond doubt, else by exact.py. The surface is
therefore convex and closed whatever the points are. What is no more than `allowed` outside of the
hull so far is left out.

Quickhull (Barber, Dobkin, Huhdanpaa 1996): a tetrahedron; each point outside is kept with one facet
that it sees; the farthest of a facet replaces all facets it sees by a cone over their horizon. Of
points equally far within the tolerance the one farthest from the tetrahedron's first corner is
taken: it is an extreme point, others on that face need not be. Expected O(n log n).
"""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import inner
from hartonomous.kernels.geometry.exact import determinant_sign
from hartonomous.kernels.geometry.simplices import point_point

#: bits of the whole numbers that coordinates become
GRID_BITS = 52
#: what a distance may be off by, in units of the grid, and relative to the facet's worst slope
_DISTANCE_SLACK, _SPLIT = 64.0, 2.0**27 + 1.0

# columns of a facet: corners anticlockwise seen from outside; the facet beyond the edge from each
# corner to the next; first point outside; state
CORNER, _BEYOND, _HEAD, STATE, _FACET_COLUMNS = 0, 3, 6, 7, 8
_DEAD, ALIVE, _SEEN = 0, 1, 2


@inner
def _product(a, b):  # type: ignore[no-untyped-def]
    """(a * b rounded, what it lacks), Dekker 1971."""
    p = a * b
    c = _SPLIT * a
    ah = c - (c - a)
    al = a - ah
    c = _SPLIT * b
    bh = c - (c - b)
    bl = b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


@inner
def _minor(a, b, c, d):  # type: ignore[no-untyped-def]
    """a * b - c * d, to twice the precision before the last rounding."""
    p, p_rest = _product(a, b)
    q, q_rest = _product(c, d)
    s = p - q
    back = s - p
    rest = (p - (s - back)) - (q + back)
    return s + (rest + (p_rest - q_rest))


@inner
def _set_plane(grid, facet, plane):  # type: ignore[no-untyped-def]
    """plane: unit normal, outward, and what distances from it may be off by."""
    a, b, c = facet[CORNER], facet[CORNER + 1], facet[CORNER + 2]
    square, longest = 0.0, 0.0
    for i in range(3):
        u, v = (i + 1) % 3, (i + 2) % 3
        p, q = grid[b, u] - grid[a, u], grid[b, v] - grid[a, v]
        s, t = grid[c, u] - grid[a, u], grid[c, v] - grid[a, v]
        plane[i] = _minor(p, t, q, s)
        square += plane[i] * plane[i]
        longest = max(longest, abs(p * t), abs(q * s))
    size = math.sqrt(square)
    if (
        size == 0.0
    ):  # no facet has this, but its plane could be lost to underflow: then all is doubt
        plane[3] = np.inf
        return
    for i in range(3):
        plane[i] /= size
    plane[3] = _DISTANCE_SLACK + 2.0 ** (GRID_BITS + 2) * (longest / size) * 2.0**-100


@inner
def _height(grid, facet, plane, p):  # type: ignore[no-untyped-def]
    """Of point p over the facet's plane, in units of the grid."""
    a = facet[CORNER]
    return (
        plane[0] * (grid[p, 0] - grid[a, 0])
        + plane[1] * (grid[p, 1] - grid[a, 1])
        + plane[2] * (grid[p, 2] - grid[a, 2])
    )


@inner
def _side(grid, a, b, c, p):  # type: ignore[no-untyped-def]
    """1 if p is on the side from which a, b, c are anticlockwise, 0 in their plane, else -1."""
    rows = np.empty((3, 3), np.int64)
    for i in range(3):
        rows[0, i] = np.int64(grid[b, i] - grid[a, i])
        rows[1, i] = np.int64(grid[c, i] - grid[a, i])
        rows[2, i] = np.int64(grid[p, i] - grid[a, i])
    return determinant_sign(rows)


@inner
def _sees(grid, facet, plane, p):  # type: ignore[no-untyped-def]
    height = _height(grid, facet, plane, p)
    if abs(height) > plane[3]:
        return height > 0.0
    return _side(grid, facet[CORNER], facet[CORNER + 1], facet[CORNER + 2], p) > 0


@inner
def _farthest(heights, grid, origin, allowed):  # type: ignore[no-untyped-def]
    """(the place of the largest height, that height): of those within `allowed` of it the one
    farthest from point `origin`."""
    most = -1.0
    for p in range(len(heights)):
        most = max(most, heights[p])
    best, reach = -1, -1.0
    for p in range(len(heights)):
        if heights[p] >= most - allowed and point_point(grid, p, origin) > reach:
            best, reach = p, point_point(grid, p, origin)
    return best, most


@inner
def first_corners(grid, allowed):  # type: ignore[no-untyped-def]
    """(dimension, four points: dimension + 1 of them span the set within `allowed`)."""
    count = len(grid)
    corners, heights = np.zeros(4, np.int64), np.zeros(count)
    for turn in range(2):
        for p in range(count):
            heights[p] = math.sqrt(point_point(grid, p, corners[0]))
        corners[turn], away = _farthest(heights, grid, corners[0], 0.0)
    if away <= allowed:
        return 0, corners
    a, b = corners[0], corners[1]
    u, v, w = grid[b, 0] - grid[a, 0], grid[b, 1] - grid[a, 1], grid[b, 2] - grid[a, 2]
    for p in range(count):
        x, y, z = grid[p, 0] - grid[a, 0], grid[p, 1] - grid[a, 1], grid[p, 2] - grid[a, 2]
        i, j, k = v * z - w * y, w * x - u * z, u * y - v * x
        heights[p] = math.sqrt(i * i + j * j + k * k) / away
    corners[2], height = _farthest(heights, grid, a, allowed)
    if height <= allowed:
        return 1, corners
    plane = np.empty(4)
    _set_plane(grid, corners, plane)
    for p in range(count):
        heights[p] = abs(_height(grid, corners, plane, p))
    corners[3], height = _farthest(heights, grid, a, allowed)
    return 2 if height <= allowed else 3, corners


@inner
def _attach(grid, p, facets, planes, chosen, count, behind, allowed):  # type: ignore[no-untyped-def]
    """Keeps point p with the first of the chosen facets that has it outside."""
    for k in range(count):
        f = chosen[k]
        if _height(grid, facets[f], planes[f], p) > allowed + planes[f, 3]:
            behind[p] = facets[f, _HEAD]
            facets[f, _HEAD] = p
            return True
    return False


@inner
def _tetrahedron(grid, corners, facets, planes):  # type: ignore[no-untyped-def]
    a, b, c, d = corners[0], corners[1], corners[2], corners[3]
    if _side(grid, a, b, c, d) > 0:
        b, c = c, b
    _set_facet(facets, 0, a, b, c, 1, 2, 3)
    _set_facet(facets, 1, b, a, d, 0, 3, 2)
    _set_facet(facets, 2, c, b, d, 0, 1, 3)
    _set_facet(facets, 3, a, c, d, 0, 2, 1)
    for f in range(4):
        _set_plane(grid, facets[f], planes[f])


@inner
def _set_facet(facets, f, a, b, c, beyond_a, beyond_b, beyond_c):  # type: ignore[no-untyped-def]
    facets[f, CORNER], facets[f, CORNER + 1], facets[f, CORNER + 2] = a, b, c
    facets[f, _BEYOND], facets[f, _BEYOND + 1], facets[f, _BEYOND + 2] = (
        beyond_a,
        beyond_b,
        beyond_c,
    )
    facets[f, _HEAD], facets[f, STATE] = -1, ALIVE


@inner
def _horizon(grid, p, f, facets, planes, seen, edges):  # type: ignore[no-untyped-def]
    """(facets seen from p, starting at f, into `seen`; edges around them into `edges`: corner, next
    corner, facet beyond)."""
    seen[0], count, edge_count = f, 1, 0
    facets[f, STATE] = _SEEN
    done = 0
    while done < count:
        g = seen[done]
        done += 1
        for i in range(3):
            other = facets[g, _BEYOND + i]
            if facets[other, STATE] == _SEEN:
                continue
            if _sees(grid, facets[other], planes[other], p):
                facets[other, STATE] = _SEEN
                seen[count] = other
                count += 1
            else:
                edges[edge_count, 0] = facets[g, CORNER + i]
                edges[edge_count, 1] = facets[g, CORNER + (i + 1) % 3]
                edges[edge_count, 2] = other
                edge_count += 1
    return count, edge_count


@inner
def _cone(grid, p, facets, planes, edges, edge_count, made, begins):  # type: ignore[no-untyped-def]
    """Facets from p to each edge of the horizon, in the places `made`."""
    for k in range(edge_count):
        begins[edges[k, 0]] = made[k]
    for k in range(edge_count):
        f, a, b, other = made[k], edges[k, 0], edges[k, 1], edges[k, 2]
        _set_facet(facets, f, a, b, p, other, begins[b], -1)
        _set_plane(grid, facets[f], planes[f])
        for i in range(3):
            if facets[other, CORNER + (i + 1) % 3] == a and facets[other, CORNER + i] == b:
                facets[other, _BEYOND + i] = f
    for k in range(edge_count):
        facets[begins[edges[k, 1]], _BEYOND + 2] = made[k]


@inner
def _next_point(grid, f, facets, planes, behind, origin, allowed):  # type: ignore[no-untyped-def]
    """The farthest point outside facet f; of those within `allowed` of it, farthest from origin."""
    most, p = -1.0, facets[f, _HEAD]
    while p >= 0:
        most = max(most, _height(grid, facets[f], planes[f], p))
        p = behind[p]
    best, reach, p = -1, -1.0, facets[f, _HEAD]
    while p >= 0:
        near = _height(grid, facets[f], planes[f], p) >= most - allowed
        if near and point_point(grid, p, origin) > reach:
            best, reach = p, point_point(grid, p, origin)
        p = behind[p]
    return best


@inner
def surface(grid, corners, allowed):  # type: ignore[no-untyped-def]
    """(int64[*, 8], how many rows): the facets of a solid hull, and dead ones."""
    count = len(grid)
    # a closed surface of v corners has 2 v - 4 triangles; what is not used is never touched
    size = 2 * count + 8
    facets, planes = np.empty((size, _FACET_COLUMNS), np.int64), np.empty((size, 4))
    seen, edges = np.empty(size, np.int64), np.empty((size, 3), np.int64)
    made, begins = np.empty(size, np.int64), np.empty(count, np.int64)
    behind, free = np.empty(count, np.int64), np.empty(size, np.int64)
    _tetrahedron(grid, corners, facets, planes)
    used, free_count = np.int64(4), 0
    first = np.arange(4)
    for p in range(count):
        if p != corners[0] and p != corners[1] and p != corners[2] and p != corners[3]:
            _attach(grid, p, facets, planes, first, used, behind, allowed)
    f = np.int64(0)
    while f < used:
        if facets[f, STATE] != ALIVE or facets[f, _HEAD] < 0:
            f += 1
            continue
        p = _next_point(grid, f, facets, planes, behind, corners[0], allowed)
        seen_count, edge_count = _horizon(grid, p, f, facets, planes, seen, edges)
        chain = -1  # the points that the facets seen had outside
        for k in range(seen_count):
            q = facets[seen[k], _HEAD]
            while q >= 0:
                after = behind[q]
                if q != p:
                    behind[q] = chain
                    chain = q
                q = after
            facets[seen[k], STATE] = _DEAD
            free[free_count] = seen[k]
            free_count += 1
        for k in range(edge_count):
            if free_count > 0:
                free_count -= 1
                made[k] = free[free_count]
            else:
                made[k] = used
                used += 1
        _cone(grid, p, facets, planes, edges, edge_count, made, begins)
        lowest = used
        while chain >= 0:
            after = behind[chain]
            _attach(grid, chain, facets, planes, made, edge_count, behind, allowed)
            chain = after
        for k in range(edge_count):
            if facets[made[k], _HEAD] >= 0:
                lowest = min(lowest, made[k])
        f = min(f, lowest)
    return facets, used
