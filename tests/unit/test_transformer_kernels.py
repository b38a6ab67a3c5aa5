"""Kernels of a forward pass: references against the formulas, compiled forms against references."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hartonomous.kernels import activation, attention, norm, rope, sampling

NOTHING = np.empty(0, np.float32)
NO_ROWS = np.empty((0, 0), np.float32)


def numbers(*shape: int, seed: int = 1, scale: float = 1.0) -> Any:
    draw = np.random.Generator(np.random.Philox(seed))
    return (draw.standard_normal(shape) * scale).astype(np.float32)


def test_norms_are_what_they_say() -> None:
    x, delta, bias, weight = numbers(3, 50), numbers(3, 50, seed=2), numbers(50), numbers(50)
    sums = x + delta + bias
    kept = x.copy()
    found = norm.add_normalise_reference(kept, delta, bias, weight, NOTHING, 1e-5, True)
    assert np.array_equal(kept, (x + delta) + bias)
    size = np.sqrt((sums.astype(float) ** 2).mean(axis=1, keepdims=True) + 1e-5)
    assert np.abs(found - sums / size * weight).max() < 1e-5
    found = norm.add_normalise_reference(x, NO_ROWS, NOTHING, weight, bias, 1e-5, False)
    centred = x - x.mean(axis=1, keepdims=True)
    assert (
        np.abs(found - (centred / np.sqrt(x.var(axis=1) + 1e-5)[:, None] * weight + bias)).max()
        < 1e-5
    )


def test_activations_are_what_they_say() -> None:
    x = np.linspace(-9, 9, 181, dtype=np.float32)[None]
    expected = {
        "silu": lambda v: v / (1 + math.exp(-v)),
        "gelu": lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2,
        "gelu_tanh": lambda v: (
            v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))
        ),
        "relu": lambda v: max(v, 0.0),
        "tanh": math.tanh,
        "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    }
    assert set(expected) == set(activation.KINDS)
    for kind, formula in expected.items():
        found = activation.activate_reference(x.copy(), NOTHING, kind)
        wanted = np.array([formula(float(v)) for v in x[0]])
        assert np.abs(found[0] - wanted).max() < 1e-6, kind
    pair, bias = numbers(2, 6), numbers(6, seed=3)
    found = activation.gate_reference(pair, bias, "relu")
    assert np.abs(found - np.maximum((pair + bias)[:, :3], 0) * (pair + bias)[:, 3:]).max() < 1e-6


def test_rotary_frequencies() -> None:
    plain = rope.frequencies(8, 10000.0)
    assert np.allclose(plain, [1, 0.1, 0.01, 0.001], rtol=1e-6)
    assert np.allclose(rope.frequencies(8, 10000.0, {"type": "linear", "factor": 4}), plain / 4)
    factors = {"type": "factors", "factors": [1, 2, 4, 8]}
    assert np.allclose(rope.frequencies(8, 10000.0, factors), plain / [1, 2, 4, 8])
    llama3 = {
        "type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_context": 1024,
    }
    found = rope.frequencies(8, 10000.0, llama3)
    turns = plain * 1024 / (2 * math.pi)  # 163, 16, 1.6, 0.16
    kept = (turns[2] - 1) / 3
    middle = kept * plain[2] + (1 - kept) * plain[2] / 8
    assert np.allclose(found, [plain[0], plain[1], middle, plain[3] / 8], rtol=1e-5)
    with pytest.raises(ValueError, match="yarn"):
        rope.frequencies(8, 10000.0, {"type": "yarn"})


def test_rotation_depends_on_the_distance_only() -> None:
    found = rope.frequencies(8, 100.0)
    a, b = numbers(1, 1, 8), numbers(1, 1, 8, seed=2)

    def product(first: int, second: int) -> float:
        left = rope.rotate_reference(a, *rope.angles(found, first, 1))
        right = rope.rotate_reference(b, *rope.angles(found, second, 1))
        return float((left * right).sum())

    assert product(3, 8) == pytest.approx(product(20, 25), abs=1e-5)
    assert product(3, 8) != pytest.approx(product(3, 9), abs=1e-2)
    assert np.array_equal(rope.rotate_reference(a, *rope.angles(found, 0, 1)), a)


def attended(
    form: Any,
    projected: Any,
    offsets: list[int],
    cache: tuple[Any, Any],
    *,
    extras: bool = False,
    start: int = 0,
    window: int = 0,
    cap: float = 0.0,
    causal: bool = True,
) -> Any:
    """Heads of 16; as many key heads as the cache has. `extras`: biases, norms, rotation."""
    columns, longest = projected.shape[1], int(np.diff(offsets).max())
    nothing = (NOTHING, NOTHING, NOTHING, 1e-6, NO_ROWS, NO_ROWS)
    if extras:
        angles = rope.angles(rope.frequencies(16, 100.0), start, longest)
        nothing = (
            numbers(columns, seed=4),
            numbers(16, seed=5),
            numbers(16, seed=6),
            1e-6,
            *angles,
        )
    return form(
        projected.copy(),
        np.array(offsets, np.int64),
        *nothing,
        0.25,
        *cache,
        start,
        window,
        cap,
        causal,
    )


def empty_cache(places: int, heads: int = 2) -> tuple[Any, Any]:
    return np.full((heads, 16, places), 9e9, np.float32), np.full(
        (heads, places, 16), 9e9, np.float32
    )


def softmax_of(queries: Any, keys: Any, values: Any, cap: float = 0.0) -> Any:
    scores = queries.astype(float) @ keys.T.astype(float) * 0.25
    if cap:
        scores = cap * np.tanh(scores / cap)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ values / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("window", "cap"), [(0, 0.0), (3, 0.0), (0, 2.0)])
def test_a_causal_row_sees_what_came_before(window: int, cap: float) -> None:
    projected = numbers(9, 128, scale=2.0)  # four query heads, two of keys, two of values
    cache = empty_cache(20)
    found = attended(attention.attend_reference, projected, [0, 9], cache, window=window, cap=cap)
    heads = projected.reshape(9, 8, 16)
    assert np.array_equal(cache[0][1, :, :9], heads[:, 5].T)
    assert np.array_equal(cache[1][0, :9], heads[:, 6])
    assert (cache[0][:, :, 9:] == 9e9).all() and (cache[1][:, 9:] == 9e9).all()
    for t in range(9):
        first = max(0, t + 1 - window) if window else 0
        for h in range(4):
            keys, values = heads[first : t + 1, 4 + h // 2], heads[first : t + 1, 6 + h // 2]
            expected = softmax_of(heads[t : t + 1, h], keys, values, cap)[0]
            assert np.abs(found[t, 16 * h : 16 * h + 16] - expected).max() < 1e-5


def test_an_encoders_rows_see_their_sequence() -> None:
    projected = numbers(9, 96)  # two query heads, two of keys
    found = attended(
        attention.attend_reference, projected, [0, 4, 4, 9], empty_cache(9), causal=False
    )
    heads = projected.reshape(9, 6, 16)
    for first, last in ((0, 4), (4, 9)):
        for h in range(2):
            part = heads[first:last]
            expected = softmax_of(part[:, h], part[:, 2 + h], part[:, 4 + h])
            assert np.abs(found[first:last, 16 * h : 16 * h + 16] - expected).max() < 1e-5


def test_a_row_does_not_depend_on_the_piece_it_comes_in() -> None:
    projected, whole, pieces = numbers(9, 128), empty_cache(9), empty_cache(9)
    expected = attended(attention.attend_reference, projected, [0, 9], whole, extras=True)
    for start, end in ((0, 4), (4, 5), (5, 9)):
        found = attended(
            attention.attend_reference,
            projected[start:end],
            [0, end - start],
            pieces,
            extras=True,
            start=start,
        )
        assert np.abs(found - expected[start:end]).max() < 1e-6
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))


def test_room_for_keys_is_an_odd_number_of_cache_lines() -> None:
    assert [attention.roomy(n) for n in (1, 16, 17, 64, 100)] == [16, 16, 48, 80, 112]


def test_logarithms_of_sums() -> None:
    logits = numbers(3, 100, scale=30.0)
    expected = [np.logaddexp.reduce(row.astype(float)) for row in logits]
    assert np.allclose(sampling.log_sum_exp_reference(logits), expected, rtol=1e-12)


COMPILED_CASES: list[tuple[list[int], dict[str, Any]]] = [
    ([0, 70], {}),
    ([0, 70], {"extras": True, "start": 11}),
    ([0, 70], {"start": 300, "window": 7, "cap": 3.0}),
    ([0, 1], {"extras": True, "start": 333}),
    ([0, 1, 40, 40, 70], {"causal": False}),
    ([0, 33, 70], {"causal": False, "extras": True, "cap": 2.0}),
    ([0, 33, 70], {"window": 5}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("offsets", "settings"), COMPILED_CASES)
@pytest.mark.parametrize("group", [1, 3])
def test_compiled_attention(offsets: list[int], settings: dict[str, Any], group: int) -> None:
    from hartonomous.kernels import attention_compiled

    rows, start = offsets[-1], settings.get("start", 0)
    projected = numbers(rows, 16 * 2 * (group + 2))
    caches = []
    for _ in range(2):
        keys, values = empty_cache(attention.roomy(start + rows))
        keys[:, :, :start] = numbers(2, 16, start, seed=7)
        values[:, :start] = numbers(2, start, 16, seed=8)
        caches.append((keys, values))
    expected = attended(attention.attend_reference, projected, offsets, caches[0], **settings)
    found = attended(attention_compiled.attend, projected, offsets, caches[1], **settings)
    assert np.abs(found - expected).max() < 1e-5
    for ours, theirs in zip(caches[1], caches[0], strict=True):
        assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.slow
def test_compiled_rows_are_each_as_if_alone() -> None:
    from hartonomous.kernels import attention_compiled

    projected, whole, pieces = numbers(70, 160), empty_cache(80), empty_cache(80)
    expected = attended(attention_compiled.attend, projected, [0, 70], whole, extras=True)
    for start, end in ((0, 5), (5, 6), (6, 55), (55, 70)):
        given = {"extras": True, "start": start}
        piece = projected[start:end]
        found = attended(attention_compiled.attend, piece, [0, end - start], pieces, **given)
        assert np.array_equal(found, expected[start:end])
    texts = attended(
        attention_compiled.attend, projected, [0, 30, 70], empty_cache(80), causal=False
    )
    alone = attended(
        attention_compiled.attend, projected[30:], [0, 40], empty_cache(64), causal=False
    )
    assert np.array_equal(texts[30:], alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "count", "columns"), [(1, 5, 1), (9, 33, 85), (6, 1, 64), (7, 40, 16)]
)
def test_products_of_small_matrices(rows: int, count: int, columns: int) -> None:
    import numba

    from hartonomous.kernels.panel_compiled import multiply

    @numba.njit
    def product(a, b, out):  # type: ignore[no-untyped-def]
        multiply(
            a.ctypes.data,
            a.shape[1],
            out.shape[0],
            b.ctypes.data,
            b.shape[1],
            b.shape[0],
            out.shape[1] - 3,
            out.ctypes.data,
            out.shape[1],
        )

    a, b = numbers(rows, count + 2), numbers(count, columns + 4, seed=2)
    out = np.full((rows, columns + 3), 7, np.float32)
    product(a, b, out)
    assert np.abs(out[:, :columns] - a[:, :count] @ b[:, :columns]).max() < 1e-4
    assert (out[:, columns:] == 7).all()


@pytest.mark.slow
@pytest.mark.parametrize("is_rms", [False, True])
@pytest.mark.parametrize("has_delta", [False, True])
def test_compiled_norms(is_rms: bool, has_delta: bool) -> None:
    from hartonomous.kernels import norm_compiled

    delta = numbers(4, 77, seed=2) if has_delta else NO_ROWS
    bias = NOTHING if is_rms else numbers(77, seed=4)
    rest = delta, numbers(77, seed=3), numbers(77, seed=5), bias, 1e-5, is_rms
    ours, theirs = numbers(4, 77), numbers(4, 77)
    found = norm_compiled.add_normalise(ours, *rest)
    assert np.abs(found - norm.add_normalise_reference(theirs, *rest)).max() < 1e-5
    assert np.abs(ours - theirs).max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", activation.KINDS)
def test_compiled_activations(kind: str) -> None:
    from hartonomous.kernels import activation_compiled

    x = np.concatenate([numbers(2, 300, scale=4.0), np.array([[-200.0, 200.0] * 150], np.float32)])
    bias = numbers(300, seed=3)
    size = np.maximum(1, np.abs(x + bias))
    found = activation_compiled.activate(x.copy(), bias, kind)
    assert (np.abs(found - activation.activate_reference(x.copy(), bias, kind)) / size).max() < 2e-6
    for gate_bias in (bias, NOTHING):
        found = activation_compiled.gate(x, gate_bias, kind)
        wide = activation.gate_reference(x, gate_bias, kind)
        assert (np.abs(found - wide) / np.maximum(1, np.abs(wide))).max() < 2e-6


@pytest.mark.slow
def test_compiled_logarithms_of_sums() -> None:
    from hartonomous.kernels import sampling_compiled

    logits = numbers(3, 1000, scale=30.0)
    found = sampling_compiled.log_sum_exp(logits)
    assert np.abs(found - sampling.log_sum_exp_reference(logits)).max() < 1e-6
