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


def test_softmax_sees_what_it_may() -> None:
    scores = np.zeros((1, 4, 6), np.float32)  # two heads of two tokens, at places 5 and 6
    attention.soften_reference(scores, 2, 5, 1, 0, 0.0, True)
    assert np.allclose(scores[0, 0], [0.2] * 5 + [0])
    assert np.allclose(scores[0, 1], [1 / 6] * 6)
    assert np.array_equal(scores[0, :2], scores[0, 2:])
    scores[:] = 0
    attention.soften_reference(scores, 2, 5, 1, 3, 0.0, True)
    assert np.allclose(scores[0, 0], [0, 0, 1 / 3, 1 / 3, 1 / 3, 0])
    assert np.allclose(scores[0, 1], [0, 0, 0, 1 / 3, 1 / 3, 1 / 3])
    steep = np.array([[[0.0, 100.0]]], np.float32)
    attention.soften_reference(steep, 1, 1, 0, 0, 1.0, False)
    assert steep[0, 0, 1] == pytest.approx(math.e / (1 + math.e), abs=1e-6)


def test_one_token_attends_as_many_do() -> None:
    queries, keys, values = numbers(2, 3, 8), numbers(2, 9, 8, seed=2), numbers(2, 9, 8, seed=3)
    found = attention.attend_one_reference(queries, keys, values, 2, 7, 0.0).reshape(2, 3, 8)
    for k in range(2):
        scores = np.exp(queries[k] @ keys[k, 2:7].T)
        expected = scores @ values[k, 2:7] / scores.sum(axis=1, keepdims=True)
        assert np.abs(found[k] - expected).max() < 1e-5


def split_arguments(has_extras: bool) -> tuple[Any, ...]:
    """Five tokens at places 7 … 11; four query heads on two, head size 16."""
    cosine, sine = rope.angles(rope.frequencies(16, 100.0), 7, 5)
    extras = (numbers(128, seed=4), numbers(16, seed=5), numbers(16, seed=6), 1e-6, cosine, sine)
    plain = (NOTHING, NOTHING, NOTHING, 1e-6, NO_ROWS, NO_ROWS)
    return numbers(5, 128), *(extras if has_extras else plain), 0.25


def test_heads_are_split_and_joined() -> None:
    keys, values = np.zeros((2, 20, 16), np.float32), np.zeros((2, 20, 16), np.float32)
    projected, *rest = split_arguments(False)
    queries = attention.split_heads_reference(projected, *rest, keys, values, 7)
    assert np.array_equal(attention.join_heads(queries, 5), projected[:, :64] * np.float32(0.25))
    assert np.array_equal(keys[1, 7:12], projected[:, 80:96])
    assert np.array_equal(values[0, 7:12], projected[:, 96:112])
    assert not keys[:, :7].any() and not keys[:, 12:].any()


def test_logarithms_of_sums() -> None:
    logits = numbers(3, 100, scale=30.0)
    expected = [np.logaddexp.reduce(row.astype(float)) for row in logits]
    assert np.allclose(sampling.log_sum_exp_reference(logits), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("has_extras", [False, True])
def test_compiled_heads(has_extras: bool) -> None:
    from hartonomous.kernels import attention_compiled

    caches = [np.zeros((4, 2, 20, 16), np.float32) for _ in range(2)]
    found = []
    for form, cache in zip((attention, attention_compiled), caches, strict=True):
        name = "split_heads_reference" if form is attention else "split_heads"
        split = getattr(form, name)
        found.append(split(*split_arguments(has_extras), cache[0], cache[1], 7))
    assert np.abs(found[0] - found[1]).max() < 1e-5
    assert np.abs(caches[0] - caches[1]).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [(3, 9, 0, 0, 0.0, True), (3, 9, 2, 4, 5.0, True), (3, 0, 0, 0, 0.0, False)]
)
def test_compiled_softmax(arguments: Any) -> None:
    from hartonomous.kernels import attention_compiled

    scores = numbers(2, 6, 12, scale=6.0)
    other = scores.copy()
    attention.soften_reference(scores, *arguments)
    attention_compiled.soften(other, *arguments)
    assert np.abs(scores - other).max() < 1e-6


@pytest.mark.slow
def test_compiled_attention_of_one() -> None:
    from hartonomous.kernels import attention_compiled

    given = numbers(2, 3, 64), numbers(2, 90, 64, seed=2), numbers(2, 90, 64, seed=3), 5, 77, 4.0
    found = attention_compiled.attend_one(*given)
    assert np.abs(found - attention.attend_one_reference(*given)).max() < 1e-5


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
