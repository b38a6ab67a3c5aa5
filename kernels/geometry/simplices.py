"""Squared distances between points, segments and triangles in space.

A simplex is 1 to 3 consecutive rows of a scratch array `w: float64[R,3]`. Coordinates come scaled
to at most 1, so that squares neither overflow nor vanish where it matters.

Every result is the least over *candidates*: distances between points that do lie in the two
simplices. A badly conditioned solve can therefore only fail to propose a candidate, and near that
case a neighbouring feature (an end point, an edge) is as near within rounding. What the solves use
is chosen so that this holds for needles and near-parallel pairs too: cross products instead of
`ac - b^2` between segments (Eberly, Robust Computation of Distance Between Line Segments, 2018,
says why), and an orthonormal frame along the longest edge instead of barycentric determinants
for triangles. The absolute error is a few units in the last place of the largest coordinate.
"""

from __future__ import annotations

import numpy as np

from hartonomous.kernels.geometry.compiling import inner

#: rows of the scratch array: corners of a, corners of b, frame of a, frame of b
A, B, FRAME_A, FRAME_B = 0, 3, 6, 10
ROWS = 14


@inner
def point_point(w, p, q):  # type: ignore[no-untyped-def]
    x, y, z = w[p, 0] - w[q, 0], w[p, 1] - w[q, 1], w[p, 2] - w[q, 2]
    return x * x + y * y + z * z


@inner
def point_segment(w, p, a, b):  # type: ignore[no-untyped-def]
    """Row p to the segment of rows a and b; an end is met exactly."""
    x, y, z = w[p, 0] - w[a, 0], w[p, 1] - w[a, 1], w[p, 2] - w[a, 2]
    dx, dy, dz = w[b, 0] - w[a, 0], w[b, 1] - w[a, 1], w[b, 2] - w[a, 2]
    along, square = x * dx + y * dy + z * dz, dx * dx + dy * dy + dz * dz
    if along <= 0.0 or square == 0.0:
        return x * x + y * y + z * z
    if along >= square:
        return point_point(w, p, b)
    t = along / square
    x, y, z = x - t * dx, y - t * dy, z - t * dz
    return x * x + y * y + z * z


@inner
def segment_segment(w, a, b, c, d):  # type: ignore[no-untyped-def]
    """Rows a, b to rows c, d: four ends, and the common perpendicular where it meets both."""
    best = min(
        min(point_segment(w, a, c, d), point_segment(w, b, c, d)),
        min(point_segment(w, c, a, b), point_segment(w, d, a, b)),
    )
    dx, dy, dz = w[b, 0] - w[a, 0], w[b, 1] - w[a, 1], w[b, 2] - w[a, 2]
    ex, ey, ez = w[d, 0] - w[c, 0], w[d, 1] - w[c, 1], w[d, 2] - w[c, 2]
    rx, ry, rz = w[c, 0] - w[a, 0], w[c, 1] - w[a, 1], w[c, 2] - w[a, 2]
    nx, ny, nz = dy * ez - dz * ey, dz * ex - dx * ez, dx * ey - dy * ex
    square = nx * nx + ny * ny + nz * nz
    if square == 0.0:
        return best
    # a + s d and c + t e are nearest where their difference is along n = d x e
    s = ((ry * ez - rz * ey) * nx + (rz * ex - rx * ez) * ny + (rx * ey - ry * ex) * nz) / square
    t = ((ry * dz - rz * dy) * nx + (rz * dx - rx * dz) * ny + (rx * dy - ry * dx) * nz) / square
    if 0.0 <= s <= 1.0 and 0.0 <= t <= 1.0:
        x, y, z = rx + t * ex - s * dx, ry + t * ey - s * dy, rz + t * ez - s * dz
        best = min(best, x * x + y * y + z * z)
    return best


@inner
def write_frame(w, t, f):  # type: ignore[no-untyped-def]
    """Frame of the triangle in rows t, t+1, t+2 into rows f … f+3: an end of its longest edge, the
    edge's direction, the direction to the third corner across it, and (length of the edge, where
    the third corner is along it, and across it; 0: the triangle is a segment or a point)."""
    first, longest = 0, -1.0
    for k in range(3):
        square = point_point(w, t + k, t + (k + 1) % 3)
        if square > longest:
            first, longest = k, square
    a, b, c = t + first, t + (first + 1) % 3, t + (first + 2) % 3
    length = np.sqrt(longest)
    w[f + 3, 0] = length
    w[f + 3, 1] = w[f + 3, 2] = 0.0
    if length == 0.0:
        return
    for i in range(3):
        w[f, i] = w[a, i]
        w[f + 1, i] = (w[b, i] - w[a, i]) / length
        w[f + 2, i] = w[c, i] - w[a, i]
    along = _dot(w, f + 1, f + 2)
    w[f + 3, 1] = along
    for _ in range(2):  # orthogonalised twice: once leaves a trace of the edge when c is near it
        rest = _dot(w, f + 1, f + 2)
        for i in range(3):
            w[f + 2, i] -= rest * w[f + 1, i]
    across = np.sqrt(_dot(w, f + 2, f + 2))
    w[f + 3, 2] = across
    if across > 0.0:
        for i in range(3):
            w[f + 2, i] /= across


@inner
def _dot(w, a, b):  # type: ignore[no-untyped-def]
    return w[a, 0] * w[b, 0] + w[a, 1] * w[b, 1] + w[a, 2] * w[b, 2]


@inner
def above_triangle(x, y, z, w, f):  # type: ignore[no-untyped-def]
    """Squared distance of a point to the triangle of frame f if its foot lies in it, else inf."""
    length, cx, cy = w[f + 3, 0], w[f + 3, 1], w[f + 3, 2]
    if cy == 0.0:
        return np.inf
    x, y, z = x - w[f, 0], y - w[f, 1], z - w[f, 2]
    u = x * w[f + 1, 0] + y * w[f + 1, 1] + z * w[f + 1, 2]
    v = x * w[f + 2, 0] + y * w[f + 2, 1] + z * w[f + 2, 2]
    if v < 0.0 or v > cy or u * cy < v * cx or (u - length) * cy > v * (cx - length):
        return np.inf
    x = x - u * w[f + 1, 0] - v * w[f + 2, 0]
    y = y - u * w[f + 1, 1] - v * w[f + 2, 1]
    z = z - u * w[f + 1, 2] - v * w[f + 2, 2]
    return x * x + y * y + z * z


@inner
def point_triangle(w, p, t, f):  # type: ignore[no-untyped-def]
    best = min(point_segment(w, p, t, t + 1), point_segment(w, p, t + 1, t + 2))
    best = min(best, point_segment(w, p, t + 2, t))
    return min(best, above_triangle(w[p, 0], w[p, 1], w[p, 2], w, f))


@inner
def piercing(w, a, b, f):  # type: ignore[no-untyped-def]
    """0 if the segment of rows a and b goes through the triangle of frame f; else its ends'
    distance to the inside of the triangle, inf if neither is above it."""
    best = min(
        above_triangle(w[a, 0], w[a, 1], w[a, 2], w, f),
        above_triangle(w[b, 0], w[b, 1], w[b, 2], w, f),
    )
    ux, uy, uz = w[f + 1, 0], w[f + 1, 1], w[f + 1, 2]
    vx, vy, vz = w[f + 2, 0], w[f + 2, 1], w[f + 2, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    ox, oy, oz = w[f, 0], w[f, 1], w[f, 2]
    low = (w[a, 0] - ox) * nx + (w[a, 1] - oy) * ny + (w[a, 2] - oz) * nz
    high = (w[b, 0] - ox) * nx + (w[b, 1] - oy) * ny + (w[b, 2] - oz) * nz
    if w[f + 3, 2] == 0.0 or (low > 0.0) == (high > 0.0):
        return best
    t = low / (low - high)
    x = w[a, 0] + t * (w[b, 0] - w[a, 0])
    y = w[a, 1] + t * (w[b, 1] - w[a, 1])
    z = w[a, 2] + t * (w[b, 2] - w[a, 2])
    if above_triangle(x, y, z, w, f) < np.inf:
        return 0.0
    return best


@inner
def segment_triangle(w, a, b, t, f):  # type: ignore[no-untyped-def]
    best = piercing(w, a, b, f)
    for k in range(3):
        if best == 0.0:
            break
        best = min(best, segment_segment(w, a, b, t + k, t + (k + 1) % 3))
    return best


@inner
def triangle_triangle(w):  # type: ignore[no-untyped-def]
    """Rows A to rows B, both frames written."""
    best = np.inf
    for k in range(3):
        best = min(best, piercing(w, B + k, B + (k + 1) % 3, FRAME_A))
        best = min(best, segment_triangle(w, A + k, A + (k + 1) % 3, B, FRAME_B))
        if best == 0.0:
            break
    return best


@inner
def simplex_distance(w, a_count, b_count):  # type: ignore[no-untyped-def]
    """Squared distance of the first `a_count` rows from A and `b_count` rows from B, 1 to 3 each;
    the frame of a triangle must have been written."""
    if a_count == 3:
        if b_count == 3:
            return triangle_triangle(w)
        if b_count == 2:
            return segment_triangle(w, B, B + 1, A, FRAME_A)
        return point_triangle(w, B, A, FRAME_A)
    if a_count == 2:
        if b_count == 3:
            return segment_triangle(w, A, A + 1, B, FRAME_B)
        if b_count == 2:
            return segment_segment(w, A, A + 1, B, B + 1)
        return point_segment(w, B, A, A + 1)
    if b_count == 3:
        return point_triangle(w, A, B, FRAME_B)
    if b_count == 2:
        return point_segment(w, A, B, B + 1)
    return point_point(w, A, B)
