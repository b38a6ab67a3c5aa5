"""Norms, normalisation and sums of vectors: float32[N,D] in, sums in float64.

Norms add in the order of distance.py. Group sums add rows in the order they come, in float64, and
are rounded to float32 once at the end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.distance import Matrix, Numbers, distances

_BLOCK_ELEMENTS = 1 << 20


def norms(matrix: Matrix) -> Numbers:
    """float64[N]: Euclidean lengths."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(-distances("dot", matrix, matrix))


def normalized(matrix: Matrix) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """float32[N,D] of length 1, and bool[N]: which rows were not zero (zero rows stay zero)."""
    lengths = norms(matrix)
    valid = lengths != 0
    divisor = np.where(valid, lengths, 1.0)
    out = np.empty(matrix.shape, np.float32)
    step = max(1, _BLOCK_ELEMENTS // max(1, matrix.shape[1]))
    for start in range(0, len(matrix), step):
        rows = slice(start, start + step)
        np.divide(matrix[rows], divisor[rows, None], out=out[rows], casting="same_kind")
    return out, valid


def group_sums(matrix: Matrix, offsets: npt.NDArray[np.int64]) -> Numbers:
    """float64[G,D]: sums of rows offsets[g] to offsets[g + 1]; zeros for an empty group."""
    groups = len(offsets) - 1
    out = np.zeros((groups, matrix.shape[1]), np.float64)
    filled = np.flatnonzero(np.diff(offsets) > 0)
    if not len(filled):
        return out
    step = max(1, _BLOCK_ELEMENTS // max(1, matrix.shape[1]))
    start, stop = int(offsets[filled[0]]), int(offsets[-1])
    # block by block, so that only a block is widened at once; a group may go on in the next block
    for begin in range(start, stop, step):
        end = min(stop, begin + step)
        low = np.searchsorted(offsets[filled + 1], begin, side="right")
        high = np.searchsorted(offsets[filled], end, side="left")
        touched = filled[low:high]
        starts = np.maximum(offsets[touched], begin) - begin
        with np.errstate(over="ignore", invalid="ignore"):
            out[touched] += np.add.reduceat(matrix[begin:end], starts, axis=0, dtype=np.float64)
    return out
