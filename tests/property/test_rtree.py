"""The R-tree answers what a look at every box answers, to the bit and in the same order."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hartonomous.kernels import rtree_check, rtree_layout
from hartonomous.kernels.geometry.distance import point_distances
from hartonomous.kernels.geometry.layout import POINT, Shapes
from hartonomous.kernels.rtree import Tree, build, curve_order
from hartonomous.kernels.rtree_reference import (
    nearest_reference,
    search_ball_reference,
    search_box_reference,
)

Floats = npt.NDArray[np.float64]
KINDS = ("scattered", "clustered", "lattice", "one place", "on a line", "few places", "outlier")
SIZES = (0, 1, 2, 15, 16, 17, 31, 33, 255, 257, 300, 700, 5000)
#: 1e-170 squared vanishes, 1e170 squared is infinite, 1e39 is beyond float32
SCALES = (1.0, 1e-3, 1e6, 1e-40, 1e39, 1e-170, 1e170)


def places(kind: str, count: int, dice: np.random.Generator) -> Floats:
    """float64[count, 3] about as large as 1."""
    if kind == "scattered":
        return dice.random((count, 3)) * 2 - 1
    if kind == "clustered":
        return dice.random((5, 3))[dice.integers(0, 5, count)] + dice.normal(
            size=(count, 3), scale=0.01
        )
    if kind == "lattice":
        return dice.integers(-3, 4, (count, 3)) / 4
    if kind == "one place":
        return np.full((count, 3), 0.1)
    if kind == "on a line":
        return dice.random((count, 1)) * [[1.0, 0.0, -2.0]]
    if kind == "few places":
        return dice.random((3, 3))[dice.integers(0, 3, count)]
    made = dice.random((count, 3)) * 1e-9
    made[:1] = 1.0
    return made


def boxes_of(kind: str, count: int, scale: float, extent: str, holes: bool, seed: int) -> Floats:
    """What a tree is built from: float64[N, 3] points or float64[N, 6] boxes."""
    dice = np.random.default_rng(seed)
    made = places(kind, count, dice) * scale
    if extent != "points":
        sides = dice.integers(0, 3, (count, 3)) / 8 * scale if extent == "boxes" else 0.0
        made = np.concatenate((made, made + sides), axis=1)
    if holes:
        made[dice.random(count) < 0.2, dice.integers(0, made.shape[1])] = np.nan
    made.setflags(write=False)
    return made


def queries_of(boxes: Floats, kind: str, scale: float, seed: int, count: int = 6) -> Floats:
    """float64[count, 3]: entries' own corners, places between them, and one far away."""
    dice = np.random.default_rng(seed + 1)
    made = places(kind, count, dice) * scale
    if len(boxes):
        made[::2] = np.nan_to_num(boxes[dice.integers(0, len(boxes), len(made[::2])), :3])
    made[-1] *= 50
    return made


trees = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from(SIZES),
    st.sampled_from(SCALES),
    st.sampled_from(("points", "flat boxes", "boxes")),
    st.booleans(),
    st.integers(0, 1 << 32),
)


@settings(max_examples=40, deadline=None)
@given(trees, st.sampled_from((16, 32, 48)), st.sampled_from((0, 1, 3, 10, 40, 10_000)))
@example(("lattice", 5000, 1.0, "boxes", True, 0), 16, 40)
@example(("one place", 5000, 1e170, "points", True, 0), 32, 10)
def test_searches_find_what_a_scan_finds(made: tuple[Any, ...], leaf_size: int, k: int) -> None:
    boxes = boxes_of(*made)
    kind, count, scale, _, _, seed = made
    tree = build(boxes, leaf_size)
    assert rtree_check.fault(tree) is None
    assert tree.row_count == count and tree.entries == (~np.isnan(boxes).any(axis=1)).sum()
    dice = np.random.default_rng(seed + 2)
    keep = dice.random(count) < 0.5
    for center in queries_of(boxes, kind, scale, seed):
        size = dice.choice([0.0, 0.125, 0.5, 9.0]) * scale
        box = np.concatenate((center - size, center + size))
        assert_same(tree.search_box(box), search_box_reference(boxes, box))
        assert_same(tree.search_ball(center, size), search_ball_reference(boxes, center, size))
        for limit, wanted in ((np.inf, None), (size, None), (np.inf, keep), (size, keep)):
            expected = nearest_reference(boxes, center, k, limit, wanted)
            for a, b in zip(tree.nearest(center, k, limit, wanted), expected, strict=True):
                assert_same(a, b)


def assert_same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    assert a.dtype == b.dtype and np.array_equal(a, b), (a, b)


@settings(max_examples=15, deadline=None)
@given(trees, st.integers(1, 3), st.sampled_from((1, 7, 150, 400)))
@example(("clustered", 5000, 1.0, "points", False, 0), 2, 400)
@example(("scattered", 5000, 1.0, "boxes", True, 0), 3, 400)
def test_a_batch_is_its_queries_one_by_one(made: tuple[Any, ...], threads: int, count: int) -> None:
    boxes = boxes_of(*made)
    kind, _, scale, _, _, seed = made
    tree = build(boxes)
    centers = queries_of(boxes, kind, scale, seed, count)
    centers.setflags(write=False)
    radii = np.random.default_rng(seed).choice([0.0, 0.125, 0.5, -1.0, 4.0], count) * scale
    asked = np.concatenate((centers - radii[:, None], centers + radii[:, None]), axis=1)
    alone, together = np.zeros(1, np.int64), np.zeros(1, np.int64)
    found = (
        tree.search_boxes(asked, threads=threads, visited=together),
        tree.search_balls(centers, radii, threads=threads, visited=together),
    )
    distances, rows = tree.nearest_of_each(centers, 5, radii, threads=threads, visited=together)
    for q in range(count):
        one = (
            tree.search_box(asked[q], visited=alone),
            tree.search_ball(centers[q], radii[q], visited=alone),
        )
        for (starts, all_rows), expected in zip(found, one, strict=True):
            assert_same(all_rows[starts[q] : starts[q + 1]], expected)
        near, own = tree.nearest(centers[q], 5, radii[q], visited=alone)
        assert_same(distances[q][: len(near)], near)
        assert_same(rows[q][: len(own)], own)
        assert (distances[q][len(near) :] == np.inf).all() and (rows[q][len(own) :] == -1).all()
    assert alone == together


@settings(max_examples=20, deadline=None)
@given(trees, st.lists(st.integers(1, 900), min_size=1, max_size=8), st.booleans())
@example(("lattice", 5000, 1.0, "boxes", True, 0), [3, 3000, 1, 3000], True)
def test_neighbours_come_in_the_order_of_a_scan(
    made: tuple[Any, ...], counts: list[int], is_narrow: bool
) -> None:
    boxes = boxes_of(*made)
    kind, rows, scale, _, _, seed = made
    keep = np.random.default_rng(seed).random(rows) < 0.7
    for center in queries_of(boxes, kind, scale, seed, 2):
        limit = 0.4 * scale if is_narrow else np.inf
        stream = build(boxes).neighbours(center, limit, keep)
        taken = [stream.take(count) for count in counts]
        expected = nearest_reference(boxes, center, sum(counts), limit, keep)
        for a, b in zip(zip(*taken, strict=True), expected, strict=True):
            assert_same(np.concatenate(a), b)
        assert stream.visited <= len(expected[1]) + 1 + len(stream._tree.nodes) + len(
            stream._tree.leaves
        )


@pytest.fixture(scope="module")
def points() -> Floats:
    return boxes_of("clustered", 20_000, 1.0, "points", True, 3)


def test_little_is_visited(points: Floats) -> None:
    """A search reads the nodes it needs, and the stream no more than the search."""
    tree, visited = build(points), np.zeros(1, np.int64)
    center = np.nan_to_num(points[7])
    tree.nearest(center, 10, visited=visited)
    assert 4 <= visited[0] <= 40
    stream = tree.neighbours(center)
    stream.take(10)
    assert 4 <= stream.visited <= visited[0]
    assert tree.search_box(np.repeat((-9.0, 9.0), 3), visited=visited).size == tree.entries


def test_arrays_are_searched_where_they_lie(points: Floats, tmp_path: Path) -> None:
    built = build(points)
    assert built.is_points and build(np.concatenate((points, points), axis=1)).is_points
    for name, array in built.arrays().items():
        np.save(tmp_path / name, array)
    mapped = {n: np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in built.arrays()}
    opened = Tree.from_arrays(mapped)
    assert np.shares_memory(opened.leaves, mapped["leaves"])
    assert not opened.leaves.flags.writeable
    again = build(points).arrays()
    for tree in (opened, pickle.loads(pickle.dumps(built)), copy.deepcopy(built)):
        assert tree.frame[rtree_layout.LEAVES] == tree.leaves.__array_interface__["data"][0]
        for name, array in tree.arrays().items():
            assert np.array_equal(array, again[name], equal_nan=True), name
        for a, b in zip(
            tree.nearest(points[0], 7), nearest_reference(points, points[0], 7), strict=True
        ):
            assert_same(a, b)


def test_distances_are_those_of_geometry() -> None:
    """So a query over points may take the tree's distances for its own."""
    points = np.random.default_rng(5).normal(size=(3000, 3)) * 1e4
    center = points[17] + 3.0
    distances, rows = build(points).nearest(center, 3000)
    assert_same(
        distances, point_distances(points_as_shapes(points), points_as_shapes(center[None]))[rows]
    )


def points_as_shapes(points: Floats) -> Shapes:
    count = len(points)
    starts, none = np.arange(count + 1), np.zeros(count + 1, np.int64)
    kinds, no_rings = np.full(count, POINT, np.int8), np.empty(0, np.int32)
    return Shapes(kinds, np.zeros(count), np.zeros(count, np.int32), none, no_rings, starts, points)


def test_one_compiled_form_serves_all_memory(points: Floats) -> None:
    from hartonomous.kernels import rtree_build_compiled, rtree_nearest_compiled

    for is_writable in (True, False):
        given_points = points.copy()
        given_points.setflags(write=is_writable)
        tree = build(given_points)
        tree.nearest(given_points[0], 3)
        tree.nearest_of_each(given_points[:100], 3)
    for compiled in (rtree_build_compiled.fill, rtree_nearest_compiled.nearest_of_each):
        assert len(compiled.signatures) == 1


def test_threads_search_one_tree(points: Floats) -> None:
    tree = build(points)
    centers = points[~np.isnan(points).any(axis=1)][:2000]
    expected = tree.nearest_of_each(centers, 5), tree.search_balls(centers, np.full(2000, 0.01))
    faults: list[str] = []

    def work() -> None:
        for _ in range(3):
            near = tree.nearest_of_each(centers, 5, threads=2)
            balls = tree.search_balls(centers, np.full(2000, 0.01))
            one = tree.nearest(centers[0], 5)[1]
            same = (*zip(near, expected[0], strict=True), *zip(balls, expected[1], strict=True))
            if not all(np.array_equal(a, b) for a, b in (*same, (one, expected[0][1][0]))):
                faults.append("another answer")

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []


def test_a_raised_flag_ends_a_search(points: Floats) -> None:
    tree, visited = build(np.tile(points, (5, 1))), np.zeros(1, np.int64)
    nobody, cancel = np.zeros(tree.row_count, np.bool_), np.ones(1, np.int8)
    tree.nearest(np.zeros(3), 1, keep=nobody, visited=visited, cancel=cancel)
    assert 0 < visited[0] <= 1024 < len(tree.leaves)
    stream = tree.neighbours(np.zeros(3), keep=nobody, cancel=cancel)
    assert len(stream.take(1)[1]) == 0 and stream.visited <= 1024
    centers = np.tile(points[~np.isnan(points).any(axis=1)][:10], (200, 1))
    for flag, is_whole in ((cancel, False), (np.zeros(1, np.int8), True)):
        starts, _ = tree.search_balls(centers, np.zeros(len(centers)), cancel=flag)
        assert (np.diff(starts).min() > 0) == is_whole
        _, rows = tree.nearest_of_each(centers, 1, cancel=flag)
        assert (rows.min() >= 0) == is_whole


def test_infinite_boxes_and_queries() -> None:
    inf = np.inf
    boxes = np.array([[-inf] * 3 + [inf] * 3, [0.0] * 6, [inf] * 6, [-inf] * 3 + [0.0] * 3] * 20)
    tree = build(boxes)
    for box in (np.repeat((-inf, inf), 3), np.zeros(6), np.full(6, inf), np.full(6, np.nan)):
        assert_same(tree.search_box(box), search_box_reference(boxes, box))
    for center in (np.ones(3), np.full(3, inf), np.full(3, np.nan)):
        for radius in (1.0, inf, -1.0, np.nan):
            expected = search_ball_reference(boxes, center, radius)
            assert_same(tree.search_ball(center, radius), expected)
        for a, b in zip(
            tree.nearest(center, 99), nearest_reference(boxes, center, 99), strict=True
        ):
            assert_same(a, b)


def test_a_check_sees_damage(points: Floats) -> None:
    tree = build(points)
    leaf, node = tree.leaves[3], tree.nodes[2]
    damages = {
        "does not hold": (leaf, (0, 0), 1e9),
        "a child too many": (tree.nodes[-1], (slice(None), -1), 0.0),
        "is NaN": (leaf, (1, 1), np.nan),
        "occurs twice": (tree.rows, (0, 0), tree.rows[0, 1]),
        "outside": (tree.rows, (0, 0), 1 << 30),
        "hold its entries": (node, (0, 0), np.float32(1e9)),
    }
    for words, (array, place, value) in damages.items():
        kept = np.array(array[place])
        array[place] = value
        fault = rtree_check.fault(tree)
        array[place] = kept
        assert fault is not None and words in fault, (words, fault)
    assert rtree_check.fault(tree) is None


def test_a_curve_keeps_neighbours_together() -> None:
    centers = np.random.default_rng(0).random((4096, 3))
    order = curve_order(centers)
    assert sorted(order) == list(range(4096))
    steps = np.linalg.norm(np.diff(centers[order], axis=0), axis=1)
    assert steps.mean() < 0.15 < np.linalg.norm(np.diff(centers, axis=0), axis=1).mean()


def test_sizes_are_what_the_layout_says() -> None:
    tree = build(np.random.default_rng(0).random((100_000, 3)))
    assert tree.nbytes < 31 * tree.entries
    assert rtree_layout.level_sizes(len(tree.leaves)) == [6250, 391, 25, 2, 1]
