"""The compiled scanner of well-known text: the arrays of wkt_reference.scan_reference, row by row.

Importing it imports numba. A decimal is read here where float64 gives it exactly: at most 2**53 in
all its digits and a power of ten up to 22 (one correctly rounded product or quotient of two exact
numbers: Clinger, How to Read Floating Point Numbers Accurately, 1990); all others stay pending.
About 0.1 µs a point.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types as nt

from hartonomous.kernels.geometry import faults
from hartonomous.kernels.geometry.compiling import ENTRY, INNER
from hartonomous.kernels.geometry.faults import Bytes, Scan
from hartonomous.kernels.geometry.layout import (
    HULL,
    LINESTRING,
    MULTIPOINT,
    POINT,
    POLYGON,
    Offsets,
    Srids,
)
from hartonomous.kernels.geometry.scanning_compiled import Buffers, signature
from hartonomous.kernels.geometry.wkt_reference import Pending

#: a word is packed in 5 bits a letter; longer ones are none that we know
WORD_LETTERS_MAX = 12


def _packed(word: str) -> int:
    code = 0
    for letter in word:
        code = code << 5 | (ord(letter) & 31)
    return code


_SRID, _BUFFER, _EMPTY = _packed("SRID"), _packed("BUFFER"), _packed("EMPTY")
_Z, _M, _ZM = _packed("Z"), _packed("M"), _packed("ZM")
_NAN, _INF, _INFINITY = _packed("NAN"), _packed("INF"), _packed("INFINITY")
_POINT, _LINESTRING, _POLYGON = _packed("POINT"), _packed("LINESTRING"), _packed("POLYGON")
_MULTIPOINT, _HULL = _packed("MULTIPOINT"), _packed("HULL")

#: decimals with more digits, and exponents beyond, are not read here
DIGITS_MAX, POWER_MAX, EXACT_MAX = 18, 22, 2**53
_POWERS = np.array([10.0**i for i in range(POWER_MAX + 1)])

# what is counted while scanning: places in `counters`
COORDS, RINGS, PENDING, DIMENSIONS_SEEN = range(4)


@numba.njit(**INNER)
def _skip(data, i, end):  # type: ignore[no-untyped-def]
    while i < end and (data[i] == 32 or 9 <= data[i] <= 10 or data[i] == 13):
        i += 1
    return i


@numba.njit(**INNER)
def _word(data, i, end):  # type: ignore[no-untyped-def]
    """(the word at i packed, 0 if there is none, -1 if too long; where it ends)"""
    start = i
    code = np.int64(0)
    while i < end:
        letter = data[i] & 0xDF  # capitals
        if letter < 65 or letter > 90:
            break
        code = code << 5 | np.int64(letter & 31)
        i += 1
    if i - start > WORD_LETTERS_MAX:
        code = np.int64(-1)
    return code, i


@numba.njit(**INNER)
def _is_digit(data, i, end):  # type: ignore[no-untyped-def]
    return i < end and 48 <= data[i] <= 57


@numba.njit(**INNER)
def _number(data, start, end):  # type: ignore[no-untyped-def]
    """(code, where the number ends, its value, whether that is exact)"""
    i = start
    negative = i < end and data[i] == 45
    if i < end and (data[i] == 43 or data[i] == 45):
        i += 1
    word, _ = _word(data, i, end)
    if word in (_NAN, _INF, _INFINITY):
        return faults.NOT_FINITE, start, 0.0, False
    mantissa, power = np.int64(0), np.int64(0)
    digits, seen = 0, 0
    after_point = False
    while i < end:
        c = data[i]
        if 48 <= c <= 57:
            seen += 1
            if mantissa > 0 or c > 48:
                digits += 1
            if digits <= DIGITS_MAX:
                mantissa = mantissa * 10 + np.int64(c - 48)
            if after_point:
                power -= 1
        elif c == 46 and not after_point and (seen > 0 or _is_digit(data, i + 1, end)):
            after_point = True
        else:
            break
        i += 1
    if seen == 0:
        return faults.NUMBER_EXPECTED, start, 0.0, False
    if i < end and (data[i] & 0xDF) == 69:
        j = i + 1
        below = j < end and data[j] == 45
        if j < end and (data[j] == 43 or data[j] == 45):
            j += 1
        if _is_digit(data, j, end):
            exponent = np.int64(0)
            while _is_digit(data, j, end):
                if exponent < 100_000_000:
                    exponent = exponent * 10 + np.int64(data[j] - 48)
                j += 1
            power = power - exponent if below else power + exponent
            i = j
    if i < end and _skip(data, i, i + 1) == i and not 40 <= data[i] <= 41 and data[i] != 44:
        return faults.BAD_NUMBER, start, 0.0, False
    if digits > DIGITS_MAX or mantissa > EXACT_MAX or abs(power) > POWER_MAX:
        return faults.OK, i, 0.0, False
    value = np.float64(mantissa)
    value = value / _POWERS[-power] if power < 0 else value * _POWERS[power]
    return faults.OK, i, -value if negative else value, True


@numba.njit(**INNER)
def _leave(pending, counters, start, length, target):  # type: ignore[no-untyped-def]
    k = counters[PENDING]
    pending[0, k], pending[1, k], pending[2, k] = start, length, target
    counters[PENDING] = k + 1


@numba.njit(**INNER)
def _point(data, start, end, coords, pending, counters):  # type: ignore[no-untyped-def]
    """(code, where it stands): one point, and the blanks after it."""
    i = start
    at = counters[COORDS]
    count = 0
    while count < 2 or (i < end and not 40 <= data[i] <= 41 and data[i] != 44):
        if count == 3:
            return faults.DIMENSIONS, start
        code, stop, value, exact = _number(data, i, end)
        if code != faults.OK:
            return code, stop
        coords[at, count] = value
        if not exact:
            _leave(pending, counters, i, stop - i, 3 * at + count)
        count += 1
        i = _skip(data, stop, end)
    if counters[DIMENSIONS_SEEN] != 0 and counters[DIMENSIONS_SEEN] != count:
        return faults.DIMENSIONS, start
    counters[DIMENSIONS_SEEN] = count
    if count == 2:
        coords[at, 2] = 0.0
    counters[COORDS] = at + 1
    return faults.OK, i


@numba.njit(**INNER)
def _sequence(data, start, end, kind, coords, pending, counters):  # type: ignore[no-untyped-def]
    """(code, where): points in parentheses, and the blanks after them."""
    first = counters[COORDS]
    if start >= end or data[start] != 40:
        return faults.OPEN_EXPECTED, start
    i = _skip(data, start + 1, end)
    while True:
        wrapped = kind == MULTIPOINT and i < end and data[i] == 40
        if wrapped:
            i = _skip(data, i + 1, end)
        code, i = _point(data, i, end, coords, pending, counters)
        if code != faults.OK:
            return code, i
        if wrapped:
            if i >= end or data[i] != 41:
                return faults.CLOSE_EXPECTED, i
            i = _skip(data, i + 1, end)
        if i >= end or data[i] != 44:
            break
        if kind == POINT:
            return faults.ONE_POINT, i
        i = _skip(data, i + 1, end)
    if i >= end or data[i] != 41:
        return faults.CLOSE_EXPECTED, i
    if kind == LINESTRING and counters[COORDS] - first < faults.LINE_POINTS_MIN:
        return faults.SHORT_LINE, start
    return faults.OK, _skip(data, i + 1, end)


@numba.njit(**INNER)
def _polygon(data, begin, i, end, kind, coords, pending, counters, rings, ring_positions):  # type: ignore[no-untyped-def]
    """(code, where): rings in parentheses; `begin` is where the row begins."""
    origin = counters[COORDS]
    if i >= end or data[i] != 40:
        return faults.OPEN_EXPECTED, i
    i = _skip(data, i + 1, end)
    while True:
        start, first = i, counters[COORDS]
        code, i = _sequence(data, i, end, kind, coords, pending, counters)
        if code != faults.OK:
            return code, i
        if counters[COORDS] - first < faults.RING_POINTS_MIN:
            return faults.SHORT_RING, start
        ring = counters[RINGS]
        rings[ring], ring_positions[ring] = first - origin, start - begin
        counters[RINGS] = ring + 1
        if i >= end or data[i] != 44:
            break
        i = _skip(data, i + 1, end)
    if i >= end or data[i] != 41:
        return faults.CLOSE_EXPECTED, i
    return faults.OK, _skip(data, i + 1, end)


@numba.njit(**INNER)
def _srid(data, i, end, given):  # type: ignore[no-untyped-def]
    """(code, where, srid): what stands after the word SRID, blanks skipped."""
    if i >= end or data[i] != 61:
        return faults.BAD_SRID, i, given
    i = start = _skip(data, i + 1, end)
    srid = np.int64(0)
    while _is_digit(data, i, end):
        if srid <= faults.SRID_MAX:
            srid = srid * 10 + np.int64(data[i] - 48)
        i += 1
    if i == start or srid > faults.SRID_MAX:
        return faults.BAD_SRID, start, given
    i = _skip(data, i, end)
    if i >= end or data[i] != 59:
        return faults.BAD_SRID, i, given
    if srid != 0 and given != 0 and srid != given:
        return faults.SRID_CONFLICT, start, given
    return faults.OK, _skip(data, i + 1, end), srid if srid != 0 else given


@numba.njit(**INNER)
def _kind_of(word):  # type: ignore[no-untyped-def]
    if word == _POINT:
        return POINT
    if word == _LINESTRING:
        return LINESTRING
    if word == _POLYGON:
        return POLYGON
    if word == _MULTIPOINT:
        return MULTIPOINT
    if word == _HULL:
        return HULL
    return 0


@numba.njit(**INNER)
def _geometry(data, begin, i, end, kinds, row, coords, pending, counters, rings, places):  # type: ignore[no-untyped-def]
    """(code, where): a kind and its points; blanks before and after are skipped."""
    word, stop = _word(data, i, end)
    if word == 0:
        return faults.KIND_EXPECTED, i
    kind = _kind_of(word)
    counters[DIMENSIONS_SEEN] = 0
    if kind == 0 and word > 0 and (word & 31) == _Z:
        kind = _kind_of(word >> 5)
        counters[DIMENSIONS_SEEN] = 3
    if kind == 0:
        return faults.UNKNOWN_KIND, i
    kinds[row] = kind
    i = _skip(data, stop, end)
    word, stop = _word(data, i, end)
    if word == _Z:
        counters[DIMENSIONS_SEEN] = 3
        i = _skip(data, stop, end)
        word, stop = _word(data, i, end)
    elif word in (_M, _ZM):
        return faults.MEASURES, i
    if word == _EMPTY:
        return faults.OK, _skip(data, stop, end)
    if word != 0:
        return faults.OPEN_EXPECTED, i
    if kind == POLYGON:
        return _polygon(data, begin, i, end, kind, coords, pending, counters, rings, places)
    return _sequence(data, i, end, kind, coords, pending, counters)


@numba.njit(**INNER)
def _value(data, begin, end, kinds, srids, row, coords, pending, counters, rings, places):  # type: ignore[no-untyped-def]
    """(code, where): one row."""
    i = _skip(data, begin, end)
    word, stop = _word(data, i, end)
    if word == _SRID:
        code, i, srid = _srid(data, _skip(data, stop, end), end, np.int64(srids[row]))
        if code != faults.OK:
            return code, i
        srids[row] = srid
        word, stop = _word(data, i, end)
    swept = word == _BUFFER
    if swept:
        i = _skip(data, stop, end)
        if i >= end or data[i] != 40:
            return faults.OPEN_EXPECTED, i
        i = _skip(data, i + 1, end)
        code, stop, _, _ = _number(data, i, end)
        if code != faults.OK:
            return code, stop
        _leave(pending, counters, i, stop - i, -1 - row)
        i = _skip(data, stop, end)
        if i >= end or data[i] != 44:
            return faults.COMMA_EXPECTED, i
        i = _skip(data, i + 1, end)
        word, stop = _word(data, i, end)
        if word == _BUFFER:
            return faults.NESTED_BUFFER, i
    code, i = _geometry(data, begin, i, end, kinds, row, coords, pending, counters, rings, places)
    if code != faults.OK:
        return code, i
    if swept:
        if i >= end or data[i] != 41:
            return faults.CLOSE_EXPECTED, i
        i = _skip(data, i + 1, end)
    if i != end:
        return faults.TRAILING, i
    return faults.OK, i


@numba.njit(signature(3, nt.float64[:, ::1], nt.int64[:, ::1]), **ENTRY)
def _scan(  # type: ignore[no-untyped-def]
    data,
    offsets,
    kinds,
    srids,
    coords,
    coord_starts,
    rings,
    ring_starts,
    places,
    codes,
    positions,
    pending,
):
    counters = np.zeros(4, np.int64)
    for row in range(len(kinds)):
        points, ring_count, left = counters[COORDS], counters[RINGS], counters[PENDING]
        begin = offsets[row]
        code, where = _value(
            data,
            begin,
            offsets[row + 1],
            kinds,
            srids,
            row,
            coords,
            pending,
            counters,
            rings,
            places,
        )
        if code != faults.OK:
            counters[COORDS], counters[RINGS], counters[PENDING] = points, ring_count, left
            codes[row], positions[row] = code, where - begin
            kinds[row], srids[row] = POINT, 0
        coord_starts[row + 1] = counters[COORDS]
        ring_starts[row + 1] = counters[RINGS]
    return counters[COORDS], counters[RINGS], counters[PENDING]


def scan(offsets: Offsets, data: Bytes, srids: Srids) -> tuple[Scan, Pending]:
    """As wkt_reference.scan_reference."""
    count = len(offsets) - 1
    text = data[offsets[0] : offsets[-1]]
    # a point follows a comma or begins a value, a ring follows an opening parenthesis
    points_max = int(np.count_nonzero(text == ord(","))) + count
    rings_max = int(np.count_nonzero(text == ord("(")))
    buffers = Buffers(srids, np.empty((points_max, 3)), rings_max)
    pending = np.empty((3, 3 * points_max + count), np.int64)
    points, rings, left = _scan(
        np.ascontiguousarray(data), np.ascontiguousarray(offsets), *buffers.arrays(), pending
    )
    return buffers.scan(points, rings), Pending(*(column[:left] for column in pending))
