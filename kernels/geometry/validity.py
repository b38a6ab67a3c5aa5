"""What a geometry must be to be one: the check of values that come from outside.

first_fault(shapes: N values) -> (row, what is wrong) or None. O(points), no copies of them.
"""

from __future__ import annotations

import numpy as np

from hartonomous.kernels.geometry.layout import (
    KIND_NAMES,
    KINDS,
    LINESTRING,
    POINT,
    POLYGON,
    Flags,
    Offsets,
    Shapes,
)

#: points of the smallest ring: a triangle, closed
RING_POINTS_MIN = 4


def first_fault(shapes: Shapes) -> tuple[int, str] | None:
    """The first value that is no geometry, and why; None if all are."""
    points = shapes.num_points
    rings = np.diff(shapes.ring_starts)
    is_polygon = shapes.kind == POLYGON
    checks = (
        (~np.isin(shapes.kind, KINDS), "there is no such kind"),
        (~np.isfinite(shapes.radius) | (shapes.radius < 0), "a radius is 0 or more, and finite"),
        (shapes.srid < 0, "an SRID is 0 or more"),
        (_not_finite(shapes), "a coordinate is not a finite number"),
        ((shapes.kind == POINT) & (points > 1), "a POINT has one point"),
        ((shapes.kind == LINESTRING) & (points == 1), "a LINESTRING has two points or more"),
        ((rings > 0) & ~is_polygon, "only a POLYGON has rings"),
        (is_polygon & ((rings > 0) != (points > 0)), "a POLYGON with points has rings"),
    )
    found = [(int(np.argmax(wrong)), what) for wrong, what in checks if wrong.any()]
    if not found and rings.any():
        found = _faults_of_rings(shapes)
    if not found:
        return None
    row, what = min(found, key=lambda fault: fault[0])
    return row, f"{KIND_NAMES.get(int(shapes.kind[row]), int(shapes.kind[row]))}: {what}"


def _not_finite(shapes: Shapes) -> Flags:
    """bool[N]: has a coordinate that is NaN or infinite."""
    first, last = int(shapes.coord_starts[0]), int(shapes.coord_starts[-1])
    bad = ~np.isfinite(shapes.coords[first:last]).all(axis=1)
    if not bad.any():
        return np.zeros(len(shapes), np.bool_)
    counted = np.concatenate(([0], np.cumsum(bad)))[shapes.coord_starts - first]
    return np.asarray(np.diff(counted) > 0, np.bool_)


def _faults_of_rings(shapes: Shapes) -> list[tuple[int, str]]:
    """Rings in ascending order that fill the points, each of enough points and closed."""
    rows = np.repeat(np.arange(len(shapes)), np.diff(shapes.ring_starts))
    first, last = int(shapes.ring_starts[0]), int(shapes.ring_starts[-1])
    starts = shapes.rings[first:last].astype(np.int64)
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = rows[1:] != rows[:-1]
    ends = np.append(starts[1:], 0)
    is_last = np.append(is_first[1:], True)
    ends[is_last] = shapes.num_points[rows[is_last]]
    wrong = (is_first & (starts != 0)) | (starts < 0) | (ends > shapes.num_points[rows])
    if wrong.any():
        return [(int(rows[np.argmax(wrong)]), "ring starts begin with 0 and lie in its points")]
    short = ends - starts < RING_POINTS_MIN
    if short.any():
        return [(int(rows[np.argmax(short)]), "a ring has four points or more, closed")]
    return _open_rings(shapes, rows, starts, ends)


def _open_rings(
    shapes: Shapes, rows: Offsets, starts: Offsets, ends: Offsets
) -> list[tuple[int, str]]:
    base = shapes.coord_starts[rows]
    differs = shapes.coords[base + starts] != shapes.coords[base + ends - 1]
    opened = differs.any(axis=1)
    if not opened.any():
        return []
    return [(int(rows[np.argmax(opened)]), "a ring ends where it begins")]
