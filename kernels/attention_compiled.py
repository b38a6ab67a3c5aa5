"""The compiled form of attention.py: same arguments, within its tolerance. It imports numba.

Two jobs for the team (team.py): the rows are split, some at a time; then each key head of some
rows of a sequence is one chunk. A chunk gets the address of a job, the words that describe all.
Between the jobs queries lie as float32[K,RG,D], so that a chunk's are one matrix. Scores are those
of all keys that any of a chunk's rows sees; a row's weights are zero outside its own.
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
from hartonomous.kernels.panel_compiled import multiply
from hartonomous.kernels.team import team
from hartonomous.kernels.team_compiled import give, write

_FAST: Final = {"reassoc", "contract"}
#: rows of a chunk when they are split, and when they attend
_SPLIT_ROWS: Final = 16
_ATTEND_ROWS: Final = 32
#: scores that a chunk holds at once, unless a single row has more: 256 KiB
_SCORES: Final = 1 << 16

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
    if half:
        for i in range(half):
            left, right = head[i], head[half + i]
            out[i] = (left * cosine[i] - right * sine[i]) * scale
            out[half + i] = (right * cosine[i] + left * sine[i]) * scale
    else:
        for i in range(size):
            out[i] = head[i] * scale


@numba.njit(**OPTIONS)
def _split_head(job, h, norm, is_turned, scale, first, last, t, out, stride):  # type: ignore[no-untyped-def]
    """Head h of rows first … last - 1, of which the first is the t-th of its sequence: prepared,
    and written `stride` numbers apart from address `out` on. (Addresses, not slices: those cost
    more here than what is done with them.)"""
    size, columns, turned = job[_SIZE], job[_COLUMNS], job[_TURNED] * is_turned
    bias = _vector(job[_BIAS] + 4 * size * h, size * job[_HAS_BIAS])
    epsilon = _vector(job[_NUMBERS], 3)[0]
    for r in range(first, last):
        angles = 4 * turned * (t + r - first)
        cosine, sine = _vector(job[_COSINE] + angles, turned), _vector(job[_SINE] + angles, turned)
        head = _vector(job[_PROJECTED] + 4 * (columns * r + size * h), size)
        place = _vector(out + 4 * stride * (r - first), size)
        _prepare(head, bias, norm, epsilon, cosine, sine, scale, place)


@numba.njit(**OPTIONS)
def _split_rows(job, first, last, t, scratch):  # type: ignore[no-untyped-def]
    """Rows first … last - 1 of one sequence, of which the first is its t-th."""
    heads, key_heads, size, places = job[_HEADS], job[_KEY_HEADS], job[_SIZE], job[_PLACES]
    group, place, scale = heads // key_heads, job[_START] + first, _vector(job[_NUMBERS], 3)[1]
    norm = _vector(job[_QUERY_NORM], size * job[_HAS_QUERY_NORM])
    for h in range(heads):
        at = (h // group * job[_ROWS] + first) * group + h % group
        out = job[_QUERIES] + 4 * size * at
        _split_head(job, h, norm, 1, scale, first, last, t, out, size * group)
    norm, none, one = _vector(job[_KEY_NORM], size * job[_HAS_KEY_NORM]), norm[:0], np.float32(1)
    for k in range(key_heads):
        out = scratch.ctypes.data
        _split_head(job, heads + k, norm, 1, one, first, last, t, out, size)
        for i in range(size):
            keys = _vector(job[_KEYS] + 4 * ((size * k + i) * places + place), last - first)
            for r in range(len(keys)):
                keys[r] = scratch[r, i]
        out = job[_VALUES] + 4 * size * (places * k + place)
        _split_head(job, heads + key_heads + k, none, 0, one, first, last, t, out, size)


@numba.cfunc(KERNEL, cache=True, error_model="numpy")
def _split_chunk(data, x, scales, out, length, first, last):  # type: ignore[no-untyped-def]
    job = carray(_pointer(data), (_WORDS,), np.int64)
    offsets = carray(_pointer(job[_OFFSETS]), (job[_SEQUENCES] + 1,), np.int64)
    scratch = np.empty((_SPLIT_ROWS, job[_SIZE]), np.float32)
    r, until = first * _SPLIT_ROWS, min(last * _SPLIT_ROWS, job[_ROWS])
    n = np.searchsorted(offsets, r, side="right") - 1
    while r < until:
        while offsets[n + 1] <= r:
            n += 1
        end = min(until, offsets[n + 1], r + _SPLIT_ROWS)
        _split_rows(job, r, end, r - offsets[n], scratch)
        r = end


# --- attending ------------------------------------------------------------------------------------


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


@numba.njit(**OPTIONS)
def _attend_rows(job, k, first, last, begin, end):  # type: ignore[no-untyped-def]
    """Key head k for rows first … last - 1 of a sequence, which is places begin … end - 1."""
    size, places, group = job[_SIZE], job[_PLACES], job[_HEADS] // job[_KEY_HEADS]
    step = max(1, min(last - first, _SCORES // (group * (end - begin))))
    buffer = np.empty(step * group * (end - begin), np.float32)
    seen = np.empty((step * group, size), np.float32)
    keys, values = job[_KEYS] + 4 * size * places * k, job[_VALUES] + 4 * size * places * k
    for top in range(first, last, step):
        rows = min(step, last - top)
        low, high = begin, end
        if job[_CAUSAL]:
            low, high = _seen_by(job, top, begin)[0], _seen_by(job, top + rows - 1, begin)[1]
        span, count = high - low, rows * group
        queries = job[_QUERIES] + 4 * size * group * (k * job[_ROWS] + top)
        scores, mixed = buffer.ctypes.data, seen.ctypes.data
        multiply(queries, size, count, keys + 4 * low, places, size, span, scores, span)
        factors = _weigh(job, buffer, top, count, low, span, begin)
        multiply(scores, span, count, values + 4 * size * low, size, span, size, mixed, size)
        _put(job, k, top, count, seen, factors)


@numba.njit(**OPTIONS)
def _seen_by(job, r, begin):  # type: ignore[no-untyped-def]
    """The first place that row r sees, and the one after the last, if it is causal."""
    high = job[_START] + r + 1
    return (max(begin, high - job[_WINDOW]) if job[_WINDOW] > 0 else begin), high


@numba.njit(**OPTIONS)
def _weigh(job, buffer, top, count, low, span, begin):  # type: ignore[no-untyped-def]
    """Scores of places low … become weights, but for the factors that are given back."""
    group, cap = job[_HEADS] // job[_KEY_HEADS], _vector(job[_NUMBERS], 3)[2]
    factors = np.empty(count, np.float32)
    for i in range(count):
        row = buffer[i * span : (i + 1) * span]
        a, b = 0, span
        if job[_CAUSAL]:
            a, b = _seen_by(job, top + i // group, begin)
            a, b = a - low, b - low
        factors[i] = _soften(row[a:b], cap)
        row[:a] = np.float32(0)
        row[b:] = np.float32(0)
    return factors


@numba.njit(**OPTIONS)
def _put(job, k, top, count, seen, factors):  # type: ignore[no-untyped-def]
    """What the queries of key head k saw, to its place in float32[R,HD]."""
    heads, size = job[_HEADS], job[_SIZE]
    group = heads // job[_KEY_HEADS]
    for i in range(count):
        at = heads * (top + i // group) + k * group + i % group
        out, row, factor = _vector(job[_OUT] + 4 * size * at, size), seen[i], factors[i]
        for d in range(size):
            out[d] = row[d] * factor


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
