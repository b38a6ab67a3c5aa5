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
def _sum_row(row, kept):  # type: ignore[no-untyped-def]
    """Sums of the numbers and of their magnitudes, in four parts."""
    s0 = s1 = s2 = s3 = 0.0
    m0 = m1 = m2 = m3 = 0.0
    whole = len(row) // 4 * 4
    for i in range(0, whole, 4):
        a = np.float64(row[i]) if kept[i] else 0.0
        b = np.float64(row[i + 1]) if kept[i + 1] else 0.0
        c = np.float64(row[i + 2]) if kept[i + 2] else 0.0
        d = np.float64(row[i + 3]) if kept[i + 3] else 0.0
        s0, s1, s2, s3 = s0 + a, s1 + b, s2 + c, s3 + d
        m0, m1, m2, m3 = m0 + abs(a), m1 + abs(b), m2 + abs(c), m3 + abs(d)
    for i in range(whole, len(row)):
        if kept[i]:
            s0 += row[i]
            m0 += abs(row[i])
    return (s0 + s1) + (s2 + s3), (m0 + m1) + (m2 + m3)


@numba.njit(**OPTIONS)
def _ends_row(row, kept, out):  # type: ignore[no-untyped-def]
    """Least and greatest numbers and magnitudes, into float32[4]."""
    least, most = np.float32(np.inf), np.float32(-np.inf)
    short, long = np.float32(np.inf), np.float32(-np.inf)
    numbers, nans = 0, 0
    for i in range(len(row)):
        if kept[i]:
            x = row[i]
            size = abs(x)
            numbers += x == x
            nans += x != x
            least = x if x < least else least
            most = x if x > most else most
            short = size if size < short else short
            long = size if size > long else long
    if nans:
        most = long = np.float32(np.nan)
        if not numbers:
            least = short = np.float32(np.nan)
    out[0], out[1], out[2], out[3] = least, most, short, long


@numba.njit(**OPTIONS)
def _reduce(  # type: ignore[no-untyped-def]
    tile, bounds, nan, members, has_members, excluded, columns, wanted, counts, sums, ends, places
):
    count, length = tile.shape
    kept = np.empty(length, np.bool_)
    for k in range(count):
        row = tile[k]
        _test_row(row, bounds, nan, members, has_members, excluded, columns, kept)
        counts[k] = _count(kept)
        if counts[k] == 0:
            continue
        if wanted & SUMS:
            sums[k, 0], sums[k, 1] = _sum_row(row, kept)
        if wanted & ENDS:
            _ends_row(row, kept, ends[k])
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
    ends = np.array([np.inf, -np.inf, np.inf, -np.inf], np.float32) * np.ones((rows, 1), np.float32)
    places = np.tile(np.array([0, length, -1], np.int64), (rows, 1))
    _reduce(np.ascontiguousarray(tile), *_arguments(passing), wanted, counts, sums, ends, places)
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
