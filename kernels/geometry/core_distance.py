"""Distances between cores: two box trees walked together.

Pairs of nodes wait on a stack, the nearer child on top; a pair whose boxes are no nearer than the
best piece so far is dropped, a pair of leaves is measured (simplices.py, or
hull_distance.py where a piece has more than three corners). A pair of values is scaled by
a power of two that brings its largest coordinate to 1, which changes no digit.
"""

from __future__ import annotations

import math

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, inner
from hartonomous.kernels.geometry.hull_distance import ROWS as HULL_ROWS
from hartonomous.kernels.geometry.hull_distance import hull_distance
from hartonomous.kernels.geometry.pieces import Pieces
from hartonomous.kernels.geometry.simplices import (
    FRAME_A,
    FRAME_B,
    A,
    B,
    simplex_distance,
    write_frame,
)
from hartonomous.kernels.geometry.simplices import ROWS as SIMPLEX_ROWS

#: pairs of nodes that wait at most: one a level of either tree, and one more
_WAITING = 160
#: a core distance up to this, of the largest coordinate, is what rounding makes of 0
ROUNDING = 8.0 * 2.0**-53
#: what scratch is for: a pair of simplices, or a pair of hulls
ROWS = max(SIMPLEX_ROWS, HULL_ROWS)
#: pairs measured between two looks at the cancel flag
_PATIENCE = 1 << 12


def estimate(a: Pieces, b: Pieces) -> float:
    """Seconds that Python would take over all pairs: of few pieces all are measured, of many about
    as many as there are."""
    m, n = np.diff(a.starts), np.diff(b.starts)
    measured = np.minimum(m * n, m + n)
    wide, other = int(a.width.max(initial=0)), int(b.width.max(initial=0))
    each = 4e-5 * (wide * other if max(wide, other) <= 3 else 4 + wide + other)
    return float((2e-5 + each * measured).sum())


@inner
def scale_for(largest):  # type: ignore[no-untyped-def]
    """The power of two that brings `largest` to [0.5, 1)."""
    return math.ldexp(1.0, min(-math.frexp(largest)[1], 1023))


@entry
def core_distances(a, b, a_step, b_step, stops, limits, cancel, out):  # type: ignore[no-untyped-def]
    """out[n] = distance between the cores n * a_step of `a` and n * b_step of `b` (Pieces): some
    distance up to stops[n] if it is no larger than that, inf if it is larger than limits[n], NaN
    where one is empty. Ends early, with the rest unwritten, when cancel[0] is set."""
    waiting, bounds = np.empty((_WAITING, 6), np.int64), np.empty(_WAITING, np.float64)
    w = np.empty((ROWS, 3), np.float64)
    for n in range(len(out)):
        if cancel[0]:
            return
        i, j = n * a_step, n * b_step
        if a.starts[i] == a.starts[i + 1] or b.starts[j] == b.starts[j + 1]:
            out[n] = np.nan
            continue
        scale = scale_for(max(a.largest[i], b.largest[j]))
        limit, stop = limits[n] * scale, stops[n] * scale
        found = nearest_pieces(a, i, b, j, scale, limit, stop, waiting, bounds, w, cancel)[0]
        out[n] = found / scale


@inner
def nearest_pieces(a, i, b, j, scale, limit, stop, waiting, bounds, w, cancel):  # type: ignore[no-untyped-def]
    """(scaled distance of two cores that are not empty, the piece of `b`), or (inf, -1) if it is
    larger than `limit`; the search ends with the first that is up to `stop`."""
    best, piece = np.inf, -1
    bound = limit * limit  # pairs of boxes farther apart than this are dropped
    wait(waiting, 0, 0, 2 * a.starts[i], a.starts[i], a.starts[i + 1])
    wait(waiting, 0, 3, 2 * b.starts[j], b.starts[j], b.starts[j + 1])
    bounds[0] = gap(a.boxes, 2 * a.starts[i], b.boxes, 2 * b.starts[j], scale)
    top, patience = 1, _PATIENCE
    while top:
        top -= 1
        if bounds[top] > bound or (bounds[top] == bound and piece >= 0):
            continue
        m, m_low, m_high = waiting[top, 0], waiting[top, 1], waiting[top, 2]
        n, n_low, n_high = waiting[top, 3], waiting[top, 4], waiting[top, 5]
        if m_high - m_low == 1 and n_high - n_low == 1:
            found = piece_distance(a, m_low, b, n_low, scale, min(limit, best), w)
            if found <= limit and found < best:
                best, piece, bound = found, n_low, found * found
                if best <= stop:
                    break
            patience -= 1
            if patience == 0:
                patience = _PATIENCE
                if cancel[0]:
                    break
        else:
            # the larger node is cut: its two children, the nearer on top
            is_m = m_high - m_low >= n_high - n_low
            low, high = (m_low, m_high) if is_m else (n_low, n_high)
            middle = (low + high) // 2
            left = (m if is_m else n) + 1
            right = left + 2 * (middle - low) - 1
            if is_m:
                near, far = (
                    gap(a.boxes, left, b.boxes, n, scale),
                    gap(a.boxes, right, b.boxes, n, scale),
                )
            else:
                near, far = (
                    gap(a.boxes, m, b.boxes, left, scale),
                    gap(a.boxes, m, b.boxes, right, scale),
                )
            turn = 1 if near < far else 0
            for place in (top, top + 1):
                wait(waiting, place, 0, m, m_low, m_high)
                wait(waiting, place, 3, n, n_low, n_high)
            column = 0 if is_m else 3
            wait(waiting, top + turn, column, left, low, middle)
            wait(waiting, top + 1 - turn, column, right, middle, high)
            bounds[top + turn], bounds[top + 1 - turn] = near, far
            top += 2
    return best, piece


@inner
def wait(waiting, top, column, node, low, high):  # type: ignore[no-untyped-def]
    waiting[top, column], waiting[top, column + 1], waiting[top, column + 2] = node, low, high


@inner
def gap(boxes, m, others, n, scale):  # type: ignore[no-untyped-def]
    """Squared distance of two boxes."""
    total = 0.0
    for i in range(3):
        below = others[n, i] * scale - boxes[m, i + 3] * scale
        above = boxes[m, i] * scale - others[n, i + 3] * scale
        apart = max(below, above)
        if apart > 0.0:
            total += apart * apart
    return total


@inner
def piece_distance(a, p, b, q, scale, limit, w):  # type: ignore[no-untyped-def]
    """Scaled distance of piece p of `a` and piece q of `b`; inf or more than `limit` if it is."""
    a_count, b_count = a.width[p], b.width[q]
    if a_count > 3 or b_count > 3:
        found = hull_distance(
            a.coords, a.corner, a.first[p], a_count,
            b.coords, b.corner, b.first[q], b_count, scale, limit, w,
        )  # fmt: skip
        return found if found > ROUNDING else 0.0
    load(a, p, a_count, scale, w, A, FRAME_A)
    load(b, q, b_count, scale, w, B, FRAME_B)
    if a_count == 1 and b_count == 1:
        return norm(w[A, 0] - w[B, 0], w[A, 1] - w[B, 1], w[A, 2] - w[B, 2])
    found = np.sqrt(simplex_distance(w, a_count, b_count))
    return found if found > ROUNDING else 0.0


@inner
def corner_distance(a, k, b, q, scale, w):  # type: ignore[no-untyped-def]
    """Scaled distance of one corner of `a`, at place k of a.corner, to piece q of `b`."""
    if b.width[q] > 3:
        found = hull_distance(
            a.coords, a.corner, k, 1,
            b.coords, b.corner, b.first[q], b.width[q], scale, np.inf, w,
        )  # fmt: skip
        return found if found > ROUNDING else 0.0
    for i in range(3):
        w[A, i] = a.coords[a.corner[k], i] * scale
    return point_distance(w, b, q, scale)


@inner
def point_distance(w, b, q, scale):  # type: ignore[no-untyped-def]
    """Scaled distance of row A of w to piece q of `b`, at most a triangle."""
    load(b, q, b.width[q], scale, w, B, FRAME_B)
    if b.width[q] == 1:
        return norm(w[A, 0] - w[B, 0], w[A, 1] - w[B, 1], w[A, 2] - w[B, 2])
    found = np.sqrt(simplex_distance(w, 1, b.width[q]))
    return found if found > ROUNDING else 0.0


@inner
def load(pieces, p, count, scale, w, row, frame):  # type: ignore[no-untyped-def]
    for k in range(count):
        c = pieces.corner[pieces.first[p] + k]
        for i in range(3):
            w[row + k, i] = pieces.coords[c, i] * scale
    if count == 3:
        write_frame(w, row, frame)


@inner
def norm(x, y, z):  # type: ignore[no-untyped-def]
    """Length, also where squares would vanish."""
    largest = max(abs(x), max(abs(y), abs(z)))
    if largest > 1e-140 or largest == 0.0:
        return np.sqrt(x * x + y * y + z * z)
    up = 2.0**600
    x, y, z = x * up, y * up, z * up
    return np.sqrt(x * x + y * y + z * z) / up
