"""The compiled form of pooling.py: same arguments, same bits. Importing it imports numba."""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.pooling import Ids, Matrix, Offsets


@numba.njit(**OPTIONS)
def _mean_pool(table, ids, offsets, out):  # type: ignore[no-untyped-def]
    width = table.shape[1]
    total = np.empty(width, np.float64)
    for n in range(len(offsets) - 1):
        first, last = offsets[n], offsets[n + 1]
        total[:] = 0.0
        for t in range(first, last):
            row = table[ids[t]]
            for j in range(width):
                total[j] += row[j]
        count = max(last - first, 1)
        for j in range(width):
            out[n, j] = total[j] / count


def mean_pool(table: Matrix, ids: Ids, offsets: Offsets) -> Matrix:
    """As pooling.mean_pool."""
    out = np.empty((len(offsets) - 1, table.shape[1]), np.float32)
    _mean_pool(table, ids, offsets, out)
    return out
