"""Distances between vectors: the same bits from every path.

    matrix: float32[N,D], other: float32[N,D] or float32[D] -> float64[N]

Sums are taken in float64 over 16 lanes (element i goes to lane i mod 16; the lanes are then halved
four times). A product of two float32 is exact in float64, so the order of additions is all that
decides the result, and it is the same in the NumPy reference and in the compiled kernels: a row's
distance does not depend on batch size, on which of the two ran, or on fused multiply-adds.

`dot` is the negated product, `euclidean` is not squared, `cosine` is 1 - cos, NaN where a vector is
zero. Smaller is nearer. Estimate: 4ND bytes read for one query, 3 flops per element; compiled,
25.6 million elements take about 8 ms on one core (cosine 16), the reference 50 times that.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

METRICS = ("cosine", "euclidean", "dot")
LANES = 16
#: elements from which compiled kernels are worth importing numba (0.35 s, once per process)
COMPILE_ELEMENTS = 1 << 19
#: elements that the reference widens to float64 at once: 8 MiB
_BLOCK_ELEMENTS = 1 << 20

Matrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


def distances(metric: str, matrix: Matrix, other: Matrix) -> Numbers:
    """float64[N]: from each row of `matrix` to the row of `other` at the same place, or to the one
    vector `other`. Picks the compiled kernels where they pay."""
    assert metric in METRICS, metric
    assert matrix.ndim == 2 and other.shape in (matrix.shape, matrix.shape[1:]), (
        matrix.shape,
        other.shape,
    )
    if is_compiled_worth(matrix.size):
        from hartonomous.kernels import distance_compiled

        return distance_compiled.distances(metric, matrix, other)
    return distances_reference(metric, matrix, other)


def is_compiled_worth(elements: int) -> bool:
    """Whether numba is loaded already, or `elements` are many enough to load it."""
    return elements >= COMPILE_ELEMENTS or (elements >= 1024 and "numba" in sys.modules)


def distances_reference(metric: str, matrix: Matrix, other: Matrix) -> Numbers:
    """The definition, in NumPy."""
    count, width = matrix.shape
    out = np.empty(count, np.float64)
    step = max(1, _BLOCK_ELEMENTS // max(1, width))
    for start in range(0, count, step):
        rows = slice(start, min(count, start + step))
        out[rows] = _block(metric, matrix[rows], other if other.ndim == 1 else other[rows])
    return out


def _block(metric: str, matrix: Matrix, other: Matrix) -> Numbers:
    a, b = matrix.astype(np.float64), np.atleast_2d(other).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if metric == "euclidean":
            difference = a - b
            return np.sqrt(lane_sums(difference * difference))
        product = lane_sums(a * b)
        if metric == "dot":
            return -product
        squares = lane_sums(a * a) * lane_sums(b * b)
        return 1.0 - np.clip(product / np.sqrt(squares), -1.0, 1.0)


def lane_sums(values: npt.NDArray[Any]) -> Numbers:
    """float64[N,D] -> float64[N], summed in the order that this module promises."""
    count, width = values.shape
    rounds = -(-width // LANES)
    padded = np.zeros((count, rounds * LANES), np.float64)
    padded[:, :width] = values
    lanes = padded[:, :LANES].copy()
    for i in range(1, rounds):
        lanes += padded[:, i * LANES : (i + 1) * LANES]
    half = LANES // 2
    while half:
        lanes = lanes[:, :half] + lanes[:, half : 2 * half]
        half //= 2
    result: Numbers = lanes[:, 0]
    return result
