"""Clustered points in three dimensions: build, nearest, radius and box, one by one and in batches.

Not called rtree.py: that would hide the package of this name from everything run beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from harness import OURS, Row, installed, markdown, milliseconds, run_alone, shortest

from hartonomous.kernels.rtree import build

os.environ["OMP_NUM_THREADS"] = "1"  # read by pykdtree: one thread, as everybody

Floats = npt.NDArray[np.float64]
#: what an engine can do, by name; the answers of one query are row numbers
Engine = Mapping[str, Callable[..., Any]]

K = 10
RADIUS = 0.35
#: half the side of the cubes asked for
REACH = 0.3
PACKAGES = {"rtree": "rtree", "cKDTree": "scipy", "pykdtree": "pykdtree"}


def clustered(count: int, dice: np.random.Generator) -> Floats:
    """float64[count, 3]: a thousand clouds of different widths in a cube of side 100."""
    middles, widths = dice.random((1000, 3)) * 100, dice.random(1000) + 0.05
    cloud = dice.integers(0, 1000, count)
    return middles[cloud] + dice.normal(size=(count, 3)) * widths[cloud, None]


def ours(points: Floats) -> Engine:
    tree = build(points)
    return {
        "nearest": lambda q: tree.nearest(q, K)[1],
        "nearests": lambda qs, threads: tree.nearest_of_each(qs, K, threads=threads)[1],
        "ball": lambda q: tree.search_ball(q, RADIUS),
        "balls": lambda qs: tree.search_balls(qs, np.full(len(qs), RADIUS)),
        "box": lambda q: tree.search_box(np.concatenate((q - REACH, q + REACH))),
        "boxes": lambda qs: tree.search_boxes(np.concatenate((qs - REACH, qs + REACH), axis=1)),
    }


def rtrees(points: Floats) -> Engine:
    from rtree import index

    properties = index.Property(dimension=3, leaf_capacity=100)
    tree = index.Index((np.arange(len(points)), points, points), properties=properties)

    def ball(q: Floats) -> npt.NDArray[np.int64]:
        rows = tree.intersection_v(q - RADIUS, q + RADIUS)[0]
        return rows[np.linalg.norm(points[rows] - q, axis=1) <= RADIUS]

    def balls(qs: Floats) -> npt.NDArray[np.int64]:
        rows, counts = tree.intersection_v(qs - RADIUS, qs + RADIUS)
        near = (
            np.linalg.norm(points[rows] - np.repeat(qs, counts.astype(np.int64), axis=0), axis=1)
            <= RADIUS
        )
        return rows[near]

    return {
        "nearest": lambda q: tree.nearest_v(q, q, num_results=K, strict=True)[0],
        "nearests": lambda qs, threads: tree.nearest_v(qs, qs, num_results=K, strict=True)[0],
        "ball": ball,
        "balls": balls,
        "box": lambda q: tree.intersection_v(q - REACH, q + REACH)[0],
        "boxes": lambda qs: tree.intersection_v(qs - REACH, qs + REACH),
    }


def scipys(points: Floats) -> Engine:
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    return {
        "nearest": lambda q: tree.query(q, K)[1],
        "nearests": lambda qs, threads: tree.query(qs, K, workers=threads)[1],
        "ball": lambda q: tree.query_ball_point(q, RADIUS),
        "balls": lambda qs: tree.query_ball_point(qs, RADIUS),
        "box": lambda q: tree.query_ball_point(q, REACH, p=np.inf),
        "boxes": lambda qs: tree.query_ball_point(qs, REACH, p=np.inf),
    }


def pykdtrees(points: Floats) -> Engine:
    from pykdtree.kdtree import KDTree

    tree = KDTree(points)
    return {
        "nearest": lambda q: tree.query(q[None], K)[1][0],
        "nearests": lambda qs, threads: tree.query(qs, K)[1],
    }


BUILDERS = {OURS: ours, "rtree": rtrees, "cKDTree": scipys, "pykdtree": pykdtrees}


def agree(engines: Mapping[str, Engine], centers: Floats) -> None:
    """All give the same rows."""
    for center in centers:
        for what in ("nearest", "ball", "box"):
            expected = set(map(int, engines[OURS][what](center)))
            for name, engine in engines.items():
                found = engine.get(what, engines[OURS][what])(center)
                assert set(map(int, found)) == expected, (name, what, center)


def one_by_one(search: Callable[[Floats], object], centers: Floats) -> Callable[[], None]:
    queries = list(centers)

    def run() -> None:
        for center in queries:
            search(center)

    return run


def measure(count: int, batch: int, single: int, repeat: int, peers: list[str]) -> list[Row]:
    dice = np.random.default_rng(0)
    points = clustered(count, dice)
    centers = points[dice.integers(0, count, batch)] + dice.normal(size=(batch, 3), scale=0.1)
    engines: dict[str, Engine] = {}
    builds = {
        name: lambda name=name: engines.__setitem__(name, BUILDERS[name](points))
        for name in (OURS, *peers)
    }
    taken = milliseconds(shortest(builds, repeat))
    rows = [Row(f"build, {count:,} points", taken, "ms", "1 × rtree")]
    agree(engines, centers[:50])

    def rates(what: str, queries: Floats, goal: str, *arguments: int) -> Row:
        runs = {
            name: lambda engine=engine: engine[what](queries, *arguments)
            for name, engine in engines.items()
            if what in engine and not (arguments == (2,) and name in ("rtree", "pykdtree"))
        }
        figures = {name: len(queries) / s for name, s in shortest(runs, repeat).items()}
        threads = ", 2 threads" if arguments == (2,) else ""
        label = f"{LABELS[what]}, {len(queries):,} at once{threads}"
        return Row(label, figures, "queries/s", goal, "more")

    for what in ("nearest", "ball", "box"):
        runs = {n: one_by_one(e[what], centers[:single]) for n, e in engines.items() if what in e}
        figures = {n: s / single * 1e6 for n, s in shortest(runs, repeat).items()}
        rows.append(Row(f"{LABELS[what]}, one call", figures, "µs", "0.2 × rtree"))
    few = centers[: batch // 10]
    rows += [
        rates("nearests", centers, "above 1 × cKDTree", 1),
        rates("nearests", centers, "", 2),
        rates("balls", few, "above 1 × cKDTree"),
        rates("boxes", few, "above 1 × cKDTree"),
    ]
    return rows


LABELS = dict.fromkeys(("nearest", "nearests"), f"nearest {K}")
LABELS |= dict.fromkeys(("ball", "balls"), "radius") | dict.fromkeys(("box", "boxes"), "box")


def benchmark(full: bool) -> str:
    peers = [peer for peer, package in PACKAGES.items() if installed(package)]
    missing = [PACKAGES[peer] for peer in PACKAGES if peer not in peers]
    sizes = (1_000_000, 100_000, 2_000, 5) if full else (100_000, 10_000, 500, 3)
    note = (
        "One thread except where said. Balls and cubes hold about 130 of the million points; ours "
        "gives rows in ascending order, rtree in none. rtree finds the points of a ball by its box "
        "and NumPy, cKDTree those of a cube as a ball of the maximum norm; pykdtree has neither."
    )
    if missing:
        note += f" Left out, because not installed: {', '.join(missing)}."
    return markdown("Points in space", measure(*sizes, peers), note)


if __name__ == "__main__":
    run_alone(benchmark)
