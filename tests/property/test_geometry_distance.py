"""Distances and predicates of geometries: against the definition, against shapely, and their laws.

Values come from seeds: numpy makes them, hypothesis chooses and shrinks the seed. Coordinates are
small whole numbers as often as not, so that things touch, lie on one line, or in one plane.
"""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from geometry_compiling import in_compiled_form, python_is_enough  # noqa: F401
from geometry_seeds import (
    CUBE,
    HOLE,
    SQUARE,
    Numbers,
    convex_or_path,
    corners,
    flat_polygon,
    flat_value,
    one,
    shapes_of,
    size,
    values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.kernels.geometry import distance
from hartonomous.kernels.geometry.distance_reference import (
    core_distance_reference,
    pieces_reference,
)
from hartonomous.kernels.geometry.layout import HULL, LINESTRING, POINT, POLYGON, Shapes, make

SEEDS = st.integers(0, 2**32 - 1)
LAWS = settings(max_examples=25, deadline=None)
#: of the largest coordinate
ROUNDING = 1e-14


# ---- the definition ------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_distance_is_that_of_the_definition(seed: int) -> None:
    check_definition(seed)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(SEEDS)
def test_distance_is_that_of_the_definition_at_length(seed: int) -> None:
    with in_compiled_form():
        check_definition(seed)


def check_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = make([convex_or_path(rng)]), make([convex_or_path(rng)])
    expected = core_distance_reference(pieces_reference(a, 0), pieces_reference(b, 0))
    found, back = distance.distances(a, b)[0], distance.distances(b, a)[0]
    assert abs(found - expected) <= ROUNDING * size(a, b), (found, expected)
    assert abs(found - back) <= ROUNDING * size(a, b)
    is_met = distance.intersects(a, b)[0]
    assert is_met == (expected <= distance.TOLERANCE * size(a, b))


@LAWS
@given(SEEDS, st.sampled_from([0, 300, -300, 500, -500]))
def test_a_power_of_two_scales_exactly(seed: int, exponent: int) -> None:
    a, b = values(seed, 6), values(seed + 1, 6)
    factor = 2.0**exponent
    grown = [
        Shapes(s.kind, s.radius * factor, s.srid, s.ring_starts, s.rings, s.coord_starts, c)
        for s in (a, b)
        for c in [s.coords * factor]
    ]
    assert np.array_equal(distance.distances(*grown), distance.distances(a, b) * factor)
    assert np.array_equal(distance.hausdorff(*grown), distance.hausdorff(a, b) * factor)
    assert np.array_equal(distance.within(*grown), distance.within(a, b))


def test_huge_and_tiny() -> None:
    for unit in (1e-310, 1e-300, 1e-160, 1e150, 1e300):
        points = make(
            [(POINT, [3 * unit, 0]), (POINT, [0, 4 * unit]), (POINT, [3 * unit, 1e-9 * unit])]
        )
        line = make([(LINESTRING, [[-3 * unit, 4 * unit], [3 * unit, 4 * unit]])])
        for a in (points, points.take(np.array([2, 1, 0]))):
            np.testing.assert_allclose(
                distance.distances(one(a, 0), one(a, 1)), 5 * unit, rtol=1e-8
            )
        np.testing.assert_allclose(
            distance.distances(points, line), unit * np.array([4.0, 0, 4]), rtol=1e-8
        )
    near = make([(POINT, [1, 0]), (POINT, [1, 1e-170])])
    assert distance.distances(one(near, 0), one(near, 1))[0] == 1e-170
    far = make([(POINT, [1.5e308, 0]), (POINT, [-1.5e308, 0])])
    assert distance.distances(one(far, 0), one(far, 1))[0] == np.inf
    assert (
        distance.distances(make([(LINESTRING, [[1.5e308, 0], [1.5e308, 3]])]), one(far, 0))[0] == 0
    )


@LAWS
@given(SEEDS)
def test_points_have_the_same_bits_on_either_path(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = corners(rng, 50) * rng.choice([1.0, 1e-200, 1e200])
    points = make([(POINT, p) for p in places])
    never, infinite = np.full(50, -1.0), np.full(50, np.inf)
    for other in (one(points, 0), points.take(rng.permutation(50))):
        compiled = distance.core_distances(points, other, never, infinite)
        assert np.array_equal(compiled, distance.point_distances(points, other))


# ---- shapely -------------------------------------------------------------------------------------


@settings(max_examples=4, deadline=None)
@given(SEEDS)
def test_flat_values_are_as_shapely_has_them(seed: int) -> None:
    check_shapely(seed, 20)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_flat_values_are_as_shapely_has_them_at_length(seed: int) -> None:
    with in_compiled_form():
        check_shapely(seed, 300)


def check_shapely(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    areas = [flat_polygon(rng) for _ in range(count)]
    others = [flat_value(rng) for _ in range(count)]
    a, b = shapes_of(areas), shapes_of(others)
    assert_close(distance.distances(a, b), shapely.distance(areas, others))
    assert_close(distance.distances(a, one(b, 0)), shapely.distance(areas, others[0]))
    assert np.array_equal(distance.intersects(a, b), shapely.intersects(areas, others))
    assert np.array_equal(distance.within(b, a), shapely.covers(areas, others))
    assert np.array_equal(distance.within(a, b), shapely.covered_by(areas, others))
    assert_close(triangle_areas(a), shapely.area(areas))
    for order in ([1, 2, 0], [2, 0, 1]):  # another axis is projected along, nothing else changes
        turned_a, turned_b = turned(a, order), turned(b, order)
        assert_close(distance.distances(turned_a, turned_b), shapely.distance(areas, others))
        assert np.array_equal(distance.within(turned_b, turned_a), shapely.covers(areas, others))


def assert_close(found: Numbers, expected: Numbers) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=10 * ROUNDING)


def turned(s: Shapes, order: list[int]) -> Shapes:
    places = np.ascontiguousarray(s.coords[:, order])
    return Shapes(s.kind, s.radius, s.srid, s.ring_starts, s.rings, s.coord_starts, places)


def triangle_areas(polygons: Shapes) -> Numbers:
    """float64[N]: of the triangles that each is made of; more than its own if they overlap."""
    from hartonomous.kernels.geometry.pieces import pieces_of

    pieces = pieces_of(polygons)
    places = pieces.coords[pieces.corner.reshape(-1, 3)]
    normal = np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
    return np.add.reduceat(np.linalg.norm(normal, axis=1) / 2, pieces.starts[:-1])


# ---- laws ----------------------------------------------------------------------------------------


@LAWS
@given(SEEDS)
def test_laws_of_distance(seed: int) -> None:
    a, b, points = values(seed, 8), values(seed + 1, 8), values(seed + 2, 8)
    points = make([(POINT, points.points(i)[0]) for i in range(8)])
    allowed = 10 * ROUNDING * size(a, b, points)
    apart = distance.distances(a, b)
    assert np.array_equal(apart >= 0, np.full(8, True))
    np.testing.assert_allclose(apart, distance.distances(b, a), rtol=0, atol=allowed)
    assert (distance.distances(a, a) == 0).all()
    # a point cannot be nearer to both than they are to each other
    around = distance.distances(a, points) + distance.distances(points, b)
    assert (apart <= around + a.radius * 0 + allowed).all()
    each = [distance.distances(one(a, i), b) for i in range(8)]
    assert np.array_equal(np.diagonal(each), apart)
    assert np.array_equal(
        distance.distances(b, one(a, 3)),
        [distance.distances(one(b, i), one(a, 3))[0] for i in range(8)],
    )
    assert np.array_equal(distance.intersects(a, b), apart <= distance.tolerances(a, b))


# ---- single cases --------------------------------------------------------------------------------


def test_empty_values() -> None:
    a = make([(POINT, []), (POINT, [1, 2]), (POLYGON, []), (LINESTRING, []), (HULL, CUBE)])
    for function in (distance.distances, distance.hausdorff, distance.frechet):
        found = function(a, one(a, 0))
        assert np.isnan(found).all()
    assert np.isnan(distance.distances(a, a)).tolist() == [True, False, True, True, False]
    assert not distance.intersects(a, one(a, 0)).any()
    assert not distance.within(a, one(a, 0)).any() and not distance.within(one(a, 0), a).any()
    assert distance.equal_sets(a, one(a, 0)).tolist() == [True, False, True, True, False]
    nothing = a.take(np.empty(0, np.int64))
    for function in (distance.distances, distance.intersects, distance.within, distance.frechet):
        assert len(function(nothing, one(a, 1))) == 0


def test_swept_cores() -> None:
    point, line = make([(POINT, [5, 0])], 2.0), make([(LINESTRING, [[0, -9], [0, 9]])], 1.0)
    assert distance.distances(point, line)[0] == 2
    touching = make([(POINT, [5, 0])], 4.0)
    assert distance.distances(touching, line)[0] == 0 and distance.intersects(touching, line)[0]
    small, large = make([(POINT, [1, 0])], 1.0), make([(POINT, [0, 0])], 2.0)
    assert distance.within(small, large)[0] and not distance.within(large, small)[0]
    assert distance.hausdorff(small, large)[0] == 2
    assert distance.within(make([(HULL, CUBE)]), make([(POINT, [0.5, 0.5, 0.5])], 0.75**0.5))[0]
    assert not distance.within(make([(HULL, CUBE)]), make([(POINT, [0.5, 0.5, 0.5])], 0.866))[0]
    # a core without extent is no set of radius 0 around one with radius
    assert not distance.within(small, make([(POLYGON, SQUARE)]))[0]


def test_holes_and_borders() -> None:
    ring = make([(POLYGON, SQUARE + HOLE)], rings=[[0, 5]])
    places = [[2, 2], [1, 2], [0.5, 0.5], [0, 0], [2, 2, 7], [4, 2, 0], [5, 2, 0]]
    points = make([(POINT, p) for p in places])
    assert distance.distances(points, ring).tolist() == [1, 0, 0, 0, 50**0.5, 0, 1]
    assert distance.within(points, ring).tolist() == [False, True, True, True, False, True, False]
    assert distance.within(make([(POLYGON, HOLE)]), ring)[0] == np.False_
    assert distance.within(make([(LINESTRING, HOLE)]), ring)[0]
    assert distance.within(ring, make([(POLYGON, SQUARE)]))[0]
    # through the hole, and through the surface
    needle = make(
        [(LINESTRING, [[2, 2, -1], [2, 2, 1]]), (LINESTRING, [[0.5, 2, -1], [0.5, 2, 1]])]
    )
    assert distance.distances(needle, ring).tolist() == [1, 0]


def test_surfaces_in_space() -> None:
    """Every edge of every ring belongs to the surface, whatever the triangulation."""
    rng = np.random.default_rng(7)
    angles = np.linspace(0, 2 * np.pi, 12)[:-1]
    outer = np.column_stack([3 * np.cos(angles), 3 * np.sin(angles), rng.normal(size=11)])
    hole = outer[::-1] * [0.2, 0.3, 1.0]
    rings = [np.vstack([r, r[:1]]) for r in (outer, hole)]
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        ring = make([(POLYGON, np.concatenate(rings)[:, order])], rings=[[0, 12]])
        middles = np.concatenate([(r[1:] + r[:-1]) / 2 for r in rings])[:, order]
        points = make([(POINT, p) for p in middles])
        assert distance.intersects(points, ring).all()
        assert distance.within(make([(LINESTRING, rings[0][:, order])]), ring)[0]
        assert distance.distances(make([(POINT, [0, 0, 0])]), ring)[0] > 0.1


def test_a_cancelled_search_ends() -> None:
    a = values(1, 5)
    stop = np.ones(1, np.int8)
    for function in (distance.distances, distance.within, distance.hausdorff, distance.frechet):
        assert len(function(a, a, cancel=stop)) == 5


def test_mapped_arrays_are_read_only() -> None:
    a = values(3, 6)
    fixed = Shapes(*(getattr(a, name).copy() for name in Shapes.__slots__))
    for name in Shapes.__slots__:
        getattr(fixed, name).setflags(write=False)
    assert np.array_equal(
        distance.distances(fixed, one(fixed, 0)), distance.distances(a, one(a, 0))
    )
    assert np.array_equal(distance.within(fixed, fixed), distance.within(a, a))
