"""Continuous Fréchet distance of two paths in space.

Alt and Godau 1995: a leash of length r is enough if from (start, start) to (end, end) a way leads
through the free-space diagram that never goes back. The diagram is walked row by row; of each cell
only the intervals of its borders that can be reached are kept. The least r is found by halving:
between the distances of the ends, which no leash is shorter than, and a walk over the vertices.
It is given exactly where it is a distance of ends or of a vertex and a segment, else good to
1e-14 of the largest coordinate.

Estimate: 50 walks over P * Q cells, 15 ns a cell; memory O(P + Q).
"""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, inner
from hartonomous.kernels.geometry.core_distance import ROUNDING, norm, scale_for
from hartonomous.kernels.geometry.layout import Shapes

#: where the halving ends, relative
_PRECISION = 1e-15
_ROUNDS = 200
#: by how much a leash may be longer for rounding
_SLACK = 1.0 + 4.0 * 2.0**-53


def estimate(a: Shapes, b: Shapes) -> float:
    """Seconds that Python would take over all pairs."""
    return float((1e-3 * a.num_points * b.num_points).sum())


@entry
def frechet_distances(a_starts, a_coords, b_starts, b_coords, a_step, b_step, cancel, out):  # type: ignore[no-untyped-def]
    """out[n] = Fréchet distance of paths n * a_step and n * b_step, NaN where one is empty. A path
    of one point stays there. Ends early, with the rest unwritten, when cancel[0] is set."""
    for n in range(len(out)):
        if cancel[0]:
            return
        i, j = n * a_step, n * b_step
        if a_starts[i] == a_starts[i + 1] or b_starts[j] == b_starts[j + 1]:
            out[n] = np.nan
            continue
        largest = max(_largest(a_starts, a_coords, i), _largest(b_starts, b_coords, j))
        scale = scale_for(largest)
        p, q = _path(a_starts, a_coords, i, scale), _path(b_starts, b_coords, j, scale)
        out[n] = _least_leash(p, q, cancel) / scale


@inner
def _largest(starts, coords, i):  # type: ignore[no-untyped-def]
    largest = 0.0
    for k in range(starts[i], starts[i + 1]):
        for axis in range(3):
            largest = max(largest, abs(coords[k, axis]))
    return largest


@inner
def _path(starts, coords, i, scale):  # type: ignore[no-untyped-def]
    """float64[K,3], K >= 2: the scaled vertices; a lone one twice."""
    first, last = starts[i], starts[i + 1]
    path = np.empty((max(last - first, 2), 3))
    for k in range(len(path)):
        for axis in range(3):
            path[k, axis] = coords[min(first + k, last - 1), axis] * scale
    return path


@inner
def _apart(p, i, q, j):  # type: ignore[no-untyped-def]
    return norm(p[i, 0] - q[j, 0], p[i, 1] - q[j, 1], p[i, 2] - q[j, 2])


@inner
def _least_leash(p, q, cancel):  # type: ignore[no-untyped-def]
    low = max(_apart(p, 0, q, 0), _apart(p, len(p) - 1, q, len(q) - 1))
    reached = np.empty((2, len(q)))
    if low <= ROUNDING and _is_enough(p, q, ROUNDING, reached, cancel):
        return low
    if _is_enough(p, q, low * _SLACK, reached, cancel):
        return low
    high = _walk(p, q)
    for _ in range(_ROUNDS):
        if high - low <= _PRECISION * high or cancel[0]:
            break
        middle = 0.5 * (low + high)
        if _is_enough(p, q, middle, reached, cancel):
            high = middle
        else:
            low = middle
    found = _critical(p, q, low, high, np.inf)
    found = _critical(q, p, low, high, found)
    return found if found < np.inf else high


@inner
def _walk(p, q):  # type: ignore[no-untyped-def]
    """A leash that is long enough: for a walk over vertices, each time by the shortest step."""
    i = j = 0
    leash = _apart(p, 0, q, 0)
    while i + 1 < len(p) or j + 1 < len(q):
        best, p_step, q_step = np.inf, 0, 0
        for u, v in ((1, 1), (1, 0), (0, 1)):
            if i + u < len(p) and j + v < len(q):
                apart = _apart(p, i + u, q, j + v)
                if apart < best:
                    best, p_step, q_step = apart, u, v
        i, j = i + p_step, j + q_step
        leash = max(leash, best)
    return leash


@inner
def _foot(p, i, q, j):  # type: ignore[no-untyped-def]
    """(where along segment j of q the foot of vertex i of p lies, squared distance to its line,
    squared length of the segment)."""
    x, y, z = p[i, 0] - q[j, 0], p[i, 1] - q[j, 1], p[i, 2] - q[j, 2]
    dx, dy, dz = q[j + 1, 0] - q[j, 0], q[j + 1, 1] - q[j, 1], q[j + 1, 2] - q[j, 2]
    square = dx * dx + dy * dy + dz * dz
    if square == 0.0:
        return 0.0, x * x + y * y + z * z, 0.0
    t = (x * dx + y * dy + z * dz) / square
    x, y, z = x - t * dx, y - t * dy, z - t * dz
    return t, x * x + y * y + z * z, square


@inner
def _free(p, i, q, j, leash):  # type: ignore[no-untyped-def]
    """(from, to): the part of segment j of q within `leash` of vertex i of p; empty: from > to."""
    t, height, square = _foot(p, i, q, j)
    is_low, is_high = _apart(p, i, q, j) <= leash, _apart(p, i, q, j + 1) <= leash
    low, high = 2.0, -1.0
    rest = leash * leash - height
    if rest >= 0.0 and square > 0.0:
        half = math.sqrt(rest / square)
        low, high = t - half, t + half
        if high < 0.0 or low > 1.0:
            low, high = 2.0, -1.0
    if is_low:
        low, high = 0.0, max(high, 0.0)
    if is_high:
        low, high = min(low, 1.0), 1.0
    return max(low, 0.0), min(high, 1.0)


@inner
def _is_enough(p, q, leash, reached, cancel):  # type: ignore[no-untyped-def]
    """Whether a way leads through the diagram. reached[:, j]: what can be reached of the border
    (vertex i of p, segment j of q), row by row."""
    last_p, last_q = len(p) - 1, len(q) - 1
    if _apart(p, 0, q, 0) > leash or _apart(p, last_p, q, last_q) > leash:
        return False
    is_open = True
    for j in range(last_q):  # along the first vertex of p, as far as nothing is in the way
        low, high = _free(p, 0, q, j, leash)
        is_open = is_open and low == 0.0 and low <= high
        reached[0, j], reached[1, j] = (low, high) if is_open else (2.0, -1.0)
        is_open = is_open and high == 1.0
    is_open = True
    for i in range(last_p):
        if cancel[0]:
            return True
        # the border (segment i of p, vertex j of q): first along the first vertex of q
        low, high = _free(q, 0, p, i, leash)
        is_open = is_open and low == 0.0 and low <= high
        below, above = (low, high) if is_open else (2.0, -1.0)
        is_open = is_open and high == 1.0
        is_alive = False
        for j in range(last_q):
            left, right = reached[0, j], reached[1, j]
            low, high = _free(p, i + 1, q, j, leash)
            if below > above:
                low = max(low, left) if left <= right else 2.0
            reached[0, j], reached[1, j] = low, high
            is_alive = is_alive or low <= high
            low, high = _free(q, j + 1, p, i, leash)
            if left > right:
                low = max(low, below) if below <= above else 2.0
            below, above = low, high
            is_alive = is_alive or low <= high
        if not is_alive and not is_open:
            return False
    return reached[0, last_q - 1] <= reached[1, last_q - 1] and reached[1, last_q - 1] == 1.0


@inner
def _critical(p, q, low, high, found):  # type: ignore[no-untyped-def]
    """The least of `found` and the distances of a vertex of p and a segment of q that the halving
    could not tell from its result."""
    for i in range(len(p)):
        for j in range(len(q) - 1):
            t, height, _ = _foot(p, i, q, j)
            if low * low <= height * _SLACK and height <= high * high * _SLACK and 0.0 < t < 1.0:
                found = min(found, math.sqrt(height))
    return found
