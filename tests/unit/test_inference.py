"""Networks of every architecture against transformers' figures, and what they promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import tiny_models

from hartonomous.hql.errors import ExecutionFault, NotSupported
from hartonomous.hql.models.architectures.base import MlpConfig, StaticConfig
from hartonomous.hql.models.inference.encoding import StaticNetwork, encode
from hartonomous.hql.models.inference.feed_forward import FeedForward, predict
from hartonomous.hql.models.inference.forms import IN_NUMPY, Forms, compiled
from hartonomous.hql.models.inference.network import CHUNK_TOKENS, Network
from hartonomous.hql.models.inference.rotary import Rotary
from hartonomous.hql.models.inference.weights import ArrayWeights, Dense, Stack
from hartonomous.storage.errors import Cancelled

FIGURES = json.loads(
    (Path(tiny_models.__file__).with_name("transformers.json")).read_text(encoding="utf-8")
)["models"]
CAUSAL = [name for name, tiny in tiny_models.MODELS.items() if tiny.config.causal]


def network(name: str, forms: Forms = IN_NUMPY, **changes: Any) -> Network:
    config = tiny_models.MODELS[name].config
    weights = ArrayWeights(tiny_models.arrays(config))
    if changes:
        config = type(config)(
            **{f: getattr(config, f) for f in config.__dataclass_fields__ if f != "kind"} | changes
        )
    return Network(config, weights, forms=forms)


def assert_close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def rows_of(net: Network, tokens: list[int]) -> Any:
    return net.logits(tokens) if net.config.has_head else net.hidden(tokens)


@pytest.mark.parametrize("name", FIGURES)
def test_rows_are_those_of_transformers(name: str) -> None:
    assert_close(rows_of(network(name), FIGURES[name]["tokens"]), FIGURES[name]["rows"])


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_compiled_rows_are_those_of_transformers(name: str) -> None:
    net = network(name, compiled())
    assert_close(rows_of(net, FIGURES[name]["tokens"]), FIGURES[name]["rows"])


@pytest.mark.parametrize("name", CAUSAL)
def test_steps_continue_a_prefill(name: str) -> None:
    steps_continue(network(name), FIGURES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CAUSAL)
def test_compiled_steps_continue_a_prefill(name: str) -> None:
    steps_continue(network(name, compiled()), FIGURES[name])


def steps_continue(net: Network, figures: dict[str, Any]) -> None:
    tokens, rows = figures["tokens"], figures["rows"]
    state = net.start()
    assert_close(net.prefill(state, tokens[:9]), rows[8])
    for i in range(9, len(tokens)):
        assert_close(net.step([state], [tokens[i]])[0], rows[i])


def test_rows_of_a_step_do_not_see_each_other() -> None:
    net = network("gemma3")
    alone, beside = [], []
    for length in (3, 11, 6):
        alone.append(net.start())
        net.prefill(alone[-1], tiny_models.tokens(length))
        beside.append(alone[-1].copy())
    together = net.step(beside, [5, 6, 7])
    for n, state in enumerate(alone):
        assert np.array_equal(net.step([state], [5 + n])[0], together[n])
    assert [state.length for state in beside] == [4, 12, 7]


def test_chunks_are_counted_from_the_beginning() -> None:
    net = network("llama", context=1000)
    tokens = tiny_models.tokens(2 * CHUNK_TOKENS + 40)
    whole, parts = net.start(), net.start()
    expected = net.prefill(whole, tokens)
    for cut in (tokens[:50], tokens[50:200], tokens[200:]):
        found = net.prefill(parts, cut)
    assert_close(found, expected)
    # beyond a chunk's end nothing of what came before it was computed otherwise
    kept = net.start()
    net.prefill(kept, tokens[: 2 * CHUNK_TOKENS])
    assert np.array_equal(net.prefill(kept, tokens[2 * CHUNK_TOKENS :]), expected)
    assert_close(net.logits(tokens)[-1], expected)


def test_chunks_end_at_multiples_wherever_a_prefill_begins() -> None:
    net, layers_run = network("llama", context=1000), 0

    def check() -> None:
        nonlocal layers_run
        layers_run += 1

    state = net.start()
    net.prefill(state, tiny_models.tokens(50))
    net.prefill(state, tiny_models.tokens(CHUNK_TOKENS - 50 + 1), check)
    assert layers_run == 2 * net.config.layers


def test_log_probabilities_are_those_of_the_logits() -> None:
    net = network("mistral", context=1000)
    tokens = tiny_models.tokens(CHUNK_TOKENS + 30)
    logits = net.logits(tokens).astype(np.float64)
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = expected[np.arange(len(tokens) - 1), tokens[1:]]
    assert np.abs(net.log_probabilities(tokens) - expected).max() < 1e-6
    assert net.log_probabilities(tokens[:1]).shape == (0,)
    assert net.log_probabilities([]).shape == (0,)
    # a whole number of chunks: the last row of the first tells of the second's first token
    assert np.array_equal(
        net.log_probabilities(tokens[:CHUNK_TOKENS]),
        net.log_probabilities(tokens)[: CHUNK_TOKENS - 1],
    )


@pytest.mark.parametrize(
    "forms", [IN_NUMPY, pytest.param(None, marks=pytest.mark.slow)], ids=["numpy", "compiled"]
)
def test_texts_are_told_as_if_each_were_alone(forms: Forms | None) -> None:
    net = network("llama", forms or compiled())
    long = [n % net.vocabulary for n in range(CHUNK_TOKENS + 9)]
    room = net.context
    texts = [[1, 2, 3], [4], long[:room], [5, 6], [], long[: min(room, CHUNK_TOKENS)], [7, 8, 9]]
    found = list(net.log_probabilities_of(texts))
    assert [len(f) for f in found] == [max(len(t) - 1, 0) for t in texts]
    for told, text in zip(found, texts, strict=True):
        assert np.abs(told - net.log_probabilities(text)).max(initial=0) < 1e-5


def test_what_does_not_fit_the_context_is_refused() -> None:
    net = network("llama")
    with pytest.raises(ExecutionFault, match="65 tokens do not fit the model's context of 64") as e:
        net.logits(tiny_models.tokens(65))
    assert e.value.code == "MODEL_INPUT"
    state = net.start()
    net.prefill(state, tiny_models.tokens(64))
    with pytest.raises(ExecutionFault, match="context"):
        net.step([state], [1])
    assert state.length == 64
    with pytest.raises(ExecutionFault, match="context"):
        encode(network("bert"), [tiny_models.tokens(65)])


@pytest.mark.parametrize("token", [-1, 40])
def test_a_token_that_is_not_there_is_refused(token: int) -> None:
    with pytest.raises(ExecutionFault, match=f"no token {token}: the model has 40"):
        network("llama").logits([1, token])


def test_an_encoder_has_no_logits() -> None:
    with pytest.raises(ExecutionFault, match="encoder"):
        network("bert").log_probabilities([1, 2])


def test_a_prefill_can_be_stopped_inside() -> None:
    net, asked = network("llama", context=1000), 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:  # in the second layer of the second chunk
            raise Cancelled("enough")

    state = net.start()
    with pytest.raises(Cancelled):
        net.prefill(state, tiny_models.tokens(300), check)
    assert state.length == CHUNK_TOKENS


def test_a_state_grows_as_it_is_needed() -> None:
    net = network("llama")
    state = net.start()
    assert state.bytes == 0
    net.prefill(state, [1, 2, 3])
    small = state.bytes
    net.prefill(state, tiny_models.tokens(61))
    assert state.bytes == small == 2 * 3 * 2 * 80 * 8 * 4
    large = network("llama", context=100).start()
    large.reserve(10)
    large.length = 10
    large.reserve(75)
    assert large.keys.shape[3] == 112  # not 128: never beyond the context


def test_an_unknown_scaling_of_positions_is_not_built() -> None:
    with pytest.raises(NotSupported, match="not supported yet: positions scaled by yarn"):
        Rotary(8, 10000.0, {"type": "yarn"})


def test_vectors_of_an_encoder() -> None:
    rows = np.array(FIGURES["bert"]["rows"])
    tokens = FIGURES["bert"]["tokens"]
    mean = rows.mean(axis=0)
    found = encode(network("bert"), [tokens, [], tokens[:5]])
    assert np.abs(found[0] - mean / np.linalg.norm(mean)).max() < 1e-6
    assert not found[1].any()
    assert np.array_equal(found[2], encode(network("bert"), [tokens[:5]])[0])
    plain = encode(network("bert", normalize=False), [tokens])
    assert_close(plain[0], mean)
    first = encode(network("bert", pooling="cls", normalize=False), [tokens])
    assert_close(first[0], rows[0])


def test_a_language_model_does_not_embed() -> None:
    with pytest.raises(ExecutionFault, match="does not embed"):
        encode(network("llama"), [[1]])


def test_static_vectors() -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    plain = StaticNetwork(
        StaticConfig(vocabulary=4, width=3, normalize=False),
        ArrayWeights({"embedding.token.weight": table}),
    )
    found = encode(plain, [[0, 2, 2], [], [3]])
    assert found.tolist() == [[4, 5, 6], [0, 0, 0], [9, 10, 11]]
    with pytest.raises(ExecutionFault, match="no token 4"):
        encode(plain, [[4]])
    scaled = StaticNetwork(
        StaticConfig(vocabulary=3, width=3, has_scale=True, has_mapping=True),
        ArrayWeights(
            {
                "embedding.token.weight": table,
                "embedding.token.scale": np.array([1, 2, 3], np.float32),
                "embedding.token.mapping": np.array([3, 0, 0], np.float32),
            }
        ),
    )
    mean = (table[3] + 3 * table[0]) / 2
    assert np.abs(encode(scaled, [[0, 2]])[0] - mean / np.linalg.norm(mean)).max() < 1e-6


def test_feed_forward_networks() -> None:
    draw = np.random.Generator(np.random.Philox(3))
    arrays = {
        "layer0.mlp.up.weight": draw.standard_normal((6, 4)),
        "layer0.mlp.up.bias": draw.standard_normal(6),
        "head.weight": draw.standard_normal((3, 6)),
        "head.bias": draw.standard_normal(3),
    }
    weights = ArrayWeights({n: a.astype(np.float32) for n, a in arrays.items()})
    net = FeedForward(MlpConfig(sizes=(4, 6, 3)), weights)
    features = draw.standard_normal((2000, 4)).astype(np.float32)
    hidden = np.maximum(
        features @ arrays["layer0.mlp.up.weight"].T + arrays["layer0.mlp.up.bias"], 0
    )
    scores = hidden @ arrays["head.weight"].T + arrays["head.bias"]
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(predict(net, features) - expected).max() < 1e-5
    with pytest.raises(ExecutionFault, match="reads 4 features, not 5"):
        predict(net, np.zeros((1, 5), np.float32))


def test_stacked_matrices_are_one() -> None:
    draw = np.random.Generator(np.random.Philox(4))
    parts = [draw.standard_normal((n, 5)).astype(np.float32) for n in (3, 1, 4)]
    whole, stack = Dense(np.concatenate(parts)), Stack([Dense(part) for part in parts])
    x = draw.standard_normal((2, 5)).astype(np.float32)
    assert (stack.rows, stack.length) == (8, 5)
    assert np.allclose(stack.multiply(x), whole.multiply(x), atol=1e-6)
    assert np.allclose(stack.multiply_rows(x), whole.multiply_rows(x), atol=1e-6)
    numbers = np.array([7, 0, 3, 3])
    assert np.array_equal(stack.gather(numbers), whole.gather(numbers))
