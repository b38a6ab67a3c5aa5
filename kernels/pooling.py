"""Mean pooling: the mean of a table's rows for each of many lists of row numbers.

    table: float16|float32[V,D], ids: int32[T], offsets: int64[N+1] -> float32[N,D]

List n is ids[offsets[n]:offsets[n + 1]]; an empty one gives zeros. Rows are added in float64 and
the mean is rounded to float32 once. Over a float16 table such sums are exact (a half is a whole
multiple of 2**-24, and any sum of fewer than 2**13 of them fits 53 bits; of numbers below 8, 2**26
of them), so the result depends neither on order nor on which form ran, and the compiled form may be
given the table widened to float32. Estimate: 4TD bytes read; compiled, 0.05 µs a token of D = 256.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: elements from which the compiled form is worth importing numba (0.35 s, once per process)
COMPILE_ELEMENTS: Final = 1 << 22
#: elements that the reference widens to float64 at once: 8 MiB
_BLOCK_ELEMENTS: Final = 1 << 20

Table = npt.NDArray[Any]
Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]


def is_compiled_worth(elements: int) -> bool:
    """Whether numba is loaded for this already, or `elements` (T x D) are enough to load it."""
    return elements >= COMPILE_ELEMENTS or (
        elements >= 1 << 14 and "hartonomous.kernels.pooling_compiled" in sys.modules
    )


def mean_pool(table: Matrix, ids: Ids, offsets: Offsets) -> Matrix:
    """float32[N,D] by the compiled form; the table must be float32."""
    _check(table, ids, offsets)
    from hartonomous.kernels import pooling_compiled

    return pooling_compiled.mean_pool(table, ids, offsets)


def mean_pool_reference(table: Table, ids: Ids, offsets: Offsets) -> Matrix:
    """The definition, in NumPy."""
    _check(table, ids, offsets)
    width = table.shape[1]
    sums = np.zeros((len(offsets) - 1, width), np.float64)
    lists = np.repeat(np.arange(len(sums)), np.diff(offsets))
    step = max(1, _BLOCK_ELEMENTS // max(1, width))
    for start in range(0, len(ids), step):
        part = lists[start : start + step]
        first = np.flatnonzero(np.diff(part, prepend=-1))
        rows = table[ids[start : start + step]].astype(np.float64)
        sums[part[first]] += np.add.reduceat(rows, first, axis=0)
    counts = np.maximum(np.diff(offsets), 1)
    return np.asarray(sums / counts[:, None], np.float32)


def _check(table: Table, ids: Ids, offsets: Offsets) -> None:
    """Compiled code does not look whether a number is outside the table."""
    assert offsets[0] == 0 and offsets[-1] == len(ids), (offsets[0], offsets[-1], len(ids))
    assert not len(ids) or (ids.min() >= 0 and ids.max() < len(table)), (ids.min(), ids.max())
