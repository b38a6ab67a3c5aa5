"""The compiled form of attention.py: same arguments, within its tolerance. It imports numba.

Two jobs for the team (team.py): the rows are split, some at a time; then each key head of some
rows of a sequence is one chunk. A chunk gets the address of JOB, the words that describe all.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types as nt
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from hartonomous.kernels.attention import Floats, Offsets
from hartonomous.kernels.elementary_compiled import exp32, tanh32
from hartonomous.kernels.matvec_compiled import KERNEL
from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.team import team
from hartonomous.kernels.team_compiled import give, write

_FAST: Final = {"reassoc", "contract"}
#: rows of a chunk when they are split, and when they attend
_SPLIT_ROWS: Final = 16
_ATTEND_ROWS: Final = 32

# the words of a job: numbers, then addresses of arrays
_ROWS, _COLUMNS, _HEADS, _KEY_HEADS, _SIZE, _PLACES, _SEQUENCES, _TURNED = range(8)
_START, _WINDOW, _CAUSAL, _HAS_BIAS, _HAS_QUERY_NORM, _HAS_KEY_NORM = range(8, 14)
_PROJECTED, _OFFSETS, _BIAS, _QUERY_NORM, _KEY_NORM, _COSINE, _SINE = range(14, 21)
_NUMBERS, _KEYS, _VALUES, _QUERIES, _OUT = range(21, 26)
_WORDS: Final = 26


def _to_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """The pointer of an int64 address."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return nt.voidptr(nt.int64), generate


_pointer: Any = intrinsic(_to_pointer)


@numba.njit(**OPTIONS)
def _floats(address, rows, columns):  # type: ignore[no-untyped-def]
    return carray(_pointer(address), (rows, columns), np.float32)


@numba.njit(**OPTIONS)
def _vector(address, count):  # type: ignore[no-untyped-def]
    return carray(_pointer(address), (count,), np.float32)


# --- splitting ------------------------------------------------------------------------------------


@numba.njit(fastmath=_FAST, **OPTIONS)
def _prepare(head, bias, norm, epsilon, cosine, sine, scale, out):  # type: ignore[no-untyped-def]
    """One head of one token: biased, normalised, turned, scaled."""
    size = len(head)
    for i in range(len(bias)):
        head[i] += bias[i]
    if len(norm):
        square = np.float32(0)
        for i in range(size):
            square += head[i] * head[i]
        factor = np.float32(1) / np.sqrt(square / np.float32(size) + epsilon)
        for i in range(size):
            head[i] = head[i] * factor * norm[i]
    half = len(cosine)
    for i in range(half):
        left, right = head[i], head[half + i]
        out[i] = (left * cosine[i] - right * sine[i]) * scale
        out[half + i] = (right * cosine[i] + left * sine[i]) * scale
    for i in range(2 * half, size):
        out[i] = head[i] * scale


@numba.njit(**OPTIONS)
def _split_row(job, r, t, scratch):  # type: ignore[no-untyped-def]
    """Row r, the t-th of its sequence."""
    heads, key_heads, size, places = job[_HEADS], job[_KEY_HEADS], job[_SIZE], job[_PLACES]
    columns, turned = job[_COLUMNS], job[_TURNED]
    row = _vector(job[_PROJECTED] + 4 * columns * r, columns)
    bias = _vector(job[_BIAS], columns * job[_HAS_BIAS])
    cosine = _vector(job[_COSINE] + 4 * turned * t, turned)
    sine = _vector(job[_SINE] + 4 * turned * t, turned)
    numbers = _vector(job[_NUMBERS], 3)
    epsilon, scale, one = numbers[0], numbers[1], np.float32(1)
    queries = _vector(job[_QUERIES] + 4 * heads * size * r, heads * size)
    norm = _vector(job[_QUERY_NORM], size * job[_HAS_QUERY_NORM])
    for h in range(heads):
        a, b = h * size, (h + 1) * size
        _prepare(row[a:b], bias[a:b], norm, epsilon, cosine, sine, scale, queries[a:b])
    norm = _vector(job[_KEY_NORM], size * job[_HAS_KEY_NORM])
    place = job[_START] + r
    for k in range(key_heads):
        a, b = (heads + k) * size, (heads + k + 1) * size
        _prepare(row[a:b], bias[a:b], norm, epsilon, cosine, sine, one, scratch)
        keys = _floats(job[_KEYS] + 4 * size * places * k, size, places)
        for i in range(size):
            keys[i, place] = scratch[i]
        a, b = a + key_heads * size, b + key_heads * size
        values = _vector(job[_VALUES] + 4 * (places * k + place) * size, size)
        _prepare(row[a:b], bias[a:b], norm[:0], epsilon, cosine[:0], sine[:0], one, values)


@numba.cfunc(KERNEL, cache=True, error_model="numpy")
def _split_chunk(data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
    job = carray(_pointer(data), (_WORDS,), np.int64)
    offsets = carray(_pointer(job[_OFFSETS]), (job[_SEQUENCES] + 1,), np.int64)
    scratch = np.empty(job[_SIZE], np.float32)
    r, until = first * _SPLIT_ROWS, min(last * _SPLIT_ROWS, job[_ROWS])
    n = np.searchsorted(offsets, r, side="right") - 1
    while r < until:
        while offsets[n + 1] <= r:
            n += 1
        _split_row(job, r, r - offsets[n], scratch)
        r += 1


# --- attending ------------------------------------------------------------------------------------


@numba.njit(fastmath={"contract"}, **OPTIONS)
def _score(query, keys, first, last, out):  # type: ignore[no-untyped-def]
    """out[j - first] = query · keys[:, j], eight elements of the query at a time."""
    size, count = len(query), last - first
    for j in range(count):
        out[j] = np.float32(0)
    whole = size // 8 * 8
    for d in range(0, whole, 8):
        q0, q1, q2, q3 = query[d], query[d + 1], query[d + 2], query[d + 3]
        q4, q5, q6, q7 = query[d + 4], query[d + 5], query[d + 6], query[d + 7]
        k0, k1 = keys[d, first:last], keys[d + 1, first:last]
        k2, k3 = keys[d + 2, first:last], keys[d + 3, first:last]
        k4, k5 = keys[d + 4, first:last], keys[d + 5, first:last]
        k6, k7 = keys[d + 6, first:last], keys[d + 7, first:last]
        for j in range(count):
            total = out[j] + q0 * k0[j] + q1 * k1[j] + q2 * k2[j] + q3 * k3[j]
            out[j] = total + q4 * k4[j] + q5 * k5[j] + q6 * k6[j] + q7 * k7[j]
    for d in range(whole, size):
        q0, k0 = query[d], keys[d, first:last]
        for j in range(count):
            out[j] += q0 * k0[j]


@numba.njit(fastmath=_FAST, **OPTIONS)
def _soften(scores, cap):  # type: ignore[no-untyped-def]
    """Softmax in place, without the division; the factor that is left to do."""
    if cap > np.float32(0):
        for j in range(len(scores)):
            scores[j] = cap * tanh32(scores[j] / cap)
    largest = scores[0]
    for j in range(len(scores)):
        largest = max(largest, scores[j])
    total = np.float32(0)
    for j in range(len(scores)):
        scores[j] = exp32(scores[j] - largest)
        total += scores[j]
    return np.float32(1) / total


@numba.njit(fastmath={"contract"}, **OPTIONS)
def _mix(scores, values, first, last, factor, out):  # type: ignore[no-untyped-def]
    """out = the sum of values[j] times scores[j - first], times the factor."""
    size = len(out)
    for i in range(size):
        out[i] = np.float32(0)
    j, whole = first, first + (last - first) // 8 * 8
    while j < whole:
        s = scores[j - first : j - first + 8]
        s0, s1, s2, s3, s4, s5, s6, s7 = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
        v0, v1, v2, v3 = values[j], values[j + 1], values[j + 2], values[j + 3]
        v4, v5, v6, v7 = values[j + 4], values[j + 5], values[j + 6], values[j + 7]
        for i in range(size):
            total = out[i] + s0 * v0[i] + s1 * v1[i] + s2 * v2[i] + s3 * v3[i]
            out[i] = total + s4 * v4[i] + s5 * v5[i] + s6 * v6[i] + s7 * v7[i]
        j += 8
    while j < last:
        s0, v0 = scores[j - first], values[j]
        for i in range(size):
            out[i] += s0 * v0[i]
        j += 1
    for i in range(size):
        out[i] *= factor


@numba.njit(**OPTIONS)
def _attend_rows(job, k, first, last, begin, end):  # type: ignore[no-untyped-def]
    """Key head k for rows first … last - 1 of a sequence, which are places begin … end - 1."""
    heads, key_heads, size, places = job[_HEADS], job[_KEY_HEADS], job[_SIZE], job[_PLACES]
    group, width, cap = heads // key_heads, heads * size, _vector(job[_NUMBERS], 3)[2]
    keys = _floats(job[_KEYS] + 4 * size * places * k, size, places)
    values = _floats(job[_VALUES] + 4 * size * places * k, places, size)
    scores = np.empty(end - begin, np.float32)
    for r in range(first, last):
        low, high = begin, end
        if job[_CAUSAL]:
            high = job[_START] + r + 1
            if job[_WINDOW] > 0:
                low = max(begin, high - job[_WINDOW])
        for g in range(group):
            at = 4 * (width * r + (k * group + g) * size)
            seen = scores[: high - low]
            _score(_vector(job[_QUERIES] + at, size), keys, low, high, seen)
            factor = _soften(seen, cap)
            _mix(seen, values, low, high, factor, _vector(job[_OUT] + at, size))


@numba.cfunc(KERNEL, cache=True, error_model="numpy")
def _attend_chunk(data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
    job = carray(_pointer(data), (_WORDS,), np.int64)
    offsets = carray(_pointer(job[_OFFSETS]), (job[_SEQUENCES] + 1,), np.int64)
    key_heads, start, seen = job[_KEY_HEADS], job[_START], 0
    for n in range(job[_SEQUENCES]):
        rows = offsets[n + 1] - offsets[n]
        blocks = -(-rows // _ATTEND_ROWS)
        for chunk in range(max(first, seen), min(last, seen + blocks * key_heads)):
            block, k = (chunk - seen) // key_heads, (chunk - seen) % key_heads
            begin = offsets[n] if job[_SEQUENCES] > 1 else 0
            row = offsets[n] + block * _ATTEND_ROWS
            until = min(row + _ATTEND_ROWS, offsets[n + 1])
            _attend_rows(job, k, row, until, begin, start + offsets[n + 1])
        seen += blocks * key_heads


# --- both -----------------------------------------------------------------------------------------


@numba.njit(**OPTIONS)
def _run(  # type: ignore[no-untyped-def]
    board, kernels, chunks, job, projected, offsets, bias, query_norm, key_norm, cosine, sine,
    numbers, keys, values, queries, out,
):  # fmt: skip
    """Both jobs, one after the other."""
    job[_PROJECTED], job[_OFFSETS], job[_BIAS] = (
        projected.ctypes.data,
        offsets.ctypes.data,
        bias.ctypes.data,
    )
    job[_QUERY_NORM], job[_KEY_NORM] = query_norm.ctypes.data, key_norm.ctypes.data
    job[_COSINE], job[_SINE] = cosine.ctypes.data, sine.ctypes.data
    job[_NUMBERS], job[_KEYS] = numbers.ctypes.data, keys.ctypes.data
    job[_VALUES], job[_QUERIES] = values.ctypes.data, queries.ctypes.data
    job[_OUT] = out.ctypes.data
    parts = np.zeros((1, 7), np.int64)
    for stage in range(2):
        parts[0, 0], parts[0, 1] = kernels[stage], job.ctypes.data
        parts[0, 2], parts[0, 3] = chunks[stage], 1
        write(board, parts, 1, 0, 0, 0, 0, 0, 0)
        give(board.ctypes.data, chunks[stage], 0)
    parts[0, 0] = job[0]  # used last here, so alive until here


@cache
def _kernels() -> Any:
    return np.array([_split_chunk.address, _attend_chunk.address], np.int64)


def attend(
    projected: Floats,
    offsets: Offsets,
    bias: Floats,
    query_norm: Floats,
    key_norm: Floats,
    epsilon: float,
    cosine: Floats,
    sine: Floats,
    scale: float,
    keys: Floats,
    values: Floats,
    start: int,
    window: int,
    cap: float,
    is_causal: bool,
) -> Floats:
    """As attention.attend_reference, but writes over `projected`."""
    (rows, columns), (key_heads, size, places) = projected.shape, keys.shape
    heads = columns // size - 2 * key_heads
    sequences = len(offsets) - 1
    assert sequences == 1 or not start, "several sequences have no past"
    job = np.array(
        [
            rows, columns, heads, key_heads, size, places, sequences, cosine.shape[1],
            start, window, is_causal, len(bias) > 0, len(query_norm) > 0, len(key_norm) > 0,
            *[0] * (_WORDS - 14),
        ],
        np.int64,
    )  # fmt: skip
    if sequences == 1:
        blocks = -(-rows // _ATTEND_ROWS)
    else:
        blocks = int((-(-np.diff(offsets) // _ATTEND_ROWS)).sum())
    chunks = -(-rows // _SPLIT_ROWS), blocks * key_heads
    numbers = np.array([epsilon, scale, cap], np.float32)
    queries = np.empty((rows, heads * size), np.float32)
    out = np.empty((rows, heads * size), np.float32)
    team().run(
        max(chunks), _run, _kernels(), chunks, job, projected, offsets, bias, query_norm, key_norm,
        cosine, sine, numbers, keys, values, queries, out,
    )  # fmt: skip
    return out
