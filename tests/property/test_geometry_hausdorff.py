"""Within, equal sets, Hausdorff and Fréchet distances: against samples, and their laws."""

from __future__ import annotations

import numpy as np
from geometry_compiling import python_is_enough  # noqa: F401
from geometry_seeds import CUBE, SQUARE, Numbers, corners, size, values
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.kernels.geometry import distance
from hartonomous.kernels.geometry.layout import HULL, LINESTRING, POINT, POLYGON, Shapes, make

SEEDS = st.integers(0, 2**32 - 1)
LAWS = settings(max_examples=25, deadline=None)
#: no floor, no ceiling: a directed distance to the end
ALL = np.float64(-1.0), np.float64(np.inf)


@LAWS
@given(SEEDS)
def test_laws_of_within_and_hausdorff(seed: int) -> None:
    a, b, c = values(seed, 8), values(seed + 1, 8), values(seed + 2, 8)
    allowed = 1e-11 * size(a, b, c)
    assert distance.within(a, a).all() and distance.equal_sets(a, a).all()
    assert (distance.hausdorff(a, a) <= allowed).all()
    ab, bc, ac = distance.hausdorff(a, b), distance.hausdorff(b, c), distance.hausdorff(a, c)
    np.testing.assert_allclose(ab, distance.hausdorff(b, a), rtol=0, atol=allowed)
    assert (ac <= ab + bc + allowed).all()
    directed = distance.directed_distances(a, b, *ALL)
    for extra in (1e-9, -1e-9):  # grown by the distance, and by a little more or less
        grown = b.radius + ab + extra * size(a, b)
        wide = Shapes(b.kind, grown, b.srid, b.ring_starts, b.rings, b.coord_starts, b.coords)
        assert np.array_equal(distance.within(a, wide), directed + a.radius <= grown)
        assert extra < 0 or distance.within(a, wide).all()


@LAWS
@given(SEEDS)
def test_directed_distance_is_that_of_samples(seed: int) -> None:
    """f is 1-Lipschitz: its maximum is at most that of samples, and their spacing."""
    rng = np.random.default_rng(seed)
    a, b = values(seed, 1), values(seed + 1, 1)
    samples, spacing = sampled(a, rng)
    found = distance.directed_distances(a, b, *ALL)[0]
    core = Shapes(b.kind, b.radius * 0, b.srid, b.ring_starts, b.rings, b.coord_starts, b.coords)
    seen = distance.distances(make([(POINT, p) for p in samples]), core).max()
    assert seen - 1e-12 * size(a, b) <= found <= seen + spacing


def sampled(a: Shapes, rng: np.random.Generator) -> tuple[Numbers, float]:
    """Points of the core, and how far from one of them any of its points may be."""
    from hartonomous.kernels.geometry.pieces import pieces_of
    from hartonomous.kernels.geometry.tetrahedra import simplices_of

    pieces, steps = simplices_of(pieces_of(a)), 12
    made, widest = [], 0.0
    for p in range(len(pieces.first)):
        first, width = pieces.first[p], pieces.width[p]
        places = pieces.coords[pieces.corner[first : first + width]]
        weights = np.array(list(compositions(steps, int(width)))) / steps
        made.append(weights @ places)
        sides = np.linalg.norm(places[:, None] - places[None, :], axis=2)
        widest = max(widest, float(sides.max()))
    return np.concatenate(made), widest / steps * 1.8


def compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    if parts == 1:
        return [(total,)]
    return [(k, *rest) for k in range(total + 1) for rest in compositions(total - k, parts - 1)]


@LAWS
@given(SEEDS)
def test_frechet_distance_is_that_of_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = corners(rng, int(rng.integers(2, 6))), corners(rng, int(rng.integers(2, 6)))
    a, b = make([(LINESTRING, p)]), make([(LINESTRING, q)])
    found = distance.frechet(a, b)[0]
    allowed = 1e-11 * size(a, b)
    dense_p, dense_q = dense(p), dense(q)
    bound, step = discrete_frechet(dense_p, dense_q), max(longest(dense_p), longest(dense_q))
    assert bound - step - allowed <= found <= bound + allowed
    assert abs(distance.frechet(b, a)[0] - found) <= allowed
    finer = make([(LINESTRING, dense_p)])
    assert abs(distance.frechet(finer, b)[0] - found) <= allowed
    assert found >= distance.hausdorff(a, b)[0] - allowed
    back = make([(LINESTRING, p[::-1])]), make([(LINESTRING, q[::-1])])
    assert abs(distance.frechet(*back)[0] - found) <= allowed


def dense(path: Numbers) -> Numbers:
    parts = np.linspace(0, 1, 16)[:, None]
    return np.concatenate([u + (v - u) * parts for u, v in zip(path[:-1], path[1:], strict=True)])


def longest(path: Numbers) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).max())


def discrete_frechet(p: Numbers, q: Numbers) -> float:
    """Eiter and Mannila 1994."""
    apart = np.linalg.norm(p[:, None] - q[None, :], axis=2)
    least = np.maximum.accumulate(apart[0])
    for row in apart[1:]:
        before, least = least, np.empty(len(q))
        least[0] = max(before[0], row[0])
        for j in range(1, len(q)):
            least[j] = max(row[j], min(before[j], before[j - 1], least[j - 1]))
    return float(least[-1])


# ---- single cases --------------------------------------------------------------------------------


def test_solids() -> None:
    cube = make([(HULL, CUBE)])
    inside = make(
        [(POINT, [0.3, 0.4, 0.5]), (LINESTRING, [[0, 0, 0], [1, 1, 1]]), (HULL, CUBE[:4])]
    )
    assert (distance.distances(inside, cube) == 0).all() and distance.within(inside, cube).all()
    assert distance.equal_sets(cube, make([(HULL, CUBE[::-1] + [[0.5, 0.5, 0.5]])]))[0]
    plate = make([(POLYGON, [[-1, -1, 0], [2, -1, 0], [2, 2, 0], [-1, 2, 0], [-1, -1, 0]])])
    # the cube's upper face is everywhere equally far from both triangles' common edge and more
    assert abs(distance.directed_distances(cube, plate, *ALL)[0] - 1) < 1e-12
    frame = make([(LINESTRING, [[0, 0], [9, 0], [9, 2], [0, 2], [0, 0]])])
    filled = make([(POLYGON, frame.points(0))])
    assert abs(distance.hausdorff(filled, frame)[0] - 1) < 1e-12


def test_paths() -> None:
    line = make([(LINESTRING, [[0, 0], [10, 0]])])
    others = make(
        [
            (LINESTRING, [[0, 1], [10, 1]]),
            (LINESTRING, [[10, 0], [0, 0]]),
            (LINESTRING, [[0, 0], [7, 0], [3, 0], [10, 0]]),
            (POINT, [4, 0]),
            (LINESTRING, [[0, 0], [10 / 3, 0], [10, 0]]),
            (POLYGON, SQUARE),
        ],
        [0, 0, 0, 1, 0.5, 0],
    )
    expected = [1, 10, 2, 7, 0.5, np.nan]
    np.testing.assert_allclose(distance.frechet(line, others), expected, rtol=1e-14)
    np.testing.assert_allclose(distance.frechet(others, line), expected, rtol=1e-14)
