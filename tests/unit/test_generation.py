"""Generation: how tokens are chosen, when rows end, what they do not depend on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from oracle import tiny_models

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models.inference.forms import IN_NUMPY
from hartonomous.hql.models.inference.generation import (
    ROWS_MAX,
    Settings,
    Step,
    generate,
    generate_rows,
)
from hartonomous.hql.models.inference.network import Network
from hartonomous.hql.models.inference.stopping import StoppableText
from hartonomous.hql.models.inference.weights import ArrayWeights
from hartonomous.kernels import sampling
from hartonomous.storage.errors import Cancelled

#: Philox 4x64, ten rounds
UNIFORMS = [0.011546754286331562, 0.6527702009682942, 0.22317062071822635, 0.31510569995856075]
PROMPT = tiny_models.tokens(7)


@pytest.fixture(scope="module")
def net() -> Network:
    config = tiny_models.MODELS["llama"].config
    return Network(config, ArrayWeights(tiny_models.arrays(config)), forms=IN_NUMPY)


class Letters:
    """Token n is the n-th letter from a."""

    def push(self, token: int) -> str:
        return chr(97 + token)

    def finish(self) -> str:
        return "."


def tokens_of(steps: Sequence[Step]) -> list[int]:
    return [step.token for step in steps]


def test_greedy_is_the_best_token_each_time(net: Network) -> None:
    steps = list(generate(net, PROMPT, Settings(max_tokens=10)))
    tokens = list(PROMPT)
    for step in steps:
        logits = net.logits(tokens)[-1].astype(np.float64)
        assert step.token == logits.argmax()
        expected = logits[step.token] - np.log(np.exp(logits).sum())
        assert abs(step.logprob - expected) < 1e-5
        tokens.append(step.token)
    assert [step.step for step in steps] == list(range(10))
    assert [step.stop_reason for step in steps] == [None] * 9 + ["length"]


def test_rows_end_for_themselves(net: Network) -> None:
    prompts = [tiny_models.tokens(n) for n in (1, 5, 9, 5)]
    alone = [list(generate(net, p, Settings(max_tokens=12))) for p in prompts]
    ends = frozenset({alone[0][3].token, alone[2][6].token})
    settings = Settings(max_tokens=12, end_tokens=ends)
    together: dict[int, list[Step]] = {n: [] for n in range(4)}
    for step in generate_rows(net, prompts, settings):
        together[step.row].append(step)
    lengths = set()
    for n, steps in together.items():
        full = tokens_of(alone[n])
        length = next((i + 1 for i, t in enumerate(full) if t in ends), 12)
        lengths.add(length)
        assert tokens_of(steps) == full[:length]
        assert steps[-1].stop_reason == ("end" if full[length - 1] in ends else "length")
        for mine, other in zip(steps, alone[n], strict=False):
            assert mine.logprob == other.logprob  # to the bit
    assert len(lengths) > 1


def test_sampling_depends_on_seed_row_and_step_only(net: Network) -> None:
    settings = Settings(max_tokens=8, temperature=1.0, seed=5)
    prompts = [PROMPT] * (ROWS_MAX + 2)
    rows: dict[int, list[int]] = {}
    for step in generate_rows(net, prompts, settings):
        rows.setdefault(step.row, []).append(step.token)
    assert len({tuple(tokens) for tokens in rows.values()}) > ROWS_MAX // 2
    for row in (0, 3, ROWS_MAX + 1):
        assert tokens_of(list(generate(net, PROMPT, settings, row=row))) == rows[row]
    other = Settings(max_tokens=8, temperature=1.0, seed=6)
    assert tokens_of(list(generate(net, PROMPT, other))) != rows[0]


def test_the_random_numbers_never_change() -> None:
    found = [sampling.uniform(*key) for key in ((0, 0, 0), (1, 2, 3), (1, 3, 3), (-1, 2, 4))]
    assert found == UNIFORMS


def test_text_ends_before_a_stop_string(net: Network) -> None:
    free = list(generate(net, PROMPT, Settings(max_tokens=12), detokeniser=Letters()))
    text = "".join(step.text for step in free)
    assert len(text) == 13 and text.endswith(".")
    stop = text[4:7]
    settings = Settings(max_tokens=12, stop=("~", stop))
    steps = list(generate(net, PROMPT, settings, detokeniser=Letters()))
    cut = text.index(stop)
    assert "".join(step.text for step in steps) == text[:cut]
    assert steps[-1].stop_reason == "stop"
    assert tokens_of(steps) == tokens_of(free)[: cut + 3]


def test_an_end_token_gives_no_text_of_its_own(net: Network) -> None:
    free = list(generate(net, PROMPT, Settings(max_tokens=3)))
    settings = Settings(max_tokens=3, end_tokens=frozenset({free[0].token}))
    steps = list(generate(net, PROMPT, settings, detokeniser=Letters()))
    assert [(s.text, s.stop_reason) for s in steps] == [(".", "end")]


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["ab", "c", "d"], ("bcd",), ["a", "", ""]),
        (["ab", "c", "x"], ("bcd",), ["a", "", "bcx"]),
        (["aab", "aab"], ("aaba",), ["", "", ""]),
        (["one two"], ("two", "one"), [""]),
        (["abc"], ("",), ["abc"]),
        (["ab"], ("b.",), ["a", ""]),
    ],
)
def test_stop_strings_across_tokens(pieces: list[str], stop: Any, expected: list[str]) -> None:
    class Pieces:
        def push(self, token: int) -> str:
            return pieces[token]

        def finish(self) -> str:
            return "." if stop == ("b.",) else ""

    text = StoppableText(Pieces(), stop)
    found = [text.push(n) for n in range(len(pieces))] + [text.finish()]
    assert found[: len(expected)] == expected
    assert text.is_stopped == any(s and s in "".join(pieces) + "." for s in stop)


def test_a_full_context_ends_a_row(net: Network) -> None:
    steps = list(generate(net, tiny_models.tokens(62), Settings(max_tokens=50)))
    assert [step.stop_reason for step in steps] == [None, None, "context"]
    steps = list(generate(net, tiny_models.tokens(64), Settings(max_tokens=50)))
    assert [step.stop_reason for step in steps] == ["context"]


def test_prompts_that_cannot_run(net: Network) -> None:
    with pytest.raises(ExecutionFault, match="65 tokens do not fit the model's context of 64"):
        list(generate_rows(net, [PROMPT, tiny_models.tokens(65)], Settings()))
    with pytest.raises(ExecutionFault, match="the prompt has no tokens"):
        list(generate(net, [], Settings()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("temperature", -1.0),
        ("temperature", float("nan")),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.5),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 1e300),
        ("temperature", 1e300),
        ("temperature", 1e-300),
    ],
)
def test_settings_have_bounds(net: Network, name: str, value: Any) -> None:
    with pytest.raises(ExecutionFault, match=re.escape(f"@{name} is {value}; it must be")) as fault:
        list(generate(net, PROMPT, Settings(**{name: value})))
    assert fault.value.code == "BAD_VALUE"


def test_generation_can_be_stopped_between_tokens(net: Network) -> None:
    is_late = False

    def check() -> None:
        if is_late:
            raise Cancelled("enough")

    steps = generate(net, PROMPT, Settings(max_tokens=9), check=check)
    next(steps)
    is_late = True
    with pytest.raises(Cancelled):
        next(steps)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_of_nan_is_refused(temperature: float) -> None:
    config = tiny_models.MODELS["llama"].config
    arrays = tiny_models.arrays(config)
    arrays["norm.final.weight"][:] = np.nan
    broken = Network(config, ArrayWeights(arrays), forms=IN_NUMPY)
    with pytest.raises(ExecutionFault, match="no probabilities"):
        list(generate(broken, PROMPT, Settings(temperature=temperature)))


def drawn(logits: Any, count: int = 4000, **settings: Any) -> dict[int, float]:
    chosen = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, **settings}
    found = np.array(
        [
            sampling.draw(logits, chance=sampling.uniform(1, 0, step), **chosen)
            for step in range(count)
        ]
    )
    return {int(t): float(np.mean(found == t)) for t in np.unique(found)}


LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.25, 0.05], np.float32))


def test_tokens_are_drawn_by_their_probability() -> None:
    found = drawn(LOGITS)
    assert found == pytest.approx({0: 0.1, 1: 0.4, 2: 0.2, 3: 0.25, 4: 0.05}, abs=0.03)
    colder = drawn(LOGITS, temperature=0.5)
    squares = np.exp(LOGITS) ** 2 / (np.exp(LOGITS) ** 2).sum()
    assert colder == pytest.approx(dict(enumerate(squares.tolist())), abs=0.03)


def test_top_k_and_top_p_leave_tokens_out() -> None:
    assert drawn(LOGITS, top_k=2) == pytest.approx({1: 0.4 / 0.65, 3: 0.25 / 0.65}, abs=0.03)
    assert set(drawn(LOGITS, top_p=0.6)) == {1, 3}
    assert set(drawn(LOGITS, top_p=0.66)) == {1, 2, 3}
    assert set(drawn(LOGITS, top_p=1e-9)) == {1}
    assert set(drawn(LOGITS, top_k=3, top_p=0.7)) == {1, 3}  # 0.4 and 0.25 of 0.85
    ties = np.zeros(6, np.float32)
    assert set(drawn(ties, top_k=3)) == {0, 1, 2}
    assert sampling.draw(ties, 0.0, 0, 1.0, 0.9) == 0


def test_extreme_logits_are_drawn_from() -> None:
    steep = np.array([-1e30, 1e30, 0.0, -np.inf], np.float32)
    assert set(drawn(steep, 50, temperature=1e-30)) == {1}
    assert sampling.draw(LOGITS, 1.0, 0, 1.0, 1.0 - 2.0**-53) == 4


def test_the_repetition_penalty() -> None:
    logits = np.array([2.0, -2.0, 1.0], np.float32)
    found = sampling.penalise(logits, np.array([0, 1]), 2.0)
    assert found.tolist() == [1.0, -4.0, 1.0] and logits[0] == 2.0


def test_a_penalised_row_does_not_repeat(net: Network) -> None:
    free = tokens_of(list(generate(net, PROMPT, Settings(max_tokens=20))))
    hard = Settings(max_tokens=20, repetition_penalty=100.0)
    held = tokens_of(list(generate(net, PROMPT, hard)))
    assert len(set(held)) == 20 and not set(held) & set(PROMPT)
    assert len(set(free)) < 20 or set(free) & set(PROMPT)
