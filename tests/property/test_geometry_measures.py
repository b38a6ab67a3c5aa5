"""Measures of geometries: shapely's for z = 0, brute-force definitions in space, and what moving,
turning, scaling and slicing must not change."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from geometries import any_number, assert_same, shapes, sliced, small_number
from geometry_compiling import python_is_enough  # noqa: F401
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hartonomous.kernels.geometry import exact, hull, measures, wkt
from hartonomous.kernels.geometry.hull_reference import extreme_reference
from hartonomous.kernels.geometry.layout import (
    HULL,
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Numbers,
    Shapes,
    make,
)
from hartonomous.kernels.geometry.validity import first_fault

MEASURES = (
    measures.length,
    measures.centroid,
    measures.envelope,
    measures.convex_hull,
    measures.bounds,
    measures.start_point,
    measures.end_point,
    measures.num_points,
)


def parsed(*texts: str) -> Shapes:
    rows = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    found = wkt.parse_wkt(offsets, np.frombuffer(b"".join(rows), np.uint8))
    assert found.error_row < 0, texts
    return found.shapes


def written(made: Shapes) -> list[str]:
    offsets, data = wkt.format_wkt(made)
    return [data[a:b].tobytes().decode() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]


def rotation(seed: int) -> npt.NDArray[np.float64]:
    made, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    made[:, 0] *= np.linalg.det(made)
    return made


# ---- by hand -------------------------------------------------------------------------------------

SQUARE = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))"
CASES = [
    # text, length, centroid, envelope, convex hull
    ("POINT (1 2 3)", 0, "POINT Z (1 2 3)", "POINT Z (1 2 3)", "POINT Z (1 2 3)"),
    ("POLYGON EMPTY", 0, "POINT EMPTY", "POINT EMPTY", "POINT EMPTY"),
    (
        "LINESTRING (0 0, 3 4, 3 4)", 5, "POINT Z (1.5 2 0)",
        "POLYGON Z ((0 0 0, 3 0 0, 3 4 0, 0 4 0, 0 0 0))", "LINESTRING Z (0 0 0, 3 4 0)",
    ),
    (
        "LINESTRING (0 1 0, 0 1 -5)", 5, "POINT Z (0 1 -2.5)",
        "LINESTRING Z (0 1 -5, 0 1 0)", "LINESTRING Z (0 1 -5, 0 1 0)",
    ),
    (
        "LINESTRING (0 1 0, 0 3 1)", 5**0.5, "POINT Z (0 2 0.5)",
        "POLYGON Z ((0 1 0, 0 3 0, 0 3 1, 0 1 1, 0 1 0))", "LINESTRING Z (0 1 0, 0 3 1)",
    ),
    (
        "LINESTRING (0 1 0, 2 1 1)", 5**0.5, "POINT Z (1 1 0.5)",
        "POLYGON Z ((0 1 0, 0 1 1, 2 1 1, 2 1 0, 0 1 0))", "LINESTRING Z (0 1 0, 2 1 1)",
    ),
    ("LINESTRING (1 1, 1 1)", 0, *["POINT Z (1 1 0)"] * 3),
    (
        "POLYGON ((0 0, 0 2, 2 2, 2 0, 0 0))", 8, "POINT Z (1 1 0)",
        *["POLYGON Z ((0 0 0, 2 0 0, 2 2 0, 0 2 0, 0 0 0))"] * 2,
    ),
    (  # no area: by the length of its ring
        "POLYGON ((0 0, 1 1, 0.5 0.5, 0 0))", 8**0.5, "POINT Z (0.5 0.5 0)",
        "POLYGON Z ((0 0 0, 1 0 0, 1 1 0, 0 1 0, 0 0 0))", "LINESTRING Z (0 0 0, 1 1 0)",
    ),
    (
        "MULTIPOINT (0 0 0, 4 0 0, 0 4 0, 0 0 4, 1 1 1)", 0, "POINT Z (1 1 1)",
        "HULL Z (0 0 0, 0 0 4, 0 4 0, 0 4 4, 4 0 0, 4 0 4, 4 4 0, 4 4 4)",
        "HULL Z (0 0 0, 0 0 4, 0 4 0, 4 0 0)",
    ),
    (
        "HULL (0 0 0, 4 0 0, 0 4 0, 0 0 4, 0 0 1)", 0, "POINT Z (1 1 1)",
        "HULL Z (0 0 0, 0 0 4, 0 4 0, 0 4 4, 4 0 0, 4 0 4, 4 4 0, 4 4 4)",
        "HULL Z (0 0 0, 0 0 4, 0 4 0, 4 0 0)",
    ),
    (  # flat hulls by what they are flat to
        "HULL (0 0, 4 0, 4 4, 0 4, 1 1)", 0, "POINT Z (2 2 0)",
        *["POLYGON Z ((0 0 0, 4 0 0, 4 4 0, 0 4 0, 0 0 0))"] * 2,
    ),
    ("HULL (0 0, 0 4, 0 1)", 0, "POINT Z (0 2 0)", *["LINESTRING Z (0 0 0, 0 4 0)"] * 2),
    ("HULL (5 5 5)", 0, *["POINT Z (5 5 5)"] * 3),
    (  # the radius goes into the box, stays with the hull, does not move the centroid
        "BUFFER (1, LINESTRING (0 0, 2 0))", 2, "POINT Z (1 0 0)",
        "HULL Z (-1 -1 -1, -1 -1 1, -1 1 -1, -1 1 1, 3 -1 -1, 3 -1 1, 3 1 -1, 3 1 1)",
        "BUFFER (1, LINESTRING Z (0 0 0, 2 0 0))",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "length", "centroid", "envelope", "hull"), CASES)
def test_by_hand(text: str, length: float, centroid: str, envelope: str, hull: str) -> None:
    made = parsed(text)
    assert measures.length(made)[0] == pytest.approx(length)
    assert written(measures.centroid(made)) == [centroid]
    assert written(measures.envelope(made)) == [envelope]
    assert written(measures.convex_hull(made)) == [hull]


def test_single_points() -> None:
    made = parsed("LINESTRING (1 1, 2 2, 3 3)", "POINT EMPTY", SQUARE, "BUFFER (2, POINT (7 8 9))")
    assert written(measures.start_point(made)) == [
        "POINT Z (1 1 0)", "POINT EMPTY", "POINT Z (0 0 0)", "POINT Z (7 8 9)",
    ]  # fmt: skip
    assert written(measures.end_point(made))[::2] == ["POINT Z (3 3 0)", "POINT Z (1 1 0)"]
    numbers = np.array([4, 0, 7, 1])
    found = measures.point_n(made, numbers)
    assert written(found) == ["POINT EMPTY", "POINT EMPTY", "POINT Z (2 1 0)", "POINT Z (7 8 9)"]
    assert measures.point_n(made, -numbers).is_empty.all()
    assert measures.num_points(made).tolist() == [3, 0, 10, 1]


def test_a_bent_polygon_goes_by_its_triangles() -> None:
    """Its four corners make two triangles, by one diagonal or the other."""
    made = parsed("POLYGON ((0 0 0, 2 0 0, 0 2 0, 0 0 2, 0 0 0))")
    middle = measures.centroid(made).coords[0]
    a, b, c, d = (0, 0, 0), (2, 0, 0), (0, 2, 0), (0, 0, 2)
    found = []
    for pair in ([(a, b, c), (a, c, d)], [(a, b, d), (b, c, d)]):
        corners = np.array(pair, float)
        sides = corners[:, 1:] - corners[:, :1]
        areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
        found.append((areas[:, None] * corners.mean(axis=1)).sum(axis=0) / areas.sum())
    assert min(np.abs(middle - f).max() for f in found) < 1e-12


# ---- laws of all measures ------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(shapes())
def test_views_into_larger_arrays_measure_the_same(made: Shapes) -> None:
    for measure in MEASURES:
        one, two = measure(made), measure(sliced(made))
        if isinstance(one, Shapes) and isinstance(two, Shapes):
            assert_same(one, two)
            assert first_fault(one) is None, written(one)
            assert (one.srid == made.srid).all()
        else:
            assert np.array_equal(one, two, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(shapes(st.integers(-99, 99).map(float)), st.integers(-900, 900))
def test_powers_of_two_scale_everything_exactly(made: Shapes, power: int) -> None:
    def scaled(one: Shapes) -> Shapes:
        return Shapes(
            one.kind, np.ldexp(one.radius, power), one.srid, one.ring_starts, one.rings,
            one.coord_starts, np.ldexp(one.coords, power),
        )  # fmt: skip

    assert np.array_equal(measures.length(scaled(made)), np.ldexp(measures.length(made), power))
    for measure in (measures.centroid, measures.envelope, measures.convex_hull):
        assert written(scaled(measure(made))) == written(measure(scaled(made)))


@settings(max_examples=60, deadline=None)
@given(shapes())
@example(parsed("BUFFER (0.1, POINT (0.3 1e300 -1e-300))"))
@example(parsed("BUFFER (1e308, POINT (1.7e308 -1.7e308 0))"))
def test_bounds_are_the_nearest_that_hold_all(made: Shapes) -> None:
    for i, box in enumerate(measures.bounds(made)):
        points = made.points(i)
        if not len(points):
            assert np.isnan(box).all()
            continue
        for axis in range(3):
            low = Fraction(points[:, axis].min()) - Fraction(made.radius[i])
            high = Fraction(points[:, axis].max()) + Fraction(made.radius[i])
            limit = Fraction(np.finfo(float).max)
            low, high = max(low, -limit), min(high, limit)
            assert Fraction(box[axis]) <= low and Fraction(box[3 + axis]) >= high
            with np.errstate(over="ignore"):
                inward = np.nextafter(box[axis], np.inf), np.nextafter(box[3 + axis], -np.inf)
            assert np.isinf(inward[0]) or Fraction(inward[0]) > low
            assert np.isinf(inward[1]) or Fraction(inward[1]) < high


# ---- against shapely, z = 0 ----------------------------------------------------------------------


def flattened(made: Shapes) -> tuple[Shapes, list[shapely.Geometry]]:
    """What shapely has too: no HULL, no radius, z = 0."""
    kept = made.take(np.flatnonzero(made.kind != HULL))
    kept = Shapes(
        kept.kind, np.zeros(len(kept)), kept.srid, kept.ring_starts, kept.rings, kept.coord_starts,
        kept.coords * [1, 1, 0],
    )  # fmt: skip
    return kept, [shapely.force_2d(g) for g in shapely.from_wkt(written(kept))]


@settings(max_examples=50, deadline=None)
@given(shapes(st.one_of(small_number, st.floats(-1e3, 1e3, width=32))))
def test_length_bounds_and_hull_are_shapelys(made: Shapes) -> None:
    plain, theirs = flattened(made)
    np.testing.assert_allclose(measures.length(plain), shapely.length(theirs), rtol=1e-12)
    boxes, hulls = measures.bounds(plain), measures.convex_hull(plain)
    envelopes = shapely.from_wkt(written(measures.envelope(plain)))
    for i, value in enumerate(theirs):
        # of all points: shapely takes it for granted that holes lie inside
        value = shapely.multipoints(shapely.get_coordinates(value))
        np.testing.assert_array_equal(boxes[i, [0, 1, 3, 4]], shapely.bounds(value))
        if shapely.is_empty(value):
            assert hulls.points(i).size == 0
            continue
        assert shapely.bounds(envelopes[i]).tolist() == shapely.bounds(value).tolist()
        if shapely.get_type_id(envelopes[i]) == shapely.GeometryType.POLYGON:
            assert shapely.equals(shapely.force_2d(envelopes[i]), shapely.envelope(value))
        ours = shapely.force_2d(shapely.from_wkt(written(hulls.take(np.array([i])))[0]))
        allowed = 4e-12 * np.abs(boxes[i]).max()
        assert shapely.hausdorff_distance(ours, shapely.convex_hull(value)) <= allowed
        if hulls.kind[i] == POLYGON:
            assert shapely.is_ccw(shapely.get_exterior_ring(ours))


@settings(max_examples=50, deadline=None)
@given(shapes(small_number))
def test_centroid_is_shapelys(made: Shapes) -> None:
    plain, theirs = flattened(made)
    middles = measures.centroid(plain)
    for i, value in enumerate(theirs):
        if shapely.is_empty(value):
            assert middles.points(i).size == 0
        elif plain.kind[i] != POLYGON or shapely.is_valid(value):
            # rings that cross themselves have no area that all agree on
            found = shapely.get_coordinates(shapely.centroid(value))[0]
            np.testing.assert_allclose(middles.points(i)[0, :2], found, atol=1e-11)


def test_centroid_of_polygons_with_holes_anywhere_in_space() -> None:
    """shapely's in the plane, then turned into space and moved far away, rings either way round."""
    random = np.random.default_rng(0)
    for seed in range(30):
        angles = np.sort(random.random(9)) * 2 * np.pi
        outer = np.stack([np.cos(angles), np.sin(angles)], 1) * (1 + random.random((9, 1)))
        hole = outer[::2] * 0.3
        meant = shapely.get_coordinates(shapely.centroid(shapely.Polygon(outer, [hole])))[0]
        rings = [np.vstack((r, r[:1]))[:: random.choice([-1, 1])] for r in (outer, hole)]
        if not shapely.Polygon(outer, [hole]).is_valid:
            continue
        turn, away = rotation(seed), random.standard_normal(3) * 10.0 ** (seed % 6)
        space = np.pad(np.vstack(rings), ((0, 0), (0, 1))) @ turn + away
        made = make([(POLYGON, space)], rings=[[0, len(rings[0])]])
        found = measures.centroid(made).coords[0]
        allowed = 1e-13 * (10 + np.abs(away).max())
        np.testing.assert_allclose(found, np.append(meant, 0) @ turn + away, atol=allowed)


# ---- convex hulls in space -----------------------------------------------------------------------

whole_points = st.integers(1, 3).flatmap(
    lambda k: st.lists(st.tuples(*[st.integers(-k, k).map(float)] * 3), min_size=1, max_size=11)
)
#: what makes points flat: coordinates from coordinates
FLATTENINGS = (np.eye(3), np.diag([1, 1, 0]), [[1, 0, 2], [0, 1, -1], [0, 0, 0]], np.ones((3, 3)))


@settings(max_examples=100, deadline=None)
@given(whole_points, st.sampled_from(FLATTENINGS))
def test_hulls_have_the_extreme_points_and_no_others(points: list[object], map_: object) -> None:
    whole = np.array(points, float) @ np.array(map_, float)
    dimension, extreme = extreme_reference(whole)
    hull = measures.convex_hull(make([(MULTIPOINT, whole)]))
    assert hull.kind[0] == (POINT, LINESTRING, POLYGON, HULL)[dimension]
    corners = hull.coords[:-1] if dimension == 2 else hull.coords
    assert sorted(map(tuple, corners)) == sorted({tuple(p) for p in whole[extreme] + 0.0})
    again = measures.convex_hull(make([(MULTIPOINT, whole[::-1])]))
    assert_same(again, hull)


def facets(corners: Numbers) -> tuple[Numbers, Numbers]:
    """(unit normals, offsets) of the planes that hold a small hull, by trying all triples."""
    count = len(corners)
    places = np.stack(np.meshgrid(*[np.arange(count)] * 3, indexing="ij"), -1).reshape(-1, 3)
    places = places[(places[:, 0] < places[:, 1]) & (places[:, 1] != places[:, 2])]
    a, b, c = (corners[places[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    size = np.linalg.norm(normals, axis=1)
    normals, a = normals[size > 1e-9] / size[size > 1e-9, None], a[size > 1e-9]
    offsets = (normals * a).sum(axis=1)
    outside = (corners @ normals.T).max(axis=0) - offsets
    return normals[outside < 1e-9], offsets[outside < 1e-9]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["ball", "cube", "grid", "turned grid", "sphere"]))
def test_hulls_hold_all_points(seed: int, form: str) -> None:
    random = np.random.default_rng(seed)
    points = random.standard_normal((random.integers(4, 40), 3))
    if form == "cube":
        points = random.random(points.shape)
    elif form in ("grid", "turned grid"):
        points = np.round(points)
    elif form == "sphere":
        points /= np.linalg.norm(points, axis=1)[:, None]
    if form == "turned grid":
        points = points @ rotation(seed)
    hull = measures.convex_hull(make([(MULTIPOINT, points)]))
    assume(hull.kind[0] == HULL)
    normals, offsets = facets(hull.coords)
    assert (points @ normals.T - offsets).max() < 1e-11
    given_points = {tuple(p) for p in points}
    assert all(tuple(p) in given_points for p in hull.coords)


@pytest.mark.parametrize("away", [0.0, 1.0, 1e6])
def test_rounding_noise_makes_no_corners(away: float) -> None:
    grid = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), -1).reshape(-1, 3)
    for seed in range(10):
        turn = rotation(seed)
        box = measures.convex_hull(make([(MULTIPOINT, grid @ turn + away)]))
        assert (box.kind[0], len(box.coords)) == (HULL, 8)
        face = measures.convex_hull(make([(MULTIPOINT, grid[grid[:, 2] == 0] @ turn + away)]))
        assert (face.kind[0], len(face.coords)) == (POLYGON, 5)
        edge = measures.convex_hull(make([(MULTIPOINT, grid[:5] @ turn + away)]))
        assert (edge.kind[0], len(edge.coords)) == (LINESTRING, 2)


def test_what_sticks_out_less_than_the_tolerance_makes_no_corners() -> None:
    """Also where it comes first in the order of x, y, z, or lies farthest from the middle."""
    for bulge in (1e-16, 1e-13, 3e-12):
        corners = [(0, 0), (4, 0), (4, 4), (0, 4)]
        middles = [(2, -bulge), (4 + bulge, 2), (2, 4 + bulge), (-bulge, 2)]
        ring = measures.convex_hull(parsed_points([(x, y, 0.0) for x, y in middles + corners]))
        assert sorted(map(tuple, ring.coords[:4, :2])) == sorted(corners)
        box = [(x, y, z) for x, y in corners for z in (0, 4)]
        bulging = [(x, y, z) for x, y in middles for z in (0, 2, 4)]
        bulging += [(2, 2, -bulge), (2, 2, 4 + bulge)]
        hull = measures.convex_hull(parsed_points(bulging + box))
        assert list(map(tuple, hull.coords)) == sorted(box)


def parsed_points(points: object) -> Shapes:
    return make([(MULTIPOINT, np.array(points, float))])


def test_a_point_on_an_edge_is_no_corner_though_it_was_taken_for_the_farthest() -> None:
    """b lies between a and e, as high as a within the tolerance, and farther out."""
    below = 2.0**-37
    a, b, e = (0, 0, 1), (4, 0, 1 - below), (8, 0, 1 - 2 * below)
    base = [(-8, -1, -1), (-8, 1, -1), (8, -1, -1), (8, 1, -1)]
    for seed in range(24):
        order = np.random.default_rng(seed).permutation(7)
        points = np.array([a, b, e, *base], float)[order]
        hull = measures.convex_hull(parsed_points(points))
        assert b not in {tuple(p) for p in hull.coords}


def test_signs_of_determinants_are_exact() -> None:
    random = np.random.default_rng(0)
    signs = set()
    for _ in range(600):
        most = 2 ** int(random.choice([3, 20, 53]))
        rows = random.integers(-most, most + 1, (3, 3))
        if random.random() < 0.6:  # dependent, or nearly
            rows[2] = rows[0] if random.random() < 0.5 else (rows[0] + rows[1]) // 2
            rows[1] = np.where(random.random() < 0.5, rows[1], -rows[0])
            rows[2, random.integers(3)] += random.integers(-1, 2) * (most < 2**53)
        (a, b, c), (d, e, f), (g, h, i) = rows.tolist()
        meant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
        sign = (meant > 0) - (meant < 0)
        signs.add(sign)
        assert exact.determinant_sign(rows) == sign
    assert signs == {-1, 0, 1}


def test_hulls_of_many_points() -> None:
    random = np.random.default_rng(0)
    sphere = random.standard_normal((3000, 3))
    sphere /= np.linalg.norm(sphere, axis=1)[:, None]
    inside = sphere * random.random((3000, 1)) * 0.9
    both = make([(MULTIPOINT, np.vstack((inside, sphere)))])
    hull = measures.convex_hull(both)
    assert len(hull.coords) == 3000
    assert np.array_equal(hull.coords, sphere[np.lexsort(sphere.T[::-1])])
    flat = sphere * [1, 1, 0]
    flat /= np.linalg.norm(flat, axis=1)[:, None]
    ring = measures.convex_hull(make([(MULTIPOINT, flat)]))
    assert len(ring.coords) == 3001 and ring.kind[0] == POLYGON


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(any_number, any_number, any_number), min_size=1, max_size=12))
def test_hulls_of_any_numbers_end_and_are_their_own(points: list[tuple[float, ...]]) -> None:
    hull = measures.convex_hull(make([(MULTIPOINT, points)]))
    assert {tuple(p) for p in hull.coords} <= set(points)
    assert first_fault(hull) is None
    assert_same(measures.convex_hull(hull), hull)


def test_solid_centroids() -> None:
    """A box and a pyramid anywhere, with points inside that must not count."""
    random = np.random.default_rng(1)
    box = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3), -1).reshape(-1, 3) * [1, 2, 5]
    pyramid = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1.0]])
    for seed in range(10):
        turn, away = rotation(seed), random.standard_normal(3) * 100
        for corners, meant in ((box, [0.5, 1, 2.5]), (pyramid, [0.5, 0.5, 0.25])):
            weights = random.dirichlet(np.ones(len(corners)), 20)
            points = np.vstack((corners, weights @ corners)) @ turn + away
            found = measures.centroid(make([(HULL, points)])).coords[0]
            np.testing.assert_allclose(found, np.array(meant) @ turn + away, atol=1e-11)


def test_the_tolerance_of_flatness() -> None:
    for thickness, kind in ((0.5 * hull.TOLERANCE, POLYGON), (1e-11, HULL)):
        points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, thickness), (0.5, 0.5, 0)]
        assert measures.convex_hull(make([(MULTIPOINT, points)])).kind[0] == kind
