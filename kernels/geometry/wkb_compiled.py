"""The compiled scanner of well-known binary: the arrays of wkb_reference.scan_reference.

Importing it imports numba. Every read is checked against the end of its row first; what was read is
returned as (code, place), the coordinates as the bits that they are.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types as nt

from hartonomous.kernels.geometry import faults
from hartonomous.kernels.geometry.compiling import ENTRY, INNER
from hartonomous.kernels.geometry.faults import Bytes, Scan
from hartonomous.kernels.geometry.layout import (
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Offsets,
    Srids,
)
from hartonomous.kernels.geometry.scanning_compiled import Buffers, signature

_FLAG_Z, _FLAG_M, _FLAG_SRID = 0x80000000, 0x40000000, 0x20000000
_BASE = 0x1FFFFFFF
#: float64's exponent, all ones in what is not finite, and its fraction, not 0 in a NaN
_EXPONENT, _FRACTION = np.uint64(0x7FF0000000000000), np.uint64(0x000FFFFFFFFFFFFF)

# what is counted and known while scanning: places in `state`
COORDS, RINGS, BIG, SIZE = range(4)


@numba.njit(**INNER)
def _read(data, at, width, big):  # type: ignore[no-untyped-def]
    """The unsigned number of `width` bytes at `at`, which are there."""
    value = np.uint64(0)
    for k in range(width):
        byte = data[at + k] if big else data[at + width - 1 - k]
        value = value << np.uint64(8) | np.uint64(byte)
    return value


@numba.njit(**INNER)
def _head(data, at, end, state):  # type: ignore[no-untyped-def]
    """(code, where; kind, has z, has an SRID): byte order and type, 5 bytes."""
    if at >= end:
        return faults.TRUNCATED, end, 0, False, False
    if data[at] > 1:
        return faults.BYTE_ORDER, at, 0, False, False
    if end - at < 5:
        return faults.TRUNCATED, end, 0, False, False
    state[BIG] = 1 - data[at]
    raw = np.int64(_read(data, at + 1, 4, state[BIG] == 1))
    base = raw & _BASE
    thousands = base // 1000 if base < 4000 else np.int64(0)
    kind = base - 1000 * thousands
    if kind < POINT or kind > MULTIPOINT:
        return faults.UNKNOWN_KIND, at + 1, 0, False, False
    if raw & _FLAG_M != 0 or thousands >= 2:
        return faults.MEASURES, at + 1, 0, False, False
    return faults.OK, at + 5, kind, raw & _FLAG_Z != 0 or thousands == 1, raw & _FLAG_SRID != 0


@numba.njit(**INNER)
def _srid(data, at, end, srids, row, state):  # type: ignore[no-untyped-def]
    if end - at < 4:
        return faults.TRUNCATED, end
    srid = np.int64(_read(data, at, 4, state[BIG] == 1))
    if srid > faults.SRID_MAX:
        return faults.BAD_SRID, at
    if srid != 0 and srids[row] != 0 and srid != srids[row]:
        return faults.SRID_CONFLICT, at
    if srid != 0:
        srids[row] = srid
    return faults.OK, at + 4


@numba.njit(**INNER)
def _count(data, at, end, width, state):  # type: ignore[no-untyped-def]
    """(code, where, count): a count of things of at least `width` bytes, which must be there."""
    if end - at < 4:
        return faults.TRUNCATED, end, 0
    count = np.int64(_read(data, at, 4, state[BIG] == 1))
    if count * width > end - at - 4:
        return faults.TRUNCATED, end, 0
    return faults.OK, at + 4, count


@numba.njit(**INNER)
def _point(data, at, end, may_be_empty, bits, state):  # type: ignore[no-untyped-def]
    size = state[SIZE]
    if end - at < 8 * size:
        return faults.TRUNCATED, end
    place, wrong, nans = state[COORDS], -1, 0
    bits[place, 2] = 0
    for k in range(size):
        value = _read(data, at + 8 * k, 8, state[BIG] == 1)
        bits[place, k] = value
        if value & _EXPONENT == _EXPONENT:
            if value & _FRACTION != 0:
                nans += 1
            if wrong < 0:
                wrong = at + 8 * k
    if may_be_empty and nans == size:
        return faults.OK, at + 8 * size
    if wrong >= 0:
        return faults.NOT_FINITE, wrong
    state[COORDS] = place + 1
    return faults.OK, at + 8 * size


@numba.njit(**INNER)
def _sequence(data, at, end, count, bits, state):  # type: ignore[no-untyped-def]
    code = faults.OK
    for _ in range(count):
        code, at = _point(data, at, end, False, bits, state)
        if code != faults.OK:
            break
    return code, at


@numba.njit(**INNER)
def _polygon(data, begin, at, end, bits, rings, places, state):  # type: ignore[no-untyped-def]
    origin = state[COORDS]
    code, at, count = _count(data, at, end, 4, state)
    for _ in range(count):
        start = at
        code, at, points = _count(data, at, end, 8 * state[SIZE], state)
        if code != faults.OK:
            return code, at
        if points < faults.RING_POINTS_MIN:
            return faults.SHORT_RING, start
        rings[state[RINGS]] = state[COORDS] - origin
        places[state[RINGS]] = start - begin
        state[RINGS] += 1
        code, at = _sequence(data, at, end, points, bits, state)
        if code != faults.OK:
            return code, at
    return code, at


@numba.njit(**INNER)
def _multipoint(data, at, end, srids, row, bits, state):  # type: ignore[no-untyped-def]
    size = state[SIZE]
    code, at, count = _count(data, at, end, 5 + 8 * size, state)
    for _ in range(count):
        start = at
        code, at, kind, has_z, has_srid = _head(data, at, end, state)
        if code != faults.OK:
            return code, at
        if kind != POINT:
            return faults.BAD_MEMBER, start + 1
        if (3 if has_z else 2) != size:
            return faults.DIMENSIONS, start + 1
        if has_srid:
            code, at = _srid(data, at, end, srids, row, state)
            if code != faults.OK:
                return code, at
        code, at = _point(data, at, end, False, bits, state)
        if code != faults.OK:
            return code, at
    return code, at


@numba.njit(**INNER)
def _value(data, begin, end, kinds, srids, row, bits, rings, places, state):  # type: ignore[no-untyped-def]
    """(code, where): one row."""
    code, at, kind, has_z, has_srid = _head(data, begin, end, state)
    if code != faults.OK:
        return code, at
    kinds[row] = kind
    state[SIZE] = 3 if has_z else 2
    if has_srid:
        code, at = _srid(data, at, end, srids, row, state)
        if code != faults.OK:
            return code, at
    if kind == POINT:
        code, at = _point(data, at, end, True, bits, state)
    elif kind == LINESTRING:
        start = at
        code, at, count = _count(data, at, end, 8 * state[SIZE], state)
        if code == faults.OK and count == 1:
            return faults.SHORT_LINE, start
        if code == faults.OK:
            code, at = _sequence(data, at, end, count, bits, state)
    elif kind == POLYGON:
        code, at = _polygon(data, begin, at, end, bits, rings, places, state)
    else:
        code, at = _multipoint(data, at, end, srids, row, bits, state)
    if code == faults.OK and at != end:
        return faults.TRAILING, at
    return code, at


@numba.njit(signature(2, nt.uint64[:, ::1]), **ENTRY)
def _scan(  # type: ignore[no-untyped-def]
    data, offsets, kinds, srids, bits, coord_starts, rings, ring_starts, places, codes, positions
):
    state = np.zeros(4, np.int64)
    for row in range(len(kinds)):
        coords, ring = state[COORDS], state[RINGS]
        begin = offsets[row]
        code, where = _value(
            data, begin, offsets[row + 1], kinds, srids, row, bits, rings, places, state
        )
        if code != faults.OK:
            state[COORDS], state[RINGS] = coords, ring
            codes[row], positions[row] = code, where - begin
            kinds[row], srids[row] = POINT, 0
        coord_starts[row + 1] = state[COORDS]
        ring_starts[row + 1] = state[RINGS]
    return state[COORDS], state[RINGS]


def scan(offsets: Offsets, data: Bytes, srids: Srids) -> Scan:
    """As wkb_reference.scan_reference."""
    count = len(offsets) - 1
    size = int(offsets[-1] - offsets[0])
    points_max = size // 16 + count  # a point has two numbers or more; one is tried in a row
    rings_max = size // (4 + 16 * faults.RING_POINTS_MIN) + count
    buffers = Buffers(srids, np.empty((points_max, 3), np.uint64), rings_max)
    points, rings = _scan(
        np.ascontiguousarray(data), np.ascontiguousarray(offsets), *buffers.arrays()
    )
    return buffers.scan(points, rings)
