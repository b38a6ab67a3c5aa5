"""Points for trees: equal trees have equal points, like trees near ones.

    counts: int64[N,D], hashes: uint8[N,32], matrix: int16[3,D] -> float64[N,3]

`counts` says how often each kind of (parent, child) occurs in a tree, over D bins. A tree's profile
is log2(1 + count), so that the tenth call weighs less than the first; `matrix` (three orthonormal
directions times UNIT) takes it to 3-D, and SCALE stretches the result. Distances in 3-D are at most
SCALE times those of profiles, but for the rounding to cells, 2**-10 wide. In its cell a tree's
place is given by 96 bits of its hash, so that unlike trees do not share a point, at the price of
2**-11 in each coordinate.

All arithmetic is in whole numbers until the last step, which is exact: points are the same on
every machine. Profiles of paths in trees as vectors: Yang, Kalnis & Tung, Similarity Evaluation on
Tree-structured Data (SIGMOD 2005); Jiang et al., DECKARD (ICSE 2007).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: what 1 is in the matrix, and in profiles
UNIT: Final = 1 << 14
LOG_UNIT: Final = 1 << 8
#: what a profile's unit is in 3-D
SCALE: Final = 4
#: counts above it count as it
COUNT_MAX: Final = (1 << 16) - 1
_CELL_BITS: Final = 10
_OFFSET_BITS: Final = 43  # 32 bits of hash below 2**-11

Points = npt.NDArray[np.float64]


def profiles(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """int64[N,D]: log2(1 + count) in units of 1 / LOG_UNIT."""
    capped = np.minimum(counts, COUNT_MAX)
    return np.asarray(np.round(np.log2(1.0 + capped) * LOG_UNIT), np.int64)


def signature_points(
    counts: npt.NDArray[np.int64], hashes: npt.NDArray[np.uint8], matrix: npt.NDArray[Any]
) -> Points:
    """See the module."""
    assert counts.shape[1] == matrix.shape[1], (counts.shape, matrix.shape)
    products = profiles(counts) @ matrix.astype(np.int64).T
    # the product's unit is LOG_UNIT * UNIT = 2**22; times SCALE, in cells of 2**-10
    shift = (LOG_UNIT * UNIT // SCALE).bit_length() - 1 - _CELL_BITS
    cells = products >> shift
    words = np.ascontiguousarray(hashes[:, :12]).view("<u4").astype(np.float64)
    return np.asarray(cells * 2.0**-_CELL_BITS + words * 2.0**-_OFFSET_BITS, np.float64)
