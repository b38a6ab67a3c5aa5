"""Projection of vectors to three dimensions that never moves two of them apart.

    points: float32[M,D] -> matrix: float32[3,D]                      (principal_directions)
    matrix: float32[3,D], vectors: float32[N,D] -> float64[N,3]       (project)

The rows of the matrix are the principal directions of the points, orthonormal up to rounding and
scaled by 1 - slack(D), so that the map is linear and contracts:

    |project(a) - project(b)| <= |a - b|

for all float32 vectors with |a - b| >= 2**-27 x max(|a|, |b|); nearer ones (float32 vectors that
differ in their smallest elements only) may seem apart by 2**-46 x max(|a|, |b|), the rounding of
float64 sums. Why: the elements of the matrix are whole multiples of 2**-24, so rounding them moves
it by at most sqrt(3D) x 2**-25 (Frobenius), and its norm stays below 1 - slack / 2.

Equal landmarks give equal matrices also where linear algebra libraries differ in their last bits
(rounding hides them), unless two principal directions carry the same variance.
Coordinates are summed in the order of distance.py, so a vector's point does not depend on batches.
Source: principal components (Pearson 1901; Hotelling 1933); equal to trilateration from distances
to the landmarks by landmark MDS (de Silva & Tenenbaum 2004).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.distance import distances

Matrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

AXES: Final = 3
#: directions whose variance is below this part of the largest are noise
_RANK_EPSILON: Final = 1e-18
_ROUNDING: Final = 2.0**-24


def slack(dimensions: int) -> float:
    """How much the directions are shortened, to make up for rounding: at least 2**-16."""
    return float(max(2.0**-16, np.sqrt(AXES * dimensions) * _ROUNDING))


def principal_directions(points: Matrix) -> Matrix:
    """float32[3,D]: directions of largest variance first, each with its largest element positive.
    Where the points vary in fewer than three, coordinate axes that are most nearly orthogonal to
    those found go on; for D < 3 the last rows are zeros."""
    assert points.ndim == 2 and len(points), points.shape
    width = points.shape[1]
    centred = points.astype(np.float64)
    centred -= centred.mean(axis=0)
    if len(points) > width:
        variances, vectors = np.linalg.eigh(centred.T @ centred)
        variances, rows = variances[::-1], vectors.T[::-1]
    else:
        _, lengths, rows = np.linalg.svd(centred, full_matrices=False)
        variances = lengths**2
    found = [
        row
        for variance, row in zip(variances[:AXES], rows[:AXES], strict=True)
        if variance > _RANK_EPSILON * variances[0]
    ]
    directions = np.zeros((AXES, width))
    for i in range(min(AXES, width)):
        row = _orthonormal(found[i] if i < len(found) else None, directions[:i])
        directions[i] = row if row[np.argmax(np.abs(row))] > 0 else -row
    scaled = directions * (1.0 - slack(width))
    return np.asarray(np.round(scaled / _ROUNDING) * _ROUNDING, np.float32)


def _orthonormal(row: Any, before: Numbers) -> Numbers:
    """The row without its parts along the rows before, of length 1; without a row, the same of the
    coordinate axis of which most is left."""
    if row is None:
        left = 1.0 - (before**2).sum(axis=0)
        row = np.zeros(before.shape[1])
        row[int(np.argmax(left))] = 1.0
    for _ in range(2):  # twice is enough (Kahan, Parlett)
        row = row - (before @ row) @ before
    return np.asarray(row / np.linalg.norm(row), np.float64)


def project(matrix: Matrix, vectors: Matrix) -> Numbers:
    """float64[N,3]: the points of vectors float32[N,D]."""
    assert vectors.ndim == 2 and vectors.shape[1] == matrix.shape[1], (vectors.shape, matrix.shape)
    points = np.empty((len(vectors), AXES), np.float64)
    for axis, row in enumerate(matrix):
        np.negative(distances("dot", vectors, row), out=points[:, axis])
    points += 0.0  # no minus zero
    return points


def neighbourhood_preservation(vectors: Matrix, points: Numbers, count: int = 10) -> float | None:
    """How many of the `count` nearest of each vector are among the `count` nearest of its point, as
    a mean fraction; Euclidean, ties by row, the row itself left out. None for fewer than two rows.
    N * N distances at once: meant for a sample of about 1,000."""
    count = min(count, len(vectors) - 1)
    if count < 1:
        return None
    near, shadows = (_nearest(x.astype(np.float64), count) for x in (vectors, points))
    kept = sum(len(np.intersect1d(a, b)) for a, b in zip(near, shadows, strict=True))
    return kept / (count * len(vectors))


def _nearest(rows: Numbers, count: int) -> npt.NDArray[np.int64]:
    """int64[N,count]: the nearest other rows of each."""
    lengths = (rows * rows).sum(axis=1)
    squares = lengths[:, None] + lengths[None, :] - 2.0 * (rows @ rows.T)
    np.fill_diagonal(squares, np.inf)
    return np.argsort(squares, axis=1, kind="stable")[:, :count]
