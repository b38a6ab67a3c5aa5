"""Directed Hausdorff distances between

    h(a -> b) = max over x in a of f(x),   f(x) = min over pieces j of b of d_j(x)

Distance to a convex piece is a convex function. So where b is one piece the maximum lies at a
corner of a. Else each piece of a (1 to 4 corners, game.py) is a cell of a branch and
bound:

  lower bound   f at its corners, and at the point that the upper bound shows to be the worst
  upper bound   over a cell, d_j is at most the linear function that equals it at the corners; the
                greatest value of the least of some of these functions is a small matrix game. It is
                off by the square of the cell's size only, and not at all along the ridge between
                two pieces that are equally far, where halving alone would never end
  cut           an edge, where the pieces nearest to its two ends are equally far: on the ridge;
                every third time the longest edge, which makes every cell small in the end

Cells are given up when their upper bound is within GAP of the best value found, so the result is
at most that (of the largest coordinate) too small.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hartonomous.kernels.geometry.compiling import entry, inner
from hartonomous.kernels.geometry.core_distance import (
    ROWS,
    corner_distance,
    point_distance,
    scale_for,
    wait,
)
from hartonomous.kernels.geometry.game import COLUMNS, MOST, play
from hartonomous.kernels.geometry.layout import Numbers, Offsets
from hartonomous.kernels.geometry.pieces import DEPTH, Pieces
from hartonomous.kernels.geometry.simplices import (
    A,
)

#: what the lower bound may lack, of the largest coordinate
GAP = 1e-13
#: cells that wait at most; cells between two looks at the cancel flag
_CELLS, _PATIENCE = 1024, 256
#: where an edge may be cut at the crossing of two bounds: not at its very ends
_LEAST_CUT = 1e-9
#: steps towards that crossing at most
_ROUNDS = 64


class Search(NamedTuple):
    """Scratch of a search for the nearest piece: a pair of simplices, nodes that wait."""

    w: Numbers
    nodes: Offsets
    bounds: Numbers


class Cells(NamedTuple):
    """Cells that wait: corners, f there, the pieces nearest to them, (corners, cuts so far)."""

    corner: Numbers  # float64[_CELLS, 4, 3]
    far: Numbers  # float64[_CELLS, 4]
    near: Offsets  # int64[_CELLS, 4]
    state: Offsets  # int64[_CELLS, 2]


class Game(NamedTuple):
    """Scratch of an upper bound: pieces, their distances from the corners, what `play` needs."""

    chosen: Offsets
    table: Numbers
    tableau: Numbers
    mix: Numbers


def estimate(a: Pieces, b: Pieces, is_bounded: bool) -> float:
    """Seconds that Python would take over all pairs; a ceiling, if there is one, spares half."""
    m, n = np.diff(a.starts), np.diff(b.starts)
    wide, other = int(a.width.max(initial=0)), int(b.width.max(initial=0))
    from_corners = wide * (1e-4 + 1e-5 * other)
    from_piece = (2e-4, 2e-4, 1e-3)[wide] if wide < 3 else 8e-3
    each = np.where(n > 1, from_piece * (0.4 if is_bounded else 1.0), from_corners)
    return float((2e-5 + m * each).sum())


@entry
def directed_distances(a, b, a_step, b_step, floors, ceilings, cancel, out):  # type: ignore[no-untyped-def]
    """out[n] = h(core n * a_step of `a` -> core n * b_step of `b`), NaN where one is empty. Values
    up to floors[n] are not told apart, and the first above ceilings[n] ends the search of a pair.
    Ends early, with the rest unwritten, when cancel[0] is set."""
    w = np.empty((ROWS, 3))
    search = Search(w, np.empty((DEPTH, 3), np.int64), np.empty(DEPTH))
    cells = Cells(
        np.empty((_CELLS, 4, 3)),
        np.empty((_CELLS, 4)),
        np.empty((_CELLS, 4), np.int64),
        np.empty((_CELLS, 2), np.int64),
    )
    game = Game(
        np.empty(MOST, np.int64), np.empty((MOST, 4)), np.empty((5, COLUMNS)), np.empty((2, MOST))
    )
    for n in range(len(out)):
        if cancel[0]:
            return
        i, j = n * a_step, n * b_step
        pieces = b.starts[j + 1] - b.starts[j]
        if a.starts[i] == a.starts[i + 1] or pieces == 0:
            out[n] = np.nan
            continue
        scale = scale_for(max(a.largest[i], b.largest[j]))
        floor, ceiling = floors[n] * scale, ceilings[n] * scale
        if pieces == 1:
            found = _from_corners(a, i, b, b.starts[j], scale, ceiling, w)
        else:
            found, guess = 0.0, b.starts[j]
            for p in range(a.starts[i], a.starts[i + 1]):
                found, guess = _from_piece(
                    a, p, b, j, scale, found, guess, floor, ceiling, cancel, search, cells, game
                )
                if found > ceiling:
                    break
        out[n] = found / scale


@inner
def _from_corners(a, i, b, q, scale, ceiling, w):  # type: ignore[no-untyped-def]
    """h(core i of `a` -> piece q of `b`), scaled."""
    best = 0.0
    for p in range(a.starts[i], a.starts[i + 1]):
        for k in range(a.first[p], a.first[p] + a.width[p]):
            best = max(best, corner_distance(a, k, b, q, scale, w))
            if best > ceiling:
                return best
    return best


@inner
def _nearest(b, j, scale, guess, enough, search):  # type: ignore[no-untyped-def]
    """(distance of row A of w to core j of `b`, its piece); ends with the first up to `enough`."""
    w = search.w
    best, piece = point_distance(w, b, guess, scale), guess
    wait(search.nodes, 0, 0, 2 * b.starts[j], b.starts[j], b.starts[j + 1])
    search.bounds[0] = 0.0
    top = 1
    while top and best > enough:
        top -= 1
        if search.bounds[top] >= best * best:
            continue
        node, low, high = search.nodes[top, 0], search.nodes[top, 1], search.nodes[top, 2]
        if high - low == 1:
            found = point_distance(w, b, low, scale)
            if found < best:
                best, piece = found, low
            continue
        middle = (low + high) // 2
        left, right = node + 1, node + 2 * (middle - low)
        closer, farther = _reach(w, b.boxes, left, scale), _reach(w, b.boxes, right, scale)
        turn = 1 if closer < farther else 0
        wait(search.nodes, top + turn, 0, left, low, middle)
        wait(search.nodes, top + 1 - turn, 0, right, middle, high)
        search.bounds[top + turn], search.bounds[top + 1 - turn] = closer, farther
        top += 2
    return best, piece


@inner
def _reach(w, boxes, node, scale):  # type: ignore[no-untyped-def]
    """Squared distance of row A of w to a box."""
    total = 0.0
    for i in range(3):
        x = w[A, i]
        apart = max(boxes[node, i] * scale - x, x - boxes[node, i + 3] * scale)
        if apart > 0.0:
            total += apart * apart
    return total


@inner
def _from_piece(a, p, b, j, scale, best, guess, floor, ceiling, cancel, search, cells, game):  # type: ignore[no-untyped-def]
    """(the larger of `best` and h(piece p of `a` -> core j of `b`), the last nearest piece)."""
    w, width = search.w, a.width[p]
    for k in range(width):
        c = a.corner[a.first[p] + k]
        for i in range(3):
            cells.corner[0, k, i] = w[A, i] = a.coords[c, i] * scale
        # of a lone point only matters whether it is farther than what was found
        enough = max(best, floor) if width == 1 else floor
        cells.far[0, k], guess = _nearest(b, j, scale, guess, enough, search)
        cells.near[0, k] = guess
        best = max(best, cells.far[0, k])
        if best > ceiling:
            return best, guess
    cells.state[0, 0], cells.state[0, 1] = width, 0
    top, patience = 1 if width > 1 else 0, _PATIENCE
    while top:
        top -= 1
        patience -= 1
        if patience == 0:
            patience = _PATIENCE
            if cancel[0]:
                break
        width = cells.state[top, 0]
        best, rows, is_open = _bound(b, j, scale, top, width, best, floor, search, cells, game)
        if best > ceiling:
            break
        if is_open and top + 2 < _CELLS:
            u, v, t = _cut(top, width, max(best, floor), rows, b, scale, cells, game, w)
            if u < 0:
                continue
            best = _split(top, width, u, v, t, b, j, scale, best, floor, search, cells)
            top += 2
    return best, guess


@inner
def _bound(b, j, scale, cell, width, best, floor, search, cells, game):  # type: ignore[no-untyped-def]
    """(best value, rows of the table, whether the cell may hold a better one)."""
    w, rows = search.w, 0
    for k in range(width):
        piece = cells.near[cell, k]
        rows, is_settled = _add(b, piece, scale, cell, width, rows, best, floor, cells, game, w)
        if is_settled:
            return best, rows, False
    while True:
        above = play(game.table, rows, width, game.tableau, game.mix)
        if above <= max(best + GAP, floor):
            return best, rows, False
        for i in range(3):
            w[A, i] = 0.0
            for k in range(width):
                w[A, i] += game.mix[1, k] * cells.corner[cell, k, i]
        value, piece = _nearest(b, j, scale, game.chosen[0], floor, search)
        best = max(best, value)
        before = rows
        rows, is_settled = _add(b, piece, scale, cell, width, rows, best, floor, cells, game, w)
        if is_settled or above <= max(best + GAP, floor):
            return best, rows, False
        if rows == before:
            return best, rows, True


@inner
def _add(b, piece, scale, cell, width, rows, best, floor, cells, game, w):  # type: ignore[no-untyped-def]
    """Adds a piece's distances from the corners to the table, unless it is there or the table is
    full; (rows, whether this piece alone bounds the cell)."""
    for k in range(rows):
        if game.chosen[k] == piece:
            return rows, False
    if rows == MOST:
        return rows, False
    game.chosen[rows] = piece
    largest = 0.0
    for k in range(width):
        for i in range(3):
            w[A, i] = cells.corner[cell, k, i]
        game.table[rows, k] = point_distance(w, b, piece, scale)
        largest = max(largest, game.table[rows, k])
    return rows + 1, largest <= max(best + GAP, floor)


@inner
def _cut(cell, width, known, rows, b, scale, cells, game, w):  # type: ignore[no-untyped-def]
    """(u, v, t): cut the edge from corner u to v at t; u < 0 if the cell is a point."""
    bu, bv, bt, longest = -1, -1, 0.5, 0.0
    cu, cv, ct, highest = -1, -1, 0.5, known + GAP
    for u in range(width):
        for v in range(u + 1, width):
            square = 0.0
            for i in range(3):
                step = cells.corner[cell, u, i] - cells.corner[cell, v, i]
                square += step * step
            if square > longest:
                bu, bv, longest = u, v, square
            t, height = _crossing(cell, u, v, rows, cells, game)
            if height > highest and _LEAST_CUT < t < 1.0 - _LEAST_CUT:
                cu, cv, ct, highest = u, v, t, height
    if cu >= 0 and cells.state[cell, 1] % 3 < 2:
        return cu, cv, _balance(cell, cu, cv, ct, b, scale, cells, w)
    return bu, bv, bt


@inner
def _crossing(cell, u, v, rows, cells, game):  # type: ignore[no-untyped-def]
    """Where along an edge the bounds of the pieces nearest to its ends cross, and their value."""
    p = q = 0
    for k in range(rows):
        p = k if game.chosen[k] == cells.near[cell, u] else p
        q = k if game.chosen[k] == cells.near[cell, v] else q
    rise, fall = game.table[q, u] - game.table[p, u], game.table[p, v] - game.table[q, v]
    if rise + fall <= 0.0:
        return 0.5, 0.0
    t = rise / (rise + fall)
    return t, game.table[p, u] + t * (game.table[p, v] - game.table[p, u])


@inner
def _balance(cell, u, v, t, b, scale, cells, w):  # type: ignore[no-untyped-def]
    """Where along the edge the pieces nearest to its ends are equally far, from the guess t: regula
    falsi with halved weights (Dowell and Jarratt 1971, "Illinois")."""
    p, q = cells.near[cell, u], cells.near[cell, v]
    low, high = 0.0, 1.0
    below = _lead(cell, u, v, low, p, q, b, scale, cells, w)
    above = _lead(cell, u, v, high, p, q, b, scale, cells, w)
    if below >= 0.0 or above <= 0.0:
        return t
    side = 0
    for _ in range(_ROUNDS):
        t = low + (high - low) * (below / (below - above))
        lead = _lead(cell, u, v, t, p, q, b, scale, cells, w)
        if lead == 0.0 or high - low < _LEAST_CUT**2:
            break
        if lead < 0.0:
            low, below = t, lead
            above = above * 0.5 if side < 0 else above
            side = -1
        else:
            high, above = t, lead
            below = below * 0.5 if side > 0 else below
            side = 1
    return min(max(t, _LEAST_CUT), 1.0 - _LEAST_CUT)


@inner
def _lead(cell, u, v, t, p, q, b, scale, cells, w):  # type: ignore[no-untyped-def]
    """How much farther piece p is than piece q from a point of an edge."""
    total = 0.0
    for piece, sign in ((p, 1.0), (q, -1.0)):
        _place(cell, u, v, t, cells, w)
        total += sign * point_distance(w, b, piece, scale)
    return total


@inner
def _place(cell, u, v, t, cells, w):  # type: ignore[no-untyped-def]
    """Row A of w becomes the point at t of an edge."""
    for i in range(3):
        start = cells.corner[cell, u, i]
        w[A, i] = start + t * (cells.corner[cell, v, i] - start)


@inner
def _split(top, width, u, v, t, b, j, scale, best, floor, search, cells):  # type: ignore[no-untyped-def]
    """Cell `top` becomes two, `top` and the next; the best value."""
    w = search.w
    _place(top, u, v, t, cells, w)
    middle = (w[A, 0], w[A, 1], w[A, 2])
    value, piece = _nearest(b, j, scale, cells.near[top, u], floor, search)
    for k in range(width):
        for i in range(3):
            cells.corner[top + 1, k, i] = cells.corner[top, k, i]
        cells.far[top + 1, k], cells.near[top + 1, k] = cells.far[top, k], cells.near[top, k]
    level = cells.state[top, 1] + 1
    for cell, end in ((top, u), (top + 1, v)):
        cells.corner[cell, end, 0], cells.corner[cell, end, 1], cells.corner[cell, end, 2] = middle
        cells.far[cell, end], cells.near[cell, end] = value, piece
        cells.state[cell, 0], cells.state[cell, 1] = width, level
    return max(best, value)
