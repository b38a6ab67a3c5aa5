"""Triangles of a polygon with holes, by clipping ears.

A polygon in space need not be flat. Its surface is by definition what this makes of it: the rings
are projected along the axis in which the outer ring's Newell normal is largest, the projection is
triangulated, and the triangles get the vertices in space back. Every edge of every ring is an edge
of a triangle, also where rings cross each other or a hole lies outside (what lies between them is
then nothing to rely on).

Holes are joined to the outer ring by bridges, the one that reaches farthest right first; ears are
clipped in turn, each second one, which leaves fewer needles (Meisters 1975; Eberly, Triangulation
by Ear Clipping, 2002). Where touching rings leave no clean ear, one whose border others touch is
taken, then any. Estimate: points * reflex points.
"""

from __future__ import annotations

import numpy as np

from hartonomous.kernels.geometry.compiling import inner
from hartonomous.kernels.geometry.layout import Offsets

#: what an orientation may be off by, relative to its two products (Shewchuk 1997: 3 + 16 u)
_ROUNDING = 4.0 * 2.0**-53
#: how much an ear may be in conflict with other points: not at all, at its border, in any way
_CLEAN, _TOUCHED, _ANY = 0, 1, 2


def estimate(points: Offsets) -> float:
    """Seconds of Python for polygons of so many points each."""
    return float((1e-4 * points + 2e-6 * points * points).sum())


@inner
def triangulate(coords, first, last, rings, first_ring, last_ring, triangles):  # type: ignore[no-untyped-def]
    """Writes the triangles of the polygon coords[first:last] as rows of `coords` into
    `triangles: int64[*,3]`, at most last - first + 2 * rings of them; returns their number."""
    holes = last_ring - first_ring - 1
    capacity = last - first + 2 * holes
    vertex = np.empty(capacity, np.int64)
    places = np.empty((capacity, 2), np.float64)
    link = np.empty((capacity, 2), np.int64)  # the node before, the node behind
    axis, scale = _projection(
        coords, first, first + _ring_end(rings, first_ring, last_ring, last - first)
    )
    heads = np.empty(holes + 1, np.int64)
    count = 0
    for r in range(holes + 1):
        start = first + rings[first_ring + r]
        end = first + _ring_end(rings, first_ring + r, last_ring, last - first)
        heads[r] = count
        count = _add_ring(coords, start, end, axis, scale, r == 0, vertex, places, link, count)
    for r in range(1, holes + 1):
        heads[r] = _rightmost(places, link, heads[r])
    for r in range(1, holes + 1):
        for k in range(r + 1, holes + 1):  # the one that reaches farthest right comes first
            if places[heads[k], 0] > places[heads[r], 0]:
                heads[r], heads[k] = heads[k], heads[r]
        count = _bridge(places, vertex, link, heads[0], heads[r], count)
    return _clip(places, vertex, link, heads[0], count, triangles)


@inner
def _ring_end(rings, ring, last_ring, points):  # type: ignore[no-untyped-def]
    return rings[ring + 1] if ring + 1 < last_ring else points


@inner
def _projection(coords, start, end):  # type: ignore[no-untyped-def]
    """(the axis in which the Newell normal is largest, a power of 2 that scales sizes to 1)."""
    size = 0.0
    for k in range(start, end):
        for i in range(3):
            size = max(size, abs(coords[k, i] * 0.5 - coords[start, i] * 0.5))
    scale = 2.0 ** -min(max(np.floor(np.log2(size)), -1000.0), 1000.0) if size > 0.0 else 1.0
    normal = np.zeros(3)
    for k in range(start, end):
        n = k + 1 if k + 1 < end else start
        for i in range(3):
            u, v = (i + 1) % 3, (i + 2) % 3
            low = (coords[k, u] * 0.5 - coords[start, u] * 0.5) * scale
            high = (coords[n, u] * 0.5 - coords[start, u] * 0.5) * scale
            a = (coords[k, v] * 0.5 - coords[start, v] * 0.5) * scale
            b = (coords[n, v] * 0.5 - coords[start, v] * 0.5) * scale
            normal[i] += low * b - high * a
    axis = 2
    for i in range(2):
        if abs(normal[i]) > abs(normal[axis]):
            axis = i
    return axis, scale * 0.5


@inner
def _add_ring(coords, start, end, axis, scale, is_outer, vertex, places, link, count):  # type: ignore[no-untyped-def]
    """Nodes of one ring, without repeated points: outer rings anticlockwise, holes clockwise."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    head = count
    for k in range(start, end):
        if count > head and _same(coords, k, vertex[count - 1]):
            continue
        vertex[count] = k
        places[count, 0], places[count, 1] = coords[k, u] * scale, coords[k, v] * scale
        count += 1
    if count - head > 1 and _same(coords, vertex[head], vertex[count - 1]):
        count -= 1
    area = 0.0
    for k in range(head, count):
        n = k + 1 if k + 1 < count else head
        area += (places[k, 0] - places[head, 0]) * (places[n, 1] - places[head, 1])
        area -= (places[n, 0] - places[head, 0]) * (places[k, 1] - places[head, 1])
    behind = 1 if (area > 0.0) == is_outer else 0
    for k in range(head, count):
        link[k, behind] = k + 1 if k + 1 < count else head
        link[k, 1 - behind] = k - 1 if k > head else count - 1
    return count


@inner
def _same(coords, a, b):  # type: ignore[no-untyped-def]
    return (
        coords[a, 0] == coords[b, 0]
        and coords[a, 1] == coords[b, 1]
        and coords[a, 2] == coords[b, 2]
    )


@inner
def _turn(places, a, b, c):  # type: ignore[no-untyped-def]
    """> 0 where a, b, c turn left, < 0 where they turn right, 0 on one line within rounding."""
    left = (places[b, 0] - places[a, 0]) * (places[c, 1] - places[a, 1])
    right = (places[b, 1] - places[a, 1]) * (places[c, 0] - places[a, 0])
    turn = left - right
    return 0.0 if abs(turn) <= _ROUNDING * (abs(left) + abs(right)) else turn


@inner
def _is_at(places, a, b):  # type: ignore[no-untyped-def]
    return places[a, 0] == places[b, 0] and places[a, 1] == places[b, 1]


@inner
def _rightmost(places, link, head):  # type: ignore[no-untyped-def]
    best, node = head, link[head, 1]
    while node != head:
        if places[node, 0] > places[best, 0]:
            best = node
        node = link[node, 1]
    return best


@inner
def _bridge(places, vertex, link, head, hole, count):  # type: ignore[no-untyped-def]
    """Joins the hole, at its rightmost node, to a node that it sees; two nodes more."""
    seen = _seen(places, link, head, hole)
    seen = _copy_facing(places, link, seen, link[hole, 1] if _is_at(places, seen, hole) else hole)
    there, back = count, count + 1  # copies of the hole's node and of the one that it sees
    for copy, node in ((there, hole), (back, seen)):
        vertex[copy] = vertex[node]
        places[copy, 0], places[copy, 1] = places[node, 0], places[node, 1]
    before, after = link[hole, 0], link[seen, 1]
    link[seen, 1], link[hole, 0] = hole, seen
    link[before, 1], link[there, 0] = there, before
    link[there, 1], link[back, 0] = back, there
    link[back, 1], link[after, 0] = after, back
    return count + 2


@inner
def _seen(places, link, head, hole):  # type: ignore[no-untyped-def]
    """A node that the hole's rightmost one sees: the ray to the right meets an edge; its end that
    is farther right, or of the points within the triangle of the three, that nearest the ray."""
    x, y = places[hole, 0], places[hole, 1]
    found, met = -1, np.inf
    node = head
    while True:
        after = link[node, 1]
        y0, y1 = places[node, 1], places[after, 1]
        if y0 <= y <= y1 and y0 < y1:
            x0, x1 = places[node, 0], places[after, 0]
            at = x0 if y == y0 else x1 if y == y1 else x0 + (y - y0) / (y1 - y0) * (x1 - x0)
            if x <= at < met:
                met = at
                found = node if x0 > x1 or (x0 == x1 and y - y0 < y1 - y) else after
                found = node if y == y0 else after if y == y1 else found
        node = after
        if node == head:
            break
    if found < 0:  # no ring around it
        return _nearest_node(places, link, head, hole)
    best = found
    if places[found, 1] != y:
        best = _nearest_in_sight(places, link, head, hole, found, met)
    return best


@inner
def _nearest_node(places, link, head, hole):  # type: ignore[no-untyped-def]
    best, nearest, node = head, np.inf, head
    while True:
        dx, dy = places[node, 0] - places[hole, 0], places[node, 1] - places[hole, 1]
        if dx * dx + dy * dy < nearest:
            best, nearest = node, dx * dx + dy * dy
        node = link[node, 1]
        if node == head:
            return best


@inner
def _nearest_in_sight(places, link, head, hole, end, met):  # type: ignore[no-untyped-def]
    """Of the edge's end and all nodes in the triangle (hole, point met, end) the one at the least
    angle to the ray, of those the nearest: nothing lies before it."""
    x, y = places[hole, 0], places[hole, 1]
    ex, ey = places[end, 0] - x, places[end, 1] - y
    side = 1.0 if ey > 0.0 else -1.0
    best, best_slope, best_x = end, abs(ey) / ex if ex > 0.0 else np.inf, ex
    node = head
    while True:
        dx, dy = places[node, 0] - x, side * (places[node, 1] - y)
        # within the wedge, and not beyond the edge from the point met to the end
        if dx > 0.0 and dy >= 0.0 and dy / dx <= best_slope:
            beyond = (dx - (met - x)) * side * ey - dy * (ex - (met - x))
            if beyond <= 0.0 and (dy / dx < best_slope or dx < best_x):
                best, best_slope, best_x = node, dy / dx, dx
        node = link[node, 1]
        if node == head:
            return best


@inner
def _copy_facing(places, link, best, target):  # type: ignore[no-untyped-def]
    """Bridges leave several nodes at one place: the one in whose angle the target lies."""
    node = best
    while True:
        if _is_at(places, node, best):
            a, c = link[node, 0], link[node, 1]
            left_of_in = _turn(places, a, node, target) >= 0.0
            left_of_out = _turn(places, node, c, target) >= 0.0
            is_convex = _turn(places, a, node, c) >= 0.0
            if (left_of_in and left_of_out) if is_convex else (left_of_in or left_of_out):
                return node
        node = link[node, 1]
        if node == best:
            return best


@inner
def _clip(places, vertex, link, head, nodes, triangles):  # type: ignore[no-untyped-def]
    left, node = 1, link[head, 1]
    while node != head:
        left, node = left + 1, link[node, 1]
    written, conflict, since = 0, _CLEAN, 0
    while left > 3:
        if _is_ear(places, link, node, conflict):
            a, c = link[node, 0], link[node, 1]
            _write(triangles, written, vertex, a, node, c)
            written += 1
            link[a, 1], link[c, 0] = c, a
            left -= 1
            # spikes go first: at their ends lie touching nodes whose order they tell
            node = link[c, 1]
            for end in (a, c):
                if _turn(places, link[end, 0], end, link[end, 1]) == 0.0:
                    node = end
            conflict, since = _CLEAN, 0
        else:
            node = link[node, 1]
            since += 1
            if since > left:
                conflict, since = conflict + 1, 0
    b = link[node, 1]
    _write(triangles, written, vertex, node, b, link[b, 1])
    return written + 1


@inner
def _write(triangles, row, vertex, a, b, c):  # type: ignore[no-untyped-def]
    triangles[row, 0], triangles[row, 1], triangles[row, 2] = vertex[a], vertex[b], vertex[c]


@inner
def _is_ear(places, link, node, conflict):  # type: ignore[no-untyped-def]
    a, c = link[node, 0], link[node, 1]
    turn = _turn(places, a, node, c)
    if turn == 0.0 or conflict >= _ANY:
        return True
    if turn < 0.0:
        return False
    xs = min(places[a, 0], min(places[node, 0], places[c, 0]))
    xl = max(places[a, 0], max(places[node, 0], places[c, 0]))
    ys = min(places[a, 1], min(places[node, 1], places[c, 1]))
    yl = max(places[a, 1], max(places[node, 1], places[c, 1]))
    p = link[c, 1]
    while p != a:
        x, y = places[p, 0], places[p, 1]
        if (
            xs <= x <= xl
            and ys <= y <= yl
            and _is_in_the_way(places, link, a, node, c, p, conflict)
        ):
            return False
        p = link[p, 1]
    return True


@inner
def _is_in_the_way(places, link, a, b, c, p, conflict):  # type: ignore[no-untyped-def]
    """Whether node p, or an edge of it where it lies on a corner, is within the triangle."""
    before, after = link[p, 0], link[p, 1]
    for _ in range(3):
        if _is_at(places, p, b):
            return _is_between(places, a, b, c, before) or _is_between(places, a, b, c, after)
        a, b, c = b, c, a
    if _turn(places, before, p, after) > 0.0:
        return False  # one whose own angle is convex lies there only with one whose is not
    least = min(_turn(places, a, b, p), min(_turn(places, b, c, p), _turn(places, c, a, p)))
    return least >= 0.0 if conflict == _CLEAN else least > 0.0


@inner
def _is_between(places, a, b, c, p):  # type: ignore[no-untyped-def]
    """Whether p is seen from b strictly between a and c."""
    return _turn(places, a, b, p) > 0.0 and _turn(places, b, c, p) > 0.0
