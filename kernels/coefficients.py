"""The numbers of matrices one by one: which of them pass tests, and figures of those by row.

    tile    float32[K, L]
    passes  bool[K, L]

Comparisons are those of exact numbers, NaN being equal to itself and greater than all others, and
-0 equal to 0. Sums are float64; the compiled form adds in four interleaved parts, so it may differ
from the reference by rounding (1e-12 of the sum of magnitudes for rows up to 100,000). Estimate,
compiled: a comparison and an addition a number, about 1 ns for both on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: numbers from which the compiled form is worth importing numba (0.35 s, once per process)
COMPILE_ELEMENTS: Final = 1 << 22

#: figures besides the count, as bits: sums, least and greatest, those of columns
SUMS: Final = 1
ENDS: Final = 2
POSITIONS: Final = 4

_INF: Final = np.float32(np.inf)


@dataclass(frozen=True, slots=True)
class Passing:
    """Which numbers pass: low <= x <= high, magnitude_low <= |x| <= magnitude_high, x among
    `members` (None: any), x not among `excluded`, its column in `columns` (bool[L], None: all);
    NaN, whatever the rest says, if `nan`. Members and excluded ascend."""

    low: float = -np.inf
    high: float = np.inf
    magnitude_low: float = 0.0
    magnitude_high: float = np.inf
    nan: bool = True
    members: Matrix | None = None
    excluded: Matrix | None = None
    columns: Mask | None = None

    @property
    def takes_all(self) -> bool:
        """Whether every number passes, so that none need be looked at."""
        is_listed = any(x is not None for x in (self.members, self.excluded, self.columns))
        ends = (self.low, self.high, self.magnitude_low, self.magnitude_high)
        return self.nan and not is_listed and ends == (-np.inf, np.inf, 0.0, np.inf)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the numbers that pass, by row: how many, int64[K]; sums, float64[K]; least and greatest,
    float32[K] (of none: inf and -inf). `positions` are those of their columns."""

    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    least: Matrix
    greatest: Matrix
    magnitude_sums: npt.NDArray[np.float64]
    magnitude_least: Matrix
    magnitude_greatest: Matrix
    position_sums: npt.NDArray[np.int64]
    position_least: npt.NDArray[np.int32]
    position_greatest: npt.NDArray[np.int32]


def test(tile: Matrix, passing: Passing, compiled: bool) -> Mask:
    """bool[K, L]: which numbers pass."""
    if not compiled:
        return test_reference(tile, passing)
    from hartonomous.kernels import coefficients_compiled

    return coefficients_compiled.test(tile, passing)


def reduce(tile: Matrix, passing: Passing, wanted: int, compiled: bool) -> Figures:
    """The figures of the numbers that pass; besides the count those that are `wanted`."""
    if not compiled:
        return reduce_reference(tile, passing)
    from hartonomous.kernels import coefficients_compiled

    return coefficients_compiled.reduce(tile, passing, wanted)


def test_reference(tile: Matrix, passing: Passing) -> Mask:
    """As test, in NumPy."""
    magnitudes = np.abs(tile)
    kept = (tile >= passing.low) & (tile <= passing.high)
    kept &= (magnitudes >= passing.magnitude_low) & (magnitudes <= passing.magnitude_high)
    if passing.members is not None:
        kept &= np.isin(tile, passing.members)
    if passing.excluded is not None:
        kept &= ~np.isin(tile, passing.excluded)
    if passing.nan:
        kept |= np.isnan(tile)
    if passing.columns is not None:
        kept &= passing.columns
    return np.asarray(kept, np.bool_)


def reduce_reference(tile: Matrix, passing: Passing) -> Figures:
    """As reduce, in NumPy."""
    kept = test_reference(tile, passing)
    counts = kept.sum(axis=1, dtype=np.int64)
    magnitudes = np.abs(tile)
    positions = np.arange(tile.shape[1])
    return Figures(
        counts,
        _sums(tile, kept),
        _least(tile, kept, counts),
        _greatest(tile, kept),
        _sums(magnitudes, kept),
        _least(magnitudes, kept, counts),
        _greatest(magnitudes, kept),
        np.where(kept, positions, 0).sum(axis=1, dtype=np.int64),
        np.where(kept, positions, tile.shape[1]).min(axis=1, initial=tile.shape[1]).astype("i4"),
        np.where(kept, positions, -1).max(axis=1, initial=-1).astype(np.int32),
    )


def _sums(tile: Matrix, kept: Mask) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # of opposite infinities
        sums: npt.NDArray[np.float64] = np.where(kept, tile, np.float32(0)).sum(
            axis=1, dtype=np.float64
        )
    return sums


def _least(tile: Matrix, kept: Mask, counts: npt.NDArray[np.int64]) -> Matrix:
    least = np.fmin.reduce(np.where(kept, tile, _INF), axis=1, initial=_INF)
    nans = (kept & np.isnan(tile)).sum(axis=1)
    return np.asarray(np.where((counts > 0) & (nans == counts), np.nan, least), np.float32)


def _greatest(tile: Matrix, kept: Mask) -> Matrix:
    greatest: Matrix = np.maximum.reduce(np.where(kept, tile, -_INF), axis=1, initial=-_INF)
    return greatest
