"""The compiled forms of attention.py: same arguments, within its tolerance. It imports numba."""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.attention import Floats
from hartonomous.kernels.elementary_compiled import exp32, tanh32
from hartonomous.kernels.options import OPTIONS

_FAST = {"reassoc", "contract"}


@numba.njit(fastmath=_FAST, **OPTIONS)
def _prepare(head, norm, epsilon, cosine, sine, scale, out):  # type: ignore[no-untyped-def]
    """One head of one token: normalised, turned, scaled."""
    size = len(head)
    if len(norm):
        square = np.float32(0)
        for i in range(size):
            square += head[i] * head[i]
        factor = np.float32(1) / np.sqrt(square / np.float32(size) + np.float32(epsilon))
        for i in range(size):
            head[i] = head[i] * factor * norm[i]
    if len(cosine):
        half = size // 2
        for i in range(half):
            left, right = head[i], head[half + i]
            out[i] = (left * cosine[i] - right * sine[i]) * scale
            out[half + i] = (right * cosine[i] + left * sine[i]) * scale
    else:
        for i in range(size):
            out[i] = head[i] * scale


@numba.njit(**OPTIONS)
def _split_heads(  # type: ignore[no-untyped-def]
    projected, bias, query_norm, key_norm, epsilon, cosine, sine, scale, keys, values, start
):
    tokens, (key_heads, _, size) = len(projected), keys.shape
    query_heads = projected.shape[1] // size - 2 * key_heads
    group = query_heads // key_heads
    queries = np.empty((key_heads, group * tokens, size), np.float32)
    no_norm, no_angle, one = query_norm[:0], np.empty(0, np.float32), np.float32(1)
    for t in range(tokens):
        row = projected[t]
        if len(bias):
            for i in range(len(row)):
                row[i] += bias[i]
        turn_cosine = cosine[t] if len(cosine) else no_angle
        turn_sine = sine[t] if len(cosine) else no_angle
        for h in range(query_heads):
            head, out = row[h * size : (h + 1) * size], queries[h // group, h % group * tokens + t]
            _prepare(head, query_norm, epsilon, turn_cosine, turn_sine, scale, out)
        for k in range(key_heads):
            at = (query_heads + k) * size
            head, out = row[at : at + size], keys[k, start + t]
            _prepare(head, key_norm, epsilon, turn_cosine, turn_sine, one, out)
            at += key_heads * size
            head, out = row[at : at + size], values[k, start + t]
            _prepare(head, no_norm, epsilon, no_angle, no_angle, one, out)
    return queries


@numba.njit(fastmath=_FAST, **OPTIONS)
def _soften_row(row, cap):  # type: ignore[no-untyped-def]
    if cap > np.float32(0):
        for j in range(len(row)):
            row[j] = cap * tanh32(row[j] / cap)
    largest = row[0]
    for j in range(len(row)):
        largest = max(largest, row[j])
    total = np.float32(0)
    for j in range(len(row)):
        row[j] = exp32(row[j] - largest)
        total += row[j]
    factor = np.float32(1) / total
    for j in range(len(row)):
        row[j] *= factor


@numba.njit(**OPTIONS)
def _soften(scores, tokens, start, base, window, cap, is_causal):  # type: ignore[no-untyped-def]
    key_heads, rows, places = scores.shape
    for k in range(key_heads):
        for r in range(rows):
            row = scores[k, r]
            first, last = 0, places
            if is_causal:
                query = start + r % tokens - base
                last = query + 1
                if window > 0:
                    first = max(0, query + 1 - window)
            _soften_row(row[first:last], cap)
            row[:first] = np.float32(0)
            row[last:] = np.float32(0)


@numba.njit(fastmath=_FAST, **OPTIONS)
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@numba.njit(fastmath=_FAST, **OPTIONS)
def _add_scaled(out, row, factor):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] += row[i] * factor


@numba.njit(**OPTIONS)
def _attend_one(queries, keys, values, first, last, cap):  # type: ignore[no-untyped-def]
    key_heads, group, size = queries.shape
    out = np.zeros((key_heads, group, size), np.float32)
    scores = np.empty((group, last - first), np.float32)
    for k in range(key_heads):
        for j in range(last - first):
            for g in range(group):
                scores[g, j] = _dot(queries[k, g], keys[k, first + j])
        for g in range(group):
            _soften_row(scores[g], cap)
        for j in range(last - first):
            for g in range(group):
                _add_scaled(out[k, g], values[k, first + j], scores[g, j])
    return out.reshape(-1)


def split_heads(
    projected: Floats,
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
) -> Floats:
    """As attention.split_heads_reference, but writes over `projected`."""
    queries: Floats = _split_heads(
        projected,
        bias,
        query_norm,
        key_norm,
        epsilon,
        cosine,
        sine,
        np.float32(scale),
        keys,
        values,
        start,
    )
    return queries


def soften(
    scores: Floats, tokens: int, start: int, base: int, window: int, cap: float, is_causal: bool
) -> None:
    """As attention.soften_reference."""
    _soften(scores, tokens, start, base, window, np.float32(cap), is_causal)


def attend_one(
    queries: Floats, keys: Floats, values: Floats, first: int, last: int, cap: float
) -> Floats:
    """As attention.attend_one_reference."""
    out: Floats = _attend_one(queries, keys, values, first, last, np.float32(cap))
    return out
