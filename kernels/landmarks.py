"""Choosing a few vectors that stand for many: landmarks.

    points: float32[N,D], count, seed -> int64[K] rows of distinct points, K <= count

`farthest_first` (T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance",
1985): after a first one, always the point farthest from those chosen. `kmeans_plus_plus`
(D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", 2007): always one with
a chance in proportion to its squared distance from those chosen. Both end when every point equals
a landmark.

Ties go to the first row. Chance is PCG64's raw stream of the seed, and distances have the same bits
from every path (distance.py), so the same points and seed give the same landmarks everywhere.
K passes over 4ND bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.distance import distances

Matrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

#: given the squared distances to the nearest landmark, and a number in [0, 1): the next one
Choice = Callable[[Numbers, float], int]


def farthest_first(points: Matrix, count: int, seed: int) -> Rows:
    """Rows of landmarks that cover the points with the least radius, up to a factor of 2."""
    return _choose(points, count, seed, lambda squares, _: int(np.argmax(squares)))


def kmeans_plus_plus(points: Matrix, count: int, seed: int) -> Rows:
    """Rows of landmarks that lie where points are many, but apart."""

    def draw(squares: Numbers, chance: float) -> int:
        sums = np.cumsum(squares)
        return int(np.searchsorted(sums, chance * sums[-1], side="right"))

    return _choose(points, count, seed, draw)


METHODS: dict[str, Callable[[Matrix, int, int], Rows]] = {
    "farthest": farthest_first,
    "kmeans++": kmeans_plus_plus,
}


def _choose(points: Matrix, count: int, seed: int, choice: Choice) -> Rows:
    assert points.ndim == 2 and count >= 1 and seed >= 0, (points.shape, count, seed)
    if not len(points):
        return np.empty(0, np.int64)
    stream = np.random.PCG64(seed)
    row = int(_chance(stream) * len(points))
    chosen = [row]
    squares = distances("euclidean", points, points[row]) ** 2
    while len(chosen) < count and squares.max() > 0.0:
        row = min(choice(squares, _chance(stream)), len(points) - 1)
        if squares[row] == 0.0:  # rounding at the very end of the sums
            row = int(np.argmax(squares))
        chosen.append(row)
        np.minimum(squares, distances("euclidean", points, points[row]) ** 2, out=squares)
    return np.array(chosen, np.int64)


def _chance(stream: np.random.PCG64) -> float:
    """A number in [0, 1) of 53 bits."""
    return float(int(stream.random_raw()) >> 11) * 2.0**-53


def sample_keys(first: int, count: int, seed: int) -> npt.NDArray[np.uint64]:
    """uint64[count]: a random key for each row from number `first` on. The rows with the K smallest
    keys are a uniform sample of K, found in one pass over any number of rows. Source: splitmix64
    (Steele, Lea, Flood 2014) of (seed, row)."""
    with np.errstate(over="ignore"):
        x = np.arange(first, first + count, dtype=np.uint64)
        x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x ^= np.uint64(seed & (2**64 - 1)) * np.uint64(0xD1B54A32D192ED03)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(x ^ (x >> np.uint64(31)), np.uint64)
