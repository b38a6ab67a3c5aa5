"""What a geometry measures: length, centroid, boxes, convex hull, single points.

All of the core; the radius only where it says so. Sums are taken relative to a value's first point
and after scaling by a power of two, so neither far away nor huge nor tiny values lose more than a
few units in the last place of the largest coordinate. NumPy throughout; hulls, and polygons that
are not flat, are kernels for numba (compiling.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.geometry.layout import (
    HULL,
    LINESTRING,
    POINT,
    POLYGON,
    Flags,
    Kinds,
    Numbers,
    Offsets,
    Shapes,
)

#: a polygon is flat if no point leaves its plane by more than this part of its size
FLATNESS = 1e-12


# ---- single points -------------------------------------------------------------------------------


def num_points(shapes: Shapes) -> Offsets:
    """int64[N]: stored points; a ring counts its first point again at its end."""
    return shapes.num_points


def start_point(shapes: Shapes) -> Shapes:
    """POINT[N]: the first point, EMPTY of an empty value. Radius 0."""
    return point_n(shapes, np.ones(len(shapes), np.int64))


def end_point(shapes: Shapes) -> Shapes:
    """POINT[N]: the last point, EMPTY of an empty value. Radius 0."""
    return point_n(shapes, shapes.num_points)


def point_n(shapes: Shapes, numbers: Offsets) -> Shapes:
    """POINT[N]: point `numbers[i]` of value i, counted from 1 through all rings; EMPTY where there
    is none. Radius 0."""
    valid = (numbers >= 1) & (numbers <= shapes.num_points)
    places = (shapes.coord_starts[:-1] + numbers - 1)[valid]
    return points(shapes, shapes.coords[places], valid)


def points(shapes: Shapes, coords: Numbers, valid: Flags) -> Shapes:
    """POINT[N] in the spaces of `shapes`: `coords` in turn where `valid`, else EMPTY."""
    return _assembled(shapes, np.full(len(shapes), POINT, np.int8), valid.astype(np.int64), coords)


def _assembled(shapes: Shapes, kind: Kinds, counts: Offsets, coords: Numbers) -> Shapes:
    """Values of `counts` points each, radius 0; a POLYGON has one ring."""
    rings = ((kind == POLYGON) & (counts > 0)).astype(np.int64)
    return Shapes(
        kind,
        np.zeros(len(kind)),
        shapes.srid,
        _starts(rings),
        np.zeros(int(rings.sum()), np.int32),
        _starts(counts),
        coords,
    )


def _starts(counts: Offsets) -> Offsets:
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


# ---- boxes ---------------------------------------------------------------------------------------


def bounds(shapes: Shapes) -> Numbers:
    """float64[N,6]: xmin ymin zmin xmax ymax zmax of the swept core, NaN if empty.

    Exact without a radius; with one, the nearest numbers that hold all of it, within float64.
    """
    out = np.full((len(shapes), 6), np.nan)
    full = np.flatnonzero(~shapes.is_empty)
    if not len(full):
        return out
    coords, starts = shapes.coords[: shapes.coord_starts[-1]], shapes.coord_starts[full]
    radius = shapes.radius[full, None]
    low = np.minimum.reduceat(coords, starts, axis=0)
    high = np.maximum.reduceat(coords, starts, axis=0)
    out[full, :3] = 0.0 - _grown(-low, radius)  # no -0
    out[full, 3:] = 0.0 + _grown(high, radius)
    return out


def _grown(edge: Numbers, radius: Numbers) -> Numbers:
    """edge + radius, rounded up (Knuth's two-sum tells what rounding took away)."""
    limit = np.finfo(np.float64).max
    with np.errstate(over="ignore", invalid="ignore"):
        total = edge + radius
        part = total - edge
        lost = (edge - (total - part)) + (radius - part)
        grown = np.where(lost > 0, np.nextafter(total, np.inf), total)
    return np.asarray(np.clip(grown, -limit, limit))


def envelope(shapes: Shapes) -> Shapes:
    """Shapes[N]: the box of `bounds` (the radius has gone into it, the result has none): a POINT,
    a LINESTRING from the low to the high end, a POLYGON, a HULL of 8; POINT EMPTY of an empty
    value."""
    box = bounds(shapes)
    is_wide = box[:, :3] < box[:, 3:]
    dimension = is_wide.sum(axis=1)
    kind = np.array([POINT, LINESTRING, POLYGON, HULL], np.int8)[dimension]
    counts = np.array([1, 2, 5, 8])[dimension]
    counts[shapes.is_empty] = 0
    rows = np.repeat(np.arange(len(shapes)), counts)
    within = np.arange(len(rows)) - _starts(counts)[rows]
    return _assembled(shapes, kind, counts, _corners(box[rows], is_wide[rows], within))


#: which of a box's wide axes are high at its corners, by dimension; a ring goes anticlockwise seen
#: from the positive side of the third axis if axes go x y z x
_CORNERS = np.zeros((4, 8, 3), np.bool_)
_CORNERS[1, :2, 0] = [0, 1]
_CORNERS[2, :5, 0] = [0, 1, 1, 0, 0]
_CORNERS[2, :5, 1] = [0, 0, 1, 1, 0]
for _corner in range(8):
    _CORNERS[3, _corner] = [_corner >> 2 & 1, _corner >> 1 & 1, _corner & 1]
#: for each set of wide axes (x + 2 y + 4 z), at which of the columns above each axis looks
_COLUMNS = np.array(
    [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 2]]
)


def _corners(box: Numbers, is_wide: Flags, within: Offsets) -> Numbers:
    """float64[K,3]: corner `within` of each box."""
    columns = _COLUMNS[is_wide @ np.array([1, 2, 4])]
    is_high = _CORNERS[is_wide.sum(axis=1)[:, None], within[:, None], columns]
    return np.where(is_high, box[:, 3:], box[:, :3])


# ---- length and centroid -------------------------------------------------------------------------


class _Local(NamedTuple):
    """Points relative to their value's first, scaled by a power of two to be at most 2."""

    row: Offsets  # int64[M]: the value of each point
    point: Numbers  # float64[M,3]
    origin: Numbers  # float64[N,3], scaled
    exponent: npt.NDArray[np.int64]  # int64[N]: what is scaled is 2**-exponent of what is stored
    ring_begins: Flags  # bool[M]


def _local(shapes: Shapes) -> _Local:
    """`shapes` have their arrays to themselves: coord_starts[0] is 0."""
    row = np.repeat(np.arange(len(shapes)), shapes.num_points)
    full = np.flatnonzero(~shapes.is_empty)
    starts = shapes.coord_starts[full]
    exponent = np.zeros(len(shapes), np.int64)
    origin = np.zeros((len(shapes), 3))
    coords = shapes.coords
    if len(full):
        largest = np.maximum.reduceat(np.abs(coords).max(axis=1), starts)
        exponent[full] = np.frexp(largest)[1]
        origin[full] = np.ldexp(coords[starts], -exponent[full, None])
    point = np.ldexp(coords, -exponent[row, None]) - origin[row]
    begins = np.zeros(len(row), np.bool_)
    begins[starts] = True
    owners = np.repeat(np.arange(len(shapes)), np.diff(shapes.ring_starts))
    begins[shapes.coord_starts[owners] + shapes.rings] = True
    return _Local(row, point, origin, exponent, begins)


def _sums(values: Numbers, row: Offsets, count: int) -> Numbers:
    """float64[count,…]: sums of `values` by ascending `row`."""
    out = np.zeros((count, *values.shape[1:]))
    if len(row):
        first = np.flatnonzero(np.diff(row, prepend=-1))
        out[row[first]] = np.add.reduceat(values, first, axis=0)
    return out


def _edges(local: _Local, lined: Flags) -> tuple[Offsets, Numbers]:
    """(places of the points at which an edge begins, its length scaled), of values with lines."""
    begins = np.flatnonzero(lined[local.row[:-1]] & ~local.ring_begins[1:])
    steps = local.point[begins + 1] - local.point[begins]
    return begins, np.sqrt(np.square(steps).sum(axis=1))


def length(shapes: Shapes) -> Numbers:
    """float64[N]: of a LINESTRING; of all rings of a POLYGON; 0 of what has no lines: points, a
    HULL (its boundary is a surface), an empty value."""
    lined = np.isin(shapes.kind, (LINESTRING, POLYGON))
    if not lined.any():
        return np.zeros(len(shapes))
    local = _local(_own(shapes))
    begins, lengths = _edges(local, lined)
    total = _sums(lengths, local.row[begins], len(shapes))
    with np.errstate(over="ignore"):
        return np.asarray(np.ldexp(total, local.exponent))


def _own(shapes: Shapes) -> Shapes:
    """The same values with their arrays to themselves, nothing before and nothing behind."""
    if shapes.coord_starts[0] == 0 == shapes.ring_starts[0]:
        return Shapes(
            shapes.kind,
            shapes.radius,
            shapes.srid,
            shapes.ring_starts,
            shapes.rings[: shapes.ring_starts[-1]],
            shapes.coord_starts,
            shapes.coords[: shapes.coord_starts[-1]],
        )
    return shapes.take(np.arange(len(shapes)))


def centroid(shapes: Shapes) -> Shapes:
    """POINT[N]: of the core, by its highest dimension, as OGC has it; EMPTY of an empty value.

    HULL by volume if solid, else by area, length or as points, whatever it is flat to; POLYGON by
    area without its holes, of its triangulation if it is not flat; LINESTRING by length; points by
    their mean. What has no area goes by its rings' length, what has no length by its points.
    """
    full = ~shapes.is_empty
    kept = shapes.take(np.flatnonzero(full))
    if not len(kept):
        return points(shapes, np.empty((0, 3)), full)
    local, count = _local(kept), len(kept)
    counts = kept.num_points[:, None]
    middle = _sums(local.point, local.row, count) / counts
    begins, lengths = _edges(local, np.isin(kept.kind, (LINESTRING, POLYGON)))
    total = _sums(lengths, local.row[begins], count)
    halves = 0.5 * (local.point[begins] + local.point[begins + 1])
    moment = _sums(lengths[:, None] * halves, local.row[begins], count)
    _divide(middle, moment, total)
    _by_area(middle, kept, local, total)
    found = np.ldexp(local.origin + middle, local.exponent[:, None])
    hulls = np.flatnonzero((kept.kind == HULL) & (kept.num_points > 1))
    if len(hulls):
        found[hulls] = _hulls(kept.take(hulls)).centroids
    return points(shapes, _clamped(kept, found), full)


def _divide(middle: Numbers, moment: Numbers, total: Numbers) -> None:
    """Sets middle = moment / total where there is something to divide by."""
    some = total > 0
    middle[some] = moment[some] / total[some, None]


def _clamped(shapes: Shapes, found: Numbers) -> Numbers:
    """`found` moved into the cores' boxes: rounding may put it an ulp outside."""
    starts = shapes.coord_starts[:-1]
    low = np.minimum.reduceat(shapes.coords, starts, axis=0)
    return np.asarray(np.clip(found, low, np.maximum.reduceat(shapes.coords, starts, axis=0)))


def _by_area(middle: Numbers, shapes: Shapes, local: _Local, perimeter: Numbers) -> None:
    """Replaces the middles of polygons that have an area.

    Triangles from the value's first point to each edge, their areas signed by the outer ring's
    normal (Newell), holes taken away whichever way they run.
    """
    count = len(shapes)
    if not len(shapes.rings):
        return
    begins, _ = _edges(local, shapes.kind == POLYGON)
    a, b, row = local.point[begins], local.point[begins + 1], local.row[begins]
    cross = np.cross(a, b)
    ring_of_point = np.cumsum(local.ring_begins & (shapes.kind == POLYGON)[local.row]) - 1
    ring = ring_of_point[begins]
    rings = len(shapes.rings)
    outer = shapes.ring_starts[:-1]  # of each value's rings the first; beyond the last if none
    has_rings = np.diff(shapes.ring_starts) > 0
    normals = np.zeros((count, 3))
    normals[has_rings] = _sums(cross, ring, rings)[outer[has_rings]]
    size = np.sqrt(np.square(normals).sum(axis=1))
    normals[size > 0] /= size[size > 0, None]
    signed = (cross * normals[row]).sum(axis=1)
    areas = _sums(signed, ring, rings)
    sign = np.where(areas < 0, 1.0, -1.0)  # holes
    sign[outer[has_rings]] = 1.0
    weights = signed * sign[ring]
    total = _sums(weights, row, count)
    moment = _sums(weights[:, None] * (a + b) / 3.0, row, count)
    heights = np.abs((local.point * normals[local.row]).sum(axis=1))
    flat = np.maximum.reduceat(heights, shapes.coord_starts[:-1]) <= FLATNESS
    # below that, an area is what rounding left of a line
    total[total <= FLATNESS * np.square(perimeter)] = 0.0
    _divide(middle, moment, total)
    bent = np.flatnonzero(has_rings & ~flat & (total > 0))
    if len(bent):
        from hartonomous.kernels.geometry.surface_moments import surface_moments

        moment, total = surface_moments(shapes, local.point, bent)
        replaced = middle[bent]
        _divide(replaced, moment, total)
        middle[bent] = replaced


# ---- convex hull ---------------------------------------------------------------------------------


class _Hulls(NamedTuple):
    kinds: Kinds  # int8[N]
    counts: Offsets  # int64[N]
    coords: Numbers  # float64[K,3]
    centroids: Numbers  # float64[N,3]


def _hulls(shapes: Shapes) -> _Hulls:
    """Of values that are not empty."""
    from hartonomous.kernels.geometry.compiling import fixed, run
    from hartonomous.kernels.geometry.hull import estimate, hulls

    count = len(shapes)
    kinds, counts = np.empty(count, np.int8), np.empty(count, np.int64)
    coords, centroids = np.empty((shapes.num_points.sum() + count, 3)), np.empty((count, 3))
    given = fixed(shapes.coord_starts), fixed(shapes.coords)
    written = run(hulls, estimate(shapes), *given, kinds, counts, coords, centroids)
    return _Hulls(kinds, counts, coords[:written].copy(), centroids)


def convex_hull(shapes: Shapes) -> Shapes:
    """Shapes[N]: a HULL of the extreme points in the order of x, y, z; or, where no point leaves a
    plane, a line or a point by more than 1e-12 of the largest coordinate, a POLYGON (anticlockwise
    seen from the positive side of the axis nearest to its normal), LINESTRING or POINT.

    A hull of the core keeps the radius: that is the hull of the swept set. POINT EMPTY of an empty
    value. Source and tolerance: hull.py.
    """
    several = shapes.num_points > 1
    kind = np.full(len(shapes), POINT, np.int8)
    counts = np.minimum(shapes.num_points, 1)
    first = shapes.coord_starts[:-1][counts > 0]
    if not several.any():
        made = _assembled(shapes, kind, counts, shapes.coords[first])
    else:
        found = _hulls(shapes.take(np.flatnonzero(several)))
        kind[several], counts[several] = found.kinds, found.counts
        coords = np.empty((int(counts.sum()), 3))
        is_single = np.repeat(~several, counts)
        coords[is_single] = shapes.coords[shapes.coord_starts[:-1][~several & (counts > 0)]]
        coords[~is_single] = found.coords
        made = _assembled(shapes, kind, counts, coords)
    return Shapes(
        made.kind,
        shapes.radius,
        made.srid,
        made.ring_starts,
        made.rings,
        made.coord_starts,
        made.coords,
    )
