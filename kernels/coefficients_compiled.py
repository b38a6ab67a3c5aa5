"""The compiled form of coefficients.py. Importing it imports numba.

No `fastmath`: infinities and NaN keep their places. A row's tests go into a buffer of bytes first,
so that the loops after it are few and simple.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
import numpy.typing as npt

from hartonomous.kernels.coefficients import ENDS, POSITIONS, SUMS, Figures, Mask, Matrix, Passing
from hartonomous.kernels.options import OPTIONS

_NONE: Final = np.empty(0, np.float32)
_ALL: Final = np.empty(0, np.bool_)
#: bits of float32
INFINITE: Final = np.int32(0x7F800000)
NAN: Final = np.int32(0x7FC00000)
#: of int32; the first is all of float32 but its sign
GREATEST: Final = np.int32(2**31 - 1)
LOWEST: Final = np.int32(-(2**31))


@numba.njit(**OPTIONS)
def _is_among(x, values):  # type: ignore[no-untyped-def]
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low < len(values) and values[low] == x


@numba.njit(**OPTIONS)
def _test_row(row, bounds, nan, members, has_members, excluded, columns, out):  # type: ignore[no-untyped-def]
    low, high, least, most = bounds[0], bounds[1], bounds[2], bounds[3]
    for i in range(len(row)):
        x = row[i]
        size = abs(x)
        inside = (x >= low) & (x <= high) & (size >= least) & (size <= most)
        out[i] = inside | (nan & (x != x))
    if has_members:
        for i in range(len(row)):
            if out[i] and row[i] == row[i]:
                out[i] = _is_among(row[i], members)
    if len(excluded):
        for i in range(len(row)):
            if out[i] and row[i] == row[i]:
                out[i] = not _is_among(row[i], excluded)
    if len(columns):
        for i in range(len(row)):
            out[i] &= columns[i]


@numba.njit(**OPTIONS)
def _test(tile, bounds, nan, members, has_members, excluded, columns, out):  # type: ignore[no-untyped-def]
    for k in range(tile.shape[0]):
        _test_row(tile[k], bounds, nan, members, has_members, excluded, columns, out[k])


@numba.njit(**OPTIONS)
def _count(kept):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(len(kept)):
        count += kept[i]
    return count


@numba.njit(**OPTIONS)
def _mask_row(bits, kept, out):  # type: ignore[no-untyped-def]
    """The bits of the numbers that pass, 0 for the others: sums then need no branches."""
    for i in range(len(bits)):
        out[i] = np.int32(bits[i] & -np.int32(kept[i]))


@numba.njit(**OPTIONS)
def _sum_row(row):  # type: ignore[no-untyped-def]
    """Sums of the numbers and of their magnitudes, in four parts."""
    s0 = s1 = s2 = s3 = 0.0
    m0 = m1 = m2 = m3 = 0.0
    whole = len(row) // 4 * 4
    for i in range(0, whole, 4):
        a, b = np.float64(row[i]), np.float64(row[i + 1])
        c, d = np.float64(row[i + 2]), np.float64(row[i + 3])
        s0, s1, s2, s3 = s0 + a, s1 + b, s2 + c, s3 + d
        m0, m1, m2, m3 = m0 + abs(a), m1 + abs(b), m2 + abs(c), m3 + abs(d)
    for i in range(whole, len(row)):
        s0 += row[i]
        m0 += abs(row[i])
    return (s0 + s1) + (s2 + s3), (m0 + m1) + (m2 + m3)


@numba.njit(**OPTIONS)
def _ends_row(bits, kept, out):  # type: ignore[no-untyped-def]
    """Least and greatest numbers and magnitudes, as bits into int32[4]. Over whole numbers in the
    order of the floats, without branches, because a loop over floats is not vectorised."""
    least, most = GREATEST, LOWEST
    short, long = GREATEST, LOWEST
    numbers, nans = np.int32(0), np.int32(0)
    for i in range(len(bits)):
        size = np.int32(bits[i] & GREATEST)
        is_nan = np.int32(size > INFINITE)
        passes = np.int32(kept[i])
        nans = np.int32(nans + (passes & is_nan))
        counts = np.int32(passes & (is_nan ^ 1))
        numbers = np.int32(numbers + counts)
        mask = np.int32(-counts)
        key = np.int32(bits[i] ^ np.int32(np.int32(bits[i] >> 31) & GREATEST))
        # of those that do not count, the worst
        above, below = np.int32(GREATEST & ~mask), np.int32(LOWEST & ~mask)
        least = min(least, np.int32(np.int32(key & mask) | above))
        most = max(most, np.int32(np.int32(key & mask) | below))
        short = min(short, np.int32(np.int32(size & mask) | above))
        long = max(long, np.int32(np.int32(size & mask) | below))
    out[0] = np.int32(least ^ np.int32(np.int32(least >> 31) & GREATEST))
    out[1] = np.int32(most ^ np.int32(np.int32(most >> 31) & GREATEST))
    out[2], out[3] = short, long
    if nans:
        out[1] = out[3] = NAN
        if not numbers:
            out[0] = out[2] = NAN


@numba.njit(**OPTIONS)
def _reduce(  # type: ignore[no-untyped-def]
    tile, bounds, nan, members, has_members, excluded, columns, wanted, counts, sums, ends, places
):
    count, length = tile.shape
    bits = tile.view(np.int32)
    kept, masked = np.empty(length, np.bool_), np.empty(length, np.int32)
    for k in range(count):
        row = tile[k]
        _test_row(row, bounds, nan, members, has_members, excluded, columns, kept)
        counts[k] = _count(kept)
        if counts[k] == 0:
            continue
        if wanted & SUMS:
            _mask_row(bits[k], kept, masked)
            sums[k, 0], sums[k, 1] = _sum_row(masked.view(np.float32))
        if wanted & ENDS:
            _ends_row(bits[k], kept, ends[k])
        if wanted & POSITIONS:
            total, last = 0, -1
            first = length
            for i in range(length):
                if kept[i]:
                    total += i
                    last = i
                    first = min(first, i)
            places[k, 0], places[k, 1], places[k, 2] = total, first, last


def test(tile: Matrix, passing: Passing) -> Mask:
    """As coefficients.test."""
    out = np.empty(tile.shape, np.bool_)
    _test(np.ascontiguousarray(tile), *_arguments(passing), out)
    return out


def reduce(tile: Matrix, passing: Passing, wanted: int) -> Figures:
    """As coefficients.reduce."""
    rows, length = tile.shape
    counts = np.zeros(rows, np.int64)
    sums = np.zeros((rows, 2))
    ends = np.empty((rows, 4), np.float32)
    ends[:] = [np.inf, -np.inf, np.inf, -np.inf]
    places = np.tile(np.array([0, length, -1], np.int64), (rows, 1))
    arguments = _arguments(passing)
    tile = np.ascontiguousarray(tile)
    _reduce(tile, *arguments, wanted, counts, sums, ends.view(np.int32), places)
    return Figures(
        counts,
        sums[:, 0],
        ends[:, 0],
        ends[:, 1],
        sums[:, 1],
        ends[:, 2],
        ends[:, 3],
        places[:, 0],
        places[:, 1].astype(np.int32),
        places[:, 2].astype(np.int32),
    )


def _arguments(
    passing: Passing,
) -> tuple[Matrix, bool, Matrix, bool, Matrix, npt.NDArray[np.bool_]]:
    bounds = np.array(
        [passing.low, passing.high, passing.magnitude_low, passing.magnitude_high], np.float32
    )
    return (
        bounds,
        passing.nan,
        _NONE if passing.members is None else passing.members,
        passing.members is not None,
        _NONE if passing.excluded is None else passing.excluded,
        _ALL if passing.columns is None else passing.columns,
    )
