"""Distance between the convex hulls of two point sets (Gilbert, Johnson, Keerthi 1988).

The point of A - B nearest to the origin is sought with simplices of at most four of its points. The
point of a simplex nearest to the origin is the best of its edges, its faces and, where it encloses
the origin, a convex combination that is refined until it is 0 within rounding: as in
simplices.py every candidate is a point that does lie in the simplex. The result is an
upper bound by that, and a lower bound by the support plane that stops the search; both meet within
4e-15 of the largest coordinate (scaled to 1), or no further point of A - B comes nearer.

Estimate: 3 to 8 rounds of (points of A + points of B) products each.
"""

from __future__ import annotations

import numpy as np

from hartonomous.kernels.geometry.compiling import inner
from hartonomous.kernels.geometry.simplices import (
    FRAME_A,
    above_triangle,
    write_frame,
)

#: rows of the scratch array: the simplex (a copy of three of them for a frame behind it, at 4),
#: then the nearest point, a candidate for it, the new support point, the direction of the search
_COPY, _NEAREST, _TRIED, _NEW, _AIM = 4, 14, 15, 16, 17
#: the first row of the frame of the copy; FRAME_A is free here
_FRAME = FRAME_A + 1
ROWS = 18
#: the gap between the bounds at which the search ends
GAP = 4e-15
ROUNDS = 1000
#: rounds of iterative refinement of a combination
REFINEMENTS = 3


@inner
def hull_distance(coords, corner, a, a_count, others, other_corner, b, b_count, scale, limit, s):  # type: ignore[no-untyped-def]
    """Distance of the hull of coords[corner[a : a + a_count]] * scale to that of others…, at least
    1 point each; inf as soon as it is known to be more than `limit`. s: float64[ROWS,3] scratch."""
    for i in range(3):
        s[0, i] = coords[corner[a], i] * scale - others[other_corner[b], i] * scale
        s[_NEAREST, i] = s[0, i]
    count, square = 1, _product(s, 0, 0)
    for _ in range(ROUNDS):
        if square == 0.0 or not _aim(s, count):
            break
        _support(coords, corner, a, a_count, -1.0, scale, True, s)
        _support(others, other_corner, b, b_count, 1.0, scale, False, s)
        bound = _product(s, _AIM, _NEW)
        if bound > limit:
            return np.inf
        if np.sqrt(square) - bound <= GAP or _is_known(s, count):
            break
        for i in range(3):
            s[count, i] = s[_NEW, i]
        count, nearer = _reduce(s, count + 1, square)
        if not nearer < square:
            break
        square = nearer
        for i in range(3):
            s[_NEAREST, i] = s[_TRIED, i]
    return np.sqrt(square)


@inner
def _aim(s, count):  # type: ignore[no-untyped-def]
    """The unit vector from the origin to the nearest point, in row _AIM; False if it is lost. Near
    the origin that point's own digits are too few, and hulls may be long along the simplex: it is
    made perpendicular to that, so that it holds for them."""
    for i in range(3):
        s[_AIM, i] = s[_NEAREST, i]
    if count == 3:
        write_frame(s, 0, _FRAME)
        u, v = _FRAME + 1, _FRAME + 2
        x = s[u, 1] * s[v, 2] - s[u, 2] * s[v, 1]
        y = s[u, 2] * s[v, 0] - s[u, 0] * s[v, 2]
        z = s[u, 0] * s[v, 1] - s[u, 1] * s[v, 0]
        sign = x * s[_NEAREST, 0] + y * s[_NEAREST, 1] + z * s[_NEAREST, 2]
        turn = 1.0 if sign > 0.0 else -1.0
        s[_AIM, 0], s[_AIM, 1], s[_AIM, 2] = turn * x, turn * y, turn * z
    elif count == 2:
        for _ in range(2):
            along, square = 0.0, 0.0
            for i in range(3):
                step = s[1, i] - s[0, i]
                along += step * s[_AIM, i]
                square += step * step
            for i in range(3):
                s[_AIM, i] -= along / square * (s[1, i] - s[0, i])
    largest = max(abs(s[_AIM, 0]), max(abs(s[_AIM, 1]), abs(s[_AIM, 2])))
    if largest == 0.0:
        return False
    for i in range(3):
        s[_AIM, i] /= largest
    length = np.sqrt(_product(s, _AIM, _AIM))
    for i in range(3):
        s[_AIM, i] /= length
    return True


@inner
def _support(coords, corner, first, count, sign, scale, is_new, s):  # type: ignore[no-untyped-def]
    """Adds to row _NEW (or begins it with) the point farthest along sign * aim, as a part of
    A - B: that of B is subtracted."""
    x, y, z = sign * s[_AIM, 0], sign * s[_AIM, 1], sign * s[_AIM, 2]
    best, found = -np.inf, first
    for k in range(first, first + count):
        c = corner[k]
        value = coords[c, 0] * scale * x + coords[c, 1] * scale * y + coords[c, 2] * scale * z
        if value > best:
            best, found = value, k
    for i in range(3):
        part = coords[corner[found], i] * scale
        s[_NEW, i] = part if is_new else s[_NEW, i] - part


@inner
def _product(s, a, b):  # type: ignore[no-untyped-def]
    return s[a, 0] * s[b, 0] + s[a, 1] * s[b, 1] + s[a, 2] * s[b, 2]


@inner
def _is_known(s, count):  # type: ignore[no-untyped-def]
    for k in range(count):
        if s[k, 0] == s[_NEW, 0] and s[k, 1] == s[_NEW, 1] and s[k, 2] == s[_NEW, 2]:
            return True
    return False


@inner
def _reduce(s, count, best):  # type: ignore[no-untyped-def]
    """The simplex becomes its smallest part that holds its point nearest to the origin, which goes
    to row _TRIED; (points left, its square). Nothing changes if none is nearer than `best`."""
    kept = 0
    for i in range(count - 1):  # only what has the new point can be nearer than before
        best, kept = _edge(s, i, count - 1, best, kept)
    for i in range(count - 2):
        for j in range(i + 1, count - 1):
            best, kept = _face(s, i, j, count - 1, best, kept)
    if count == 4:
        best, kept = _inside(s, best, kept)
    if kept == 0:
        return count - 1, np.inf
    left = 0
    for k in range(count):
        if kept >> k & 1:
            for i in range(3):
                s[left, i] = s[k, i]
            left += 1
    return left, best


@inner
def _edge(s, a, b, best, kept):  # type: ignore[no-untyped-def]
    along, square = 0.0, 0.0
    for i in range(3):
        step = s[b, i] - s[a, i]
        along -= s[a, i] * step
        square += step * step
    if square == 0.0 or along <= 0.0:
        return best, kept
    t = min(along / square, 1.0)
    x = s[a, 0] + t * (s[b, 0] - s[a, 0]) if t < 1.0 else s[b, 0]
    y = s[a, 1] + t * (s[b, 1] - s[a, 1]) if t < 1.0 else s[b, 1]
    z = s[a, 2] + t * (s[b, 2] - s[a, 2]) if t < 1.0 else s[b, 2]
    found = x * x + y * y + z * z
    if found < best:
        s[_TRIED, 0], s[_TRIED, 1], s[_TRIED, 2] = x, y, z
        return found, 1 << b | (1 << a if t < 1.0 else 0)
    return best, kept


@inner
def _face(s, a, b, c, best, kept):  # type: ignore[no-untyped-def]
    for i in range(3):
        s[_COPY, i], s[_COPY + 1, i], s[_COPY + 2, i] = s[a, i], s[b, i], s[c, i]
    write_frame(s, _COPY, _FRAME)
    found = above_triangle(0.0, 0.0, 0.0, s, _FRAME)
    if found < best:
        u, v = -_product(s, _FRAME, _FRAME + 1), -_product(s, _FRAME, _FRAME + 2)
        for i in range(3):
            s[_TRIED, i] = s[_FRAME, i] + u * s[_FRAME + 1, i] + v * s[_FRAME + 2, i]
        return found, 1 << a | 1 << b | 1 << c
    return best, kept


@inner
def _inside(s, best, kept):  # type: ignore[no-untyped-def]
    """The combination of all four points that gives the origin, if it is convex: by the inverse of
    their edges, refined, as a flat simplex has a bad one."""
    ax, ay, az = s[1, 0] - s[0, 0], s[1, 1] - s[0, 1], s[1, 2] - s[0, 2]
    bx, by, bz = s[2, 0] - s[0, 0], s[2, 1] - s[0, 1], s[2, 2] - s[0, 2]
    cx, cy, cz = s[3, 0] - s[0, 0], s[3, 1] - s[0, 1], s[3, 2] - s[0, 2]
    px, py, pz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    qx, qy, qz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    rx, ry, rz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    volume = ax * px + ay * py + az * pz
    if volume == 0.0:
        return best, kept
    p = q = r = 0.0
    x, y, z = s[0, 0], s[0, 1], s[0, 2]
    for _ in range(REFINEMENTS):
        p -= (x * px + y * py + z * pz) / volume
        q -= (x * qx + y * qy + z * qz) / volume
        r -= (x * rx + y * ry + z * rz) / volume
        x = s[0, 0] + p * ax + q * bx + r * cx
        y = s[0, 1] + p * ay + q * by + r * cy
        z = s[0, 2] + p * az + q * bz + r * cz
    found = x * x + y * y + z * z
    if p >= 0.0 and q >= 0.0 and r >= 0.0 and p + q + r <= 1.0 and found < best:
        s[_TRIED, 0], s[_TRIED, 1], s[_TRIED, 2] = x, y, z
        return found, 15
    return best, kept
