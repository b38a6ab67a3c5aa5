"""The compiled forms of distance.py: same arguments, same bits. Importing it imports numba."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from hartonomous.kernels.distance import LANES, Matrix, Numbers

#: nothing that reorders additions: results are those of the reference, to the bit
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


@numba.njit(inline="always", **_OPTIONS)
def _fold(lanes):  # type: ignore[no-untyped-def]
    half = LANES // 2
    while half:
        for i in range(half):
            lanes[i] += lanes[i + half]
        half //= 2
    return lanes[0]


@numba.njit(**_OPTIONS)
def _products(matrix, other, step, out):  # type: ignore[no-untyped-def]
    """out[n] = sum of matrix[n] * other[n * step]."""
    count, width = matrix.shape
    whole = width // LANES * LANES
    lanes = np.zeros(LANES, np.float64)
    for n in range(count):
        a, b = matrix[n], other[n * step]
        lanes[:] = 0.0
        for j in range(0, whole, LANES):
            for i in range(LANES):
                lanes[i] += np.float64(a[j + i]) * np.float64(b[j + i])
        for j in range(whole, width):
            lanes[j - whole] += np.float64(a[j]) * np.float64(b[j])
        out[n] = _fold(lanes)


@numba.njit(**_OPTIONS)
def _squared_distances(matrix, other, step, out):  # type: ignore[no-untyped-def]
    """out[n] = sum of (matrix[n] - other[n * step]) squared."""
    count, width = matrix.shape
    whole = width // LANES * LANES
    lanes = np.zeros(LANES, np.float64)
    for n in range(count):
        a, b = matrix[n], other[n * step]
        lanes[:] = 0.0
        for j in range(0, whole, LANES):
            for i in range(LANES):
                d = np.float64(a[j + i]) - np.float64(b[j + i])
                lanes[i] += d * d
        for j in range(whole, width):
            d = np.float64(a[j]) - np.float64(b[j])
            lanes[j - whole] += d * d
        out[n] = _fold(lanes)


@numba.njit(**_OPTIONS)
def _cosines(matrix, other, step, squares, out):  # type: ignore[no-untyped-def]
    """out[n] = sum of products, squares[n] = sum of matrix[n] squared: one pass over the rows."""
    count, width = matrix.shape
    whole = width // LANES * LANES
    lanes = np.zeros(LANES, np.float64)
    own = np.zeros(LANES, np.float64)
    for n in range(count):
        a, b = matrix[n], other[n * step]
        lanes[:] = 0.0
        own[:] = 0.0
        for j in range(0, whole, LANES):
            for i in range(LANES):
                x = np.float64(a[j + i])
                lanes[i] += x * np.float64(b[j + i])
                own[i] += x * x
        for j in range(whole, width):
            x = np.float64(a[j])
            lanes[j - whole] += x * np.float64(b[j])
            own[j - whole] += x * x
        out[n] = _fold(lanes)
        squares[n] = _fold(own)


def distances(metric: str, matrix: Matrix, other: Matrix) -> Numbers:
    """As distance.distances."""
    step = 0 if other.ndim == 1 else 1
    rows = np.atleast_2d(other)
    out = np.empty(len(matrix), np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if metric == "euclidean":
            _squared_distances(matrix, rows, step, out)
            return np.sqrt(out)
        if metric == "dot":
            _products(matrix, rows, step, out)
            return -out
        squares = np.empty(len(matrix), np.float64)
        _cosines(matrix, rows, step, squares, out)
        others = np.empty(len(rows), np.float64)
        _products(rows, rows, 1, others)
        return 1.0 - np.clip(out / np.sqrt(squares * others), -1.0, 1.0)
