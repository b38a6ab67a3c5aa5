"""The compiled pass of nearest.py. Importing it imports numba.

One read of each row gives its product with the query and its own square; additions may be taken
in any order (`reassoc`), as the bounds hold for all of them. Estimate: 4ND bytes read, at the
memory's speed; a heap of k upper bounds is touched O(k log(N / k)) times.

The processor reads ahead by itself only within a page of 4 KiB, four rows of 256. So the beginning
of a row to come is asked for early, which finds its page and starts the reading: 100,000 x 256 take
4.5 ms instead of 5.1.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.nearest import NORM_MAX, NORM_MIN
from hartonomous.kernels.options import OPTIONS

METRICS = {"cosine": 0, "euclidean": 1, "dot": 2}

_UNIT = 2.0**-24
#: how many rows ahead the memory is asked
_AHEAD = 32


def _fetch(typing_context, matrix, row):  # type: ignore[no-untyped-def]
    """Asks for the first bytes of a row; changes nothing."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = builder.extract_value(made.strides, 0)
        bytes_, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.gep(
            builder.bitcast(made.data, bytes_), [builder.mul(arguments[1], stride)]
        )
        kind = ir.FunctionType(ir.VoidType(), [bytes_, i32, i32, i32])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [bytes_], kind)
        builder.call(fetch, [address, i32(0), i32(3), i32(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return nt.void(matrix, nt.int64), generate


_prefetch: Any = intrinsic(_fetch)


@numba.njit(fastmath={"reassoc", "contract"}, **OPTIONS)
def _product_and_square(row, query):  # type: ignore[no-untyped-def]
    product, square = np.float32(0), np.float32(0)
    for i in range(len(row)):
        product += row[i] * query[i]
        square += row[i] * row[i]
    return product, square


@numba.njit(fastmath={"reassoc", "contract"}, **OPTIONS)
def _squared_distance(row, query):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for i in range(len(row)):
        difference = row[i] - query[i]
        total += difference * difference
    return total


@numba.njit(**OPTIONS)
def _push(heap, value):  # type: ignore[no-untyped-def]
    """Puts `value` in the place of the largest."""
    place, size = 0, len(heap)
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


@numba.njit(**OPTIONS)
def _bounds(metric, row, query, square, error):  # type: ignore[no-untyped-def]
    """Lower and upper bound on the distance (euclidean: on its square); -inf and inf where the
    float32 numbers say nothing."""
    if metric == 1:
        total = np.float64(_squared_distance(row, query))
        if not total < NORM_MAX:
            return -np.inf, np.inf
        slack = error * total + NORM_MIN
        return total - slack, total + slack
    product, own = _product_and_square(row, query)
    if not (NORM_MIN < own < NORM_MAX):
        return -np.inf, np.inf
    size = np.sqrt(np.float64(own) * square)
    if metric == 2:
        slack = error * size
        return -product - slack, -product + slack
    distance = 1.0 - product / size
    return distance - 3.0 * error, distance + 3.0 * error


@numba.njit(**OPTIONS)
def scan(metric, matrix, rows, all_rows, query, square, heap, chosen, low):  # type: ignore[no-untyped-def]
    """One piece: fills `chosen` and `low` (as long as the piece has rows), betters `heap`, gives
    the number of rows chosen."""
    error = (len(query) + 16) * _UNIT * 1.01
    count = len(matrix) if all_rows else len(rows)
    found = 0
    for i in range(count):
        row = i if all_rows else rows[i]
        later = min(i + _AHEAD, count - 1)
        _prefetch(matrix, later if all_rows else rows[later])
        lower, upper = _bounds(metric, matrix[row], query, square, error)
        if lower <= heap[0]:
            chosen[found], low[found] = row, lower
            found += 1
            if upper < heap[0]:
                _push(heap, upper)
    return found
