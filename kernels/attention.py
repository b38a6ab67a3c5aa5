"""Attention with grouped heads (Vaswani et al. 2017; Ainslie et al. 2023): what stands between the
product that gives queries, keys and values, and the product that reads what they saw.

    attend: projected float32[R,(H+2K)D] -> float32[R,HD]

R rows of tokens, H query heads on K key heads, G = H / K of them to each, D head size. A row has
its queries, keys and values side by side. Either all rows are the next tokens of one sequence, or
they are whole sequences one after the other, sequence n being rows offsets[n] … offsets[n+1] - 1.

 1. The bias is added; queries and keys are normalised over D where there is a weight for it (root
    mean square), turned by their position (rope.py; row t of cosine and sine is for the t-th row of
    a sequence), and queries multiplied by the attention scale.
 2. Keys go to float32[K,D,S], values to float32[K,S,D], from place `start` on: the cache of a
    sequence. Keys lie with their places side by side, so that scores are sums of whole vectors and
    no sum runs across one.
 3. A query's weights are the softmax of its products with the keys that it may see (first capped, c
    tanh(s / c), if there is a cap c > 0): of its sequence all, or, when causal, those up to itself,
    and with a window > 0 the last `window` of these. It sees the values' mean by these weights.

An absent array has no elements. `projected` may be written over. Every row is computed as if it
were alone: its result does not depend on R, nor on the other sequences. The compiled form sums in
float32 in a fixed order, within 1e-5 of the reference. Estimate: 4D flops for each query head and
key it sees; for one token 8KSD bytes read.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.rope import rotate_reference

Floats = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.int64]

#: numbers that the reference's scores may have at once
_SCORES_MAX = 1 << 22


def roomy(places: int) -> int:
    """Places to make room for: at least so many, and an odd number of cache lines, so that the keys
    of a token do not all fall into the same few places of the cache."""
    return (-(-places // 16) | 1) * 16


def attend_reference(
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
    """The definition, in NumPy."""
    assert len(offsets) == 2 or not start, "several sequences have no past"
    key_heads, size, _ = keys.shape
    if len(bias):
        projected = projected + bias
    heads = projected.reshape(len(projected), -1, size)
    query_heads = heads.shape[1] - 2 * key_heads
    out = np.empty((len(projected), query_heads, size), np.float32)
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        if first == last:
            continue
        rows = heads[first:last]
        angles = (cosine[: last - first], sine[: last - first])
        queries = _prepare(rows[:, :query_heads], query_norm, epsilon, *angles)
        queries = queries * np.float32(scale)
        new_keys = _prepare(rows[:, query_heads:-key_heads], key_norm, epsilon, *angles)
        place = start + first
        keys[:, :, place : start + last] = new_keys.transpose(1, 2, 0)
        values[:, place : start + last] = rows[:, -key_heads:].transpose(1, 0, 2)
        begin = first if len(offsets) > 2 else 0
        seen = keys[:, :, begin : start + last], values[:, begin : start + last]
        step = max(1, _SCORES_MAX // (query_heads * (start + last)))
        for t in range(0, last - first, step):
            part = queries[t : t + step]
            at = place - begin + t
            out[first + t : first + t + len(part)] = _mix(part, *seen, at, window, cap, is_causal)
    return out.reshape(len(projected), -1)


def _prepare(heads: Floats, norm: Floats, epsilon: float, cosine: Floats, sine: Floats) -> Floats:
    if len(norm):
        wide = heads.astype(np.float64)
        wide /= np.sqrt(np.square(wide).mean(axis=-1, keepdims=True) + epsilon)
        heads = (wide * norm).astype(np.float32)
    return rotate_reference(heads, cosine, sine) if cosine.size else heads


def _mix(
    queries: Floats,
    keys: Floats,
    values: Floats,
    start: int,
    window: int,
    cap: float,
    is_causal: bool,
) -> Floats:
    """float32[T,H,D] at positions start … of keys float32[K,D,S] that begin at position 0."""
    tokens, _, size = queries.shape
    grouped = queries.reshape(tokens, len(keys), -1, size).transpose(1, 2, 0, 3)
    scores = np.matmul(grouped, keys[:, None]).astype(np.float64)  # [K,G,T,S]
    if cap > 0:
        scores = cap * np.tanh(scores / cap)
    if is_causal:
        place = np.arange(keys.shape[2])[None, :]
        query = start + np.arange(tokens)[:, None]
        is_seen = place <= query
        if window > 0:
            is_seen &= place > query - window
        scores[:, :, ~is_seen] = -np.inf
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = np.matmul(scores.astype(np.float32), values[:, None])
    return np.asarray(mixed.transpose(2, 0, 1, 3).reshape(tokens, -1, size))
