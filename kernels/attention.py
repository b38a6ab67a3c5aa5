"""Attention with grouped heads over a cache of keys and values (Vaswani et al. 2017; Ainslie et al.
2023), in the pieces that lie between matrix products.

T tokens, H query heads, K key heads, G = H / K query heads to a key head, D head size, S places in
the cache. Keys and values: float32[K,S,D] each. The rows of a group's queries stand together, row
g * T + t, so that scores are one product per key head.

    split_heads: projected float32[T,(H+2K)D] -> queries float32[K,G*T,D]; keys and values go into
        the cache from place `start` on. Adds the biases, normalises queries and keys over D where
        there is a weight for it (root mean square), turns them by their position (rope.py) and
        multiplies the queries by the attention scale.
    soften: scores float32[K,G*T,S] -> weights, in place: an optional cap c tanh(s / c), then the
        softmax over the keys that a query may see, zero elsewhere.
    attend_one: queries float32[K,G,D] of one token -> float32[K*G*D], over places first … last - 1.

An absent array has no elements. Compiled forms sum in float32 in any order: within 1e-5 of the
references. Estimate for one token: 8KSD bytes read, two operations a byte.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hartonomous.kernels.rope import rotate_reference

Floats = npt.NDArray[np.float32]


def split_heads_reference(
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
    """The definition, in NumPy."""
    tokens, (key_heads, _, size) = len(projected), keys.shape
    if len(bias):
        projected = projected + bias
    heads = projected.reshape(tokens, -1, size)
    query_heads = heads.shape[1] - 2 * key_heads
    queries = _prepare(heads[:, :query_heads], query_norm, epsilon, cosine, sine)
    new_keys = _prepare(heads[:, query_heads:-key_heads], key_norm, epsilon, cosine, sine)
    keys[:, start : start + tokens] = new_keys.transpose(1, 0, 2)
    values[:, start : start + tokens] = heads[:, -key_heads:].transpose(1, 0, 2)
    queries = queries * np.float32(scale)
    return np.ascontiguousarray(queries.transpose(1, 0, 2)).reshape(key_heads, -1, size)


def _prepare(heads: Floats, norm: Floats, epsilon: float, cosine: Floats, sine: Floats) -> Floats:
    if len(norm):
        wide = heads.astype(np.float64)
        wide /= np.sqrt(np.square(wide).mean(axis=-1, keepdims=True) + epsilon)
        heads = (wide * norm).astype(np.float32)
    return rotate_reference(heads, cosine, sine) if len(cosine) else heads


def soften_reference(
    scores: Floats, tokens: int, start: int, base: int, window: int, cap: float, is_causal: bool
) -> None:
    """The definition, in NumPy. Key j stands at position base + j, query t at start + t; a causal
    query sees positions up to its own, and with a window > 0 only the last `window` of them."""
    wide = scores.astype(np.float64)
    if cap > 0:
        wide = cap * np.tanh(wide / cap)
    if is_causal:
        place = base + np.arange(scores.shape[2])
        query = start + np.arange(scores.shape[1]) % tokens
        seen = place[None, :] <= query[:, None]
        if window > 0:
            seen &= place[None, :] > query[:, None] - window
        wide[:, ~seen] = -np.inf
    wide = np.exp(wide - wide.max(axis=2, keepdims=True))
    scores[:] = wide / wide.sum(axis=2, keepdims=True)


def attend_one_reference(
    queries: Floats, keys: Floats, values: Floats, first: int, last: int, cap: float
) -> Floats:
    """The definition, in NumPy."""
    scores = np.matmul(queries, keys[:, first:last].transpose(0, 2, 1))
    soften_reference(scores, 1, last - 1, first, 0, cap, False)
    mixed: Floats = np.matmul(scores, values[:, first:last])
    return mixed.reshape(-1)


def join_heads(mixed: Floats, tokens: int) -> Floats:
    """float32[K,G*T,D] -> float32[T,K*G*D]: what queries saw, each token's heads side by side."""
    key_heads, rows, size = mixed.shape
    grouped = mixed.reshape(key_heads, rows // tokens, tokens, size)
    return np.ascontiguousarray(grouped.transpose(2, 0, 1, 3)).reshape(tokens, -1)
