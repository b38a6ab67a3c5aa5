"""The projection contracts and is deterministic; landmarks cover; cells keep order."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hartonomous.kernels import cells, distance, landmarks, projection

floats = st.floats(-(2.0**60), 2.0**60, width=32, allow_nan=False)


@cache
def directions_of(width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    points = np.random.default_rng(seed).normal(size=(40, width)) * np.arange(1, width + 1)
    return projection.principal_directions(points.astype(np.float32))


def assert_contracts(
    matrix: npt.NDArray[np.float32], a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]
) -> None:
    """The law as projection.py states it."""
    points = projection.project(matrix, np.stack((a, b)))
    apart = float(np.sqrt(((points[0] - points[1]) ** 2).sum()))
    far = float(distance.distances_reference("euclidean", a[None], b)[0])
    length = max(np.linalg.norm(a.astype(np.float64)), np.linalg.norm(b.astype(np.float64)))
    if far >= 2.0**-27 * length:
        assert apart <= far
    else:
        assert apart <= far + 2.0**-46 * length


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40).flatmap(lambda d: arrays.arrays(np.float32, (2, d), elements=floats)))
def test_points_are_never_farther_apart_than_their_vectors(
    pair: npt.NDArray[np.float32],
) -> None:
    assert_contracts(directions_of(pair.shape[1]), pair[0], pair[1])


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float32, 48, elements=floats),
    st.lists(st.integers(0, 47), min_size=1, max_size=48),
    st.booleans(),
)
def test_vectors_that_differ_in_their_last_bits_do_not_come_apart(
    a: npt.NDArray[np.float32], changed: list[int], is_up: bool
) -> None:
    b = a.copy()
    b[changed] = np.nextafter(b[changed], np.float32(np.inf if is_up else -np.inf))
    assert_contracts(directions_of(48), a, b)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_longest_way_is_along_a_direction_and_contracts_too(axis: int) -> None:
    matrix = directions_of(64)
    for scale in (1e-20, 1.0, 1e20):
        along = (matrix[axis] * scale).astype(np.float32)
        assert_contracts(matrix, along, -along)
        assert_contracts(matrix, along, np.nextafter(along, np.float32(np.inf)))


@pytest.mark.parametrize("shape", [(500, 16), (10, 300), (3, 8), (5, 2), (4, 1)])
def test_directions_are_orthonormal_and_the_same_each_time(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    matrix = projection.principal_directions(points)
    assert matrix.dtype == np.float32 and matrix.shape == (3, shape[1])
    assert matrix.tobytes() == projection.principal_directions(points[:, :].copy()).tobytes()
    rank = min(3, shape[1])
    wide = matrix.astype(np.float64)
    scale = 1 - projection.slack(shape[1])
    assert np.allclose(wide[:rank] @ wide[:rank].T, np.eye(rank) * scale**2, atol=1e-6)
    assert np.linalg.norm(wide, 2) < 1 and not wide[rank:].any()
    assert (wide[:rank].max(axis=1) == np.abs(wide[:rank]).max(axis=1)).all()
    assert ((wide * 2**24) % 1 == 0).all()


def test_directions_are_those_of_largest_variance() -> None:
    points = np.random.default_rng(4).normal(size=(2000, 6)) * [1, 9, 2, 30, 3, 5]
    matrix = np.abs(projection.principal_directions(points.astype(np.float32)))
    assert matrix.argmax(axis=1).tolist() == [3, 1, 5]


@pytest.mark.parametrize("distinct", [1, 2, 3])
def test_few_landmarks_are_completed_by_axes(distinct: int) -> None:
    points = np.zeros((6, 5), np.float32)
    points[:] = np.eye(5, dtype=np.float32)[[i % distinct for i in range(6)]]
    matrix = projection.principal_directions(points).astype(np.float64)
    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4)


def test_neighbourhoods_are_counted_as_defined() -> None:
    random = np.random.default_rng(5)
    vectors = random.normal(size=(60, 12)).astype(np.float32)
    points = projection.project(directions_of(12), vectors)
    kept = 0
    for n in range(60):
        near = [
            set(np.argsort(np.where(np.arange(60) == n, np.inf, far), kind="stable")[:10].tolist())
            for far in (
                np.linalg.norm(vectors.astype(np.float64) - vectors[n], axis=1),
                np.linalg.norm(points - points[n], axis=1),
            )
        ]
        kept += len(near[0] & near[1])
    assert projection.neighbourhood_preservation(vectors, points) == kept / 600
    whole = np.ascontiguousarray(points, np.float32)
    assert projection.neighbourhood_preservation(whole, whole.astype(np.float64)) == 1.0
    assert projection.neighbourhood_preservation(vectors[:1], points[:1]) is None
    assert projection.neighbourhood_preservation(vectors[:4], points[:4]) == 1.0


# --- landmarks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", sorted(landmarks.METHODS))
def test_landmarks_are_distinct_seeded_and_end_with_the_points(method: str) -> None:
    choose = landmarks.METHODS[method]
    points = np.random.default_rng(6).normal(size=(300, 4)).astype(np.float32)
    first = choose(points, 40, 1)
    assert len(set(first.tolist())) == 40
    assert (choose(points, 40, 1) == first).all()
    assert (choose(points, 40, 2) != first).any()
    assert (choose(points, 10, 1) == first[:10]).all()
    doubled = np.concatenate((points[:5], points[:5], points[:5]))
    chosen = choose(doubled, 99, 0)
    assert len(chosen) == len(np.unique(doubled[chosen], axis=0)) == 5
    assert len(choose(points[:0], 3, 0)) == 0


def test_farthest_first_takes_the_farthest() -> None:
    points = np.random.default_rng(7).normal(size=(200, 3)).astype(np.float32)
    rows = landmarks.farthest_first(points, 12, 0)
    wide = points.astype(np.float64)
    for k in range(1, 12):
        gaps = np.linalg.norm(wide[:, None] - wide[rows[:k]][None], axis=2).min(axis=1)
        assert gaps[rows[k]] == pytest.approx(gaps.max())


def test_kmeans_plus_plus_goes_where_the_distance_is() -> None:
    points = np.zeros((1000, 2), np.float32)
    points[500:, 0] = 1000.0
    points[:, 1] = np.arange(1000) % 2 * 1e-3
    for seed in range(10):
        pair = landmarks.kmeans_plus_plus(points, 2, seed)
        assert abs(points[pair[0], 0] - points[pair[1], 0]) == 1000.0


def test_sample_keys_do_not_depend_on_the_cuts_and_are_even() -> None:
    whole = landmarks.sample_keys(0, 10_000, 9)
    parts = [landmarks.sample_keys(first, 2_500, 9) for first in range(0, 10_000, 2_500)]
    assert (np.concatenate(parts) == whole).all()
    assert len(np.unique(whole)) == 10_000
    assert (landmarks.sample_keys(0, 10_000, 10) != whole).all()
    assert abs(np.mean(whole.astype(np.float64)) / 2.0**64 - 0.5) < 0.02
    chosen = np.argsort(whole)[:1000]
    assert abs(chosen.mean() / 10_000 - 0.5) < 0.03


# --- cells ---------------------------------------------------------------------------------------

anywhere = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None)
@given(st.lists(anywhere, min_size=2, max_size=30))
def test_open_cells_keep_order_on_every_axis(numbers: list[float]) -> None:
    ordered = np.sort(np.array(numbers))
    found = cells.open_cells(np.stack((ordered, ordered[::-1], ordered), axis=1)).astype(np.int64)
    assert (np.diff(found[:, 0]) >= 0).all() and (np.diff(found[:, 1]) <= 0).all()
    assert found.min() >= 0 and found.max() < 1 << 21


def test_open_cells_keep_four_digits_at_every_scale() -> None:
    for scale in 10.0 ** np.arange(-3, 35):
        pair = np.array([[1.0, -1.0, 1.0], [1.0003, -1.0003, 1.0]]) * scale
        found = cells.open_cells(pair).astype(np.int64)
        assert (np.sign(found[1] - found[0]) == [1, -1, 0]).all()
    zero = cells.open_cells(np.array([[0.0, -0.0, 1e-9], [1e300, -1e300, 0.0]])).astype(np.int64)
    assert (np.diff(zero[0]) <= 1).all() and zero[1].tolist() == [(1 << 21) - 1, 0, 1 << 20]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20))
def test_box_cells_divide_the_box_evenly(numbers: list[float]) -> None:
    ordered = np.sort(np.array(numbers))
    points = np.stack((ordered, ordered, np.zeros_like(ordered)), axis=1)
    low, high = np.array([-4.0, -8.0, 2.0]), np.array([4.0, 8.0, 2.0])
    found = cells.box_cells(points, low, high).astype(np.int64)
    assert (np.diff(found[:, 0]) >= 0).all() and (found[:, 2] == 0).all()
    inside = np.abs(ordered) < 4
    expected = np.floor((ordered[inside] + 4.0) / 8.0 * 2**21)
    assert (np.abs(found[inside, 0] - expected) <= 1).all()
    assert (found[ordered > 4, 0] == (1 << 21) - 1).all() and (found[ordered < -4, 0] == 0).all()
