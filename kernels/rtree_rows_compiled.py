"""Found rows into ascending order, query by query, compiled.

A few dozen rows are sorted by insertion, more by their bytes (least significant first), which takes
a tenth of the time that sorting all queries' answers at once would.
"""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS

_FEW = 32
_DIGIT_BITS = 8
DIGITS = 1 << _DIGIT_BITS


@numba.njit(**OPTIONS)
def _sort_few(rows, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start + 1, stop):
        row, j = rows[i], i
        while j > start and row < rows[j - 1]:
            rows[j] = rows[j - 1]
            j -= 1
        rows[j] = row


@numba.njit(**OPTIONS)
def _sort_digit(source, start, count, target, begin, shift, places):  # type: ignore[no-untyped-def]
    """source[start:start + count] to target[begin:], stable, by eight bits from `shift` on."""
    for digit in range(DIGITS):
        places[digit] = 0
    for i in range(start, start + count):
        places[(source[i] >> shift) & (DIGITS - 1)] += 1
    total = begin
    for digit in range(DIGITS):
        total, places[digit] = total + places[digit], total
    for i in range(start, start + count):
        digit = (source[i] >> shift) & (DIGITS - 1)
        target[places[digit]] = source[i]
        places[digit] += 1


@numba.njit(**OPTIONS)
def sort_rows(rows, start, stop, row_count, spare, places):  # type: ignore[no-untyped-def]
    """Sort rows[start:stop], numbers below `row_count`, in place. int64[DIGITS] `places` is written
    over, and so is `spare`, or a longer one, which is returned."""
    count = stop - start
    if count <= _FEW:
        _sort_few(rows, start, stop)
        return spare
    if len(spare) < count:
        spare = np.empty(2 * count, np.int64)
    zero = np.int64(0)  # a plain 0 is a type of its own, and compiled for by itself
    shift = zero
    while row_count >> shift > 0:
        _sort_digit(rows, start, count, spare, zero, shift, places)
        _sort_digit(spare, zero, count, rows, start, shift + _DIGIT_BITS, places)
        shift += 2 * _DIGIT_BITS
    return spare


@numba.njit(**OPTIONS)
def scatter(found, order, first, last, starts, rows):  # type: ignore[no-untyped-def]
    """The answers of the queries order[first:last], one after the other in `found`, to where
    `starts` says in `rows`."""
    done = 0
    for i in range(first, last):
        query = order[i]
        for k in range(starts[query], starts[query + 1]):
            rows[k] = found[done]
            done += 1
