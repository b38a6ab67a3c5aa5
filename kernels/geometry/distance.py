"""Distances and predicates of swept cores (a core, swept by a ball of radius r).

    a, b: N values each, or one of them 1 value, which is then compared with every other

    distances    max(0, core distance - r_a - r_b)
    intersects   distance = 0
    within       h(core of a -> core of b) + r_a <= r_b, h the directed Hausdorff distance
    equal_sets   within both ways
    hausdorff    the larger of h + r_a - r_b both ways
    frechet      of paths

Sets are closed. Predicates allow 1e-12 of the largest number (coordinate or radius) of the pair.
With an empty value a distance is NaN and a predicate false; two empty values are equal sets.
Distances are good to a few units in the last place of the largest coordinate; a core distance that
is no more than rounding is 0, but between two points every bit counts.

`cancel` is an int8[1] that another thread may set: results are then incomplete.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.geometry.layout import LINESTRING, POINT, Flags, Numbers, Shapes

#: what predicates allow, of the largest number of a pair
TOLERANCE = 1e-12

Cancel = npt.NDArray[np.int8]


def distances(a: Shapes, b: Shapes, cancel: Cancel | None = None) -> Numbers:
    """float64[N]: STDistance."""
    if (a.kind == POINT).all() and (b.kind == POINT).all():
        core = point_distances(a, b)
    else:
        count = broadcast(a, b)
        core = core_distances(a, b, a.radius + b.radius, np.full(count, np.inf), cancel)
    return np.asarray(np.maximum(core - a.radius - b.radius, 0.0))


def intersects(a: Shapes, b: Shapes, cancel: Cancel | None = None) -> Flags:
    """bool[N]: STIntersects. Stops at the first pair of pieces that is near enough."""
    reach = a.radius + b.radius + tolerances(a, b)
    if (a.kind == POINT).all() and (b.kind == POINT).all():
        core = point_distances(a, b)
    else:
        core = core_distances(a, b, reach, reach, cancel)
    return np.asarray(core <= reach)


def within(a: Shapes, b: Shapes, cancel: Cancel | None = None) -> Flags:
    """bool[N]: STWithin."""
    reach = b.radius - a.radius + tolerances(a, b)
    return np.asarray(directed_distances(a, b, reach, reach, cancel) <= reach)


def equal_sets(a: Shapes, b: Shapes, cancel: Cancel | None = None) -> Flags:
    """bool[N]: STEquals."""
    empty = a.is_empty & b.is_empty
    return np.asarray((within(a, b, cancel) & within(b, a, cancel)) | empty)


def hausdorff(a: Shapes, b: Shapes, cancel: Cancel | None = None) -> Numbers:
    """float64[N]: max(0, h(a -> b) + r_a - r_b, h(b -> a) + r_b - r_a) of the cores' directed
    distances h: the least r with which each, swept farther by r, is STWithin's superset of the
    other. It is a metric. Of the swept sets themselves it is the Hausdorff distance where the cores
    are convex and neither lies inside the other, and an upper bound always. NaN with an empty
    value. Good to 2e-13 of the largest coordinate."""
    grown = a.radius - b.radius
    there = directed_distances(a, b, np.float64(-1.0), np.float64(np.inf), cancel)
    back = directed_distances(b, a, np.float64(-1.0), np.float64(np.inf), cancel)
    return np.asarray(np.maximum(np.maximum(there + grown, back - grown), 0.0))


def frechet(a: Shapes, b: Shapes, cancel: Cancel | None = None) -> Numbers:
    """float64[N]: the continuous Fréchet distance of two paths: the least r for which two balls,
    of radii r_a and r_b, can move along them from start to end, never back, with a Hausdorff
    distance of at most r: that of the cores plus |r_a - r_b|. A POINT stays where it is. NaN with
    an empty value, and where one is no path."""
    from hartonomous.kernels.geometry.compiling import fixed, run
    from hartonomous.kernels.geometry.frechet import estimate, frechet_distances

    out = np.empty(broadcast(a, b))
    steps = int(len(a) > 1), int(len(b) > 1)
    paths = (fixed(x) for s in (a, b) for x in (s.coord_starts, s.coords))
    run(frechet_distances, estimate(a, b), *paths, *steps, flag(cancel), out)
    is_path = np.isin(a.kind, (POINT, LINESTRING)) & np.isin(b.kind, (POINT, LINESTRING))
    return np.asarray(np.where(is_path, out + np.abs(a.radius - b.radius), np.nan))


def broadcast(a: Shapes, b: Shapes) -> int:
    """The number of pairs."""
    assert len(a) == len(b) or len(a) == 1 or len(b) == 1, (len(a), len(b))
    return len(b) if len(a) == 1 else len(a)


def flag(cancel: Cancel | None) -> Cancel:
    return np.zeros(1, np.int8) if cancel is None else cancel


def tolerances(a: Shapes, b: Shapes) -> Numbers:
    """float64[N]: what a predicate allows for each pair."""
    return np.asarray(TOLERANCE * np.maximum(largest(a), largest(b)))


def largest(s: Shapes) -> Numbers:
    """float64[N]: the largest absolute coordinate, or the radius if that is larger."""
    first, last = int(s.coord_starts[0]), int(s.coord_starts[-1])
    made: Numbers = s.radius.copy()
    if last > first:
        sizes = np.abs(s.coords[first:last]).max(axis=1)
        filled = ~s.is_empty
        starts = s.coord_starts[:-1][filled] - first
        made[filled] = np.maximum(made[filled], np.maximum.reduceat(sizes, starts))
    return made


def core_distances(
    a: Shapes, b: Shapes, stops: Numbers, limits: Numbers, cancel: Cancel | None = None
) -> Numbers:
    """float64[N]: distances of the cores alone, NaN where one is empty; some distance up to
    stops[n] if it is no larger than that, inf if it is larger than limits[n]."""
    from hartonomous.kernels.geometry import core_distance as kernel
    from hartonomous.kernels.geometry.compiling import run
    from hartonomous.kernels.geometry.pieces import pieces_of

    out = np.empty(broadcast(a, b))
    steps = int(len(a) > 1), int(len(b) > 1)
    broadcasted = (np.array(np.broadcast_to(x, len(out))) for x in (stops, limits))
    p, q = pieces_of(a), pieces_of(b)
    seconds = kernel.estimate(p, q)
    run(kernel.core_distances, seconds, p, q, *steps, *broadcasted, flag(cancel), out)
    return out


def directed_distances(
    a: Shapes,
    b: Shapes,
    floors: Numbers | np.float64,
    ceilings: Numbers | np.float64,
    cancel: Cancel | None = None,
) -> Numbers:
    """float64[N]: directed Hausdorff distances h(core of a -> core of b), NaN where one is empty;
    something up to floors[n] if it is no larger than that, something above ceilings[n] if it is
    larger than that."""
    from hartonomous.kernels.geometry import hausdorff as kernel
    from hartonomous.kernels.geometry.compiling import run
    from hartonomous.kernels.geometry.pieces import pieces_of

    out = np.empty(broadcast(a, b))
    steps = int(len(a) > 1), int(len(b) > 1)
    limits = (np.array(np.broadcast_to(x, len(out))) for x in (floors, ceilings))
    cells, pieces = pieces_of(a), pieces_of(b)
    if cells.width.max(initial=0) > 4 and np.diff(pieces.starts).max(initial=0) > 1:
        from hartonomous.kernels.geometry.tetrahedra import simplices_of

        cells = simplices_of(cells)
    is_bounded = bool(np.isfinite(ceilings).all())
    seconds = kernel.estimate(cells, pieces, is_bounded)
    run(kernel.directed_distances, seconds, cells, pieces, *steps, *limits, flag(cancel), out)
    return out


def point_distances(a: Shapes, b: Shapes) -> Numbers:
    """float64[N]: distances of POINTs' cores, in NumPy, the same bits as the compiled kernel's."""
    p, q = _places(a), _places(b)
    size = np.maximum(np.abs(p).max(axis=1, initial=0), np.abs(q).max(axis=1, initial=0))
    if ((size > 1e-100) & (size < 1e100) | np.isnan(size)).all():
        return _lengths(p - q)
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.ldexp(1.0, np.minimum(-np.frexp(size)[1], 1023))[:, None]
        return np.asarray(_lengths(p * scale - q * scale) / scale[:, 0])


def _places(s: Shapes) -> Numbers:
    """float64[N,3]: each POINT's coordinates, NaN for an empty one."""
    first, last = int(s.coord_starts[0]), int(s.coord_starts[-1])
    if last - first == len(s):
        return s.coords[first:last]
    places = np.full((len(s), 3), np.nan)
    filled = ~s.is_empty
    places[filled] = s.coords[s.coord_starts[:-1][filled]]
    return places


def _lengths(d: Numbers) -> Numbers:
    made = np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2])
    small = made < 1e-130
    if small.any():
        made[small] = _lengths_of_small(d[small])
    return np.asarray(made)


def _lengths_of_small(d: Numbers) -> Numbers:
    up = 2.0**600
    d = d * up
    return np.asarray(np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2]) / up)
