"""SmolLM2 and MiniLM, imported and run, against figures of transformers and sentence-transformers
(tests/oracle, with the scripts that made them)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_files import MINILM, SMOLLM, model_file, model_folder
from oracle import tiny_models

from hartonomous.hql.dbapi import Connection
from hartonomous.hql.models.inference.encoding import encode
from hartonomous.hql.models.inference.generation import Settings, generate, generate_rows
from hartonomous.hql.models.inference.loading import load
from hartonomous.hql.models.inference.network import Network
from hartonomous.hql.models.model import find_model

pytestmark = pytest.mark.slow

#: |Δ logit| by the largest |logit| of a position
TOLERANCE = 1e-3
#: continuations that may leave the oracle's, where its two best logits are that close
DIFFERENT_MAX = 2


def figures(name: str) -> dict[str, Any]:
    path = Path(tiny_models.__file__).with_name(name)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def imported(path: Path, folder: Path) -> Iterator[Network]:
    connection = Connection(folder / "database")
    connection.execute(f"CREATE MODEL m FROM '{path}'")
    database = connection.session.database
    network = load(find_model(database.snapshot().catalog, database, "m"))
    assert isinstance(network, Network)
    yield network
    connection.close()


@pytest.fixture(scope="module")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    yield from imported(model_file(*SMOLLM), tmp_path_factory.mktemp("smollm"))


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    yield from imported(model_folder(*MINILM), tmp_path_factory.mktemp("minilm"))


def assert_position(logits: Any, prompt: dict[str, Any], t: int, fixed: list[int]) -> None:
    bound = TOLERANCE * prompt["largest"][t]
    assert abs(np.abs(logits).max() - prompt["largest"][t]) <= bound
    assert np.abs(logits[prompt["best"][t]] - prompt["best_logits"][t]).max() <= bound
    assert np.abs(logits[fixed] - prompt["fixed_logits"][t]).max() <= bound


def test_logits_at_every_position(smollm: Network) -> None:
    oracle = figures("smollm.json")
    assert len(oracle["prompts"]) == 20
    for prompt in oracle["prompts"]:
        rows = smollm.logits(prompt["tokens"])
        for t, logits in enumerate(rows):
            assert_position(logits, prompt, t, oracle["fixed"])
        found = smollm.log_probabilities(prompt["tokens"]).sum()
        assert abs(found - prompt["logprob"]) <= 1e-4 * abs(prompt["logprob"])


def test_logits_of_single_steps(smollm: Network) -> None:
    oracle = figures("smollm.json")
    for prompt in oracle["prompts"][::3]:
        tokens, state = prompt["tokens"], smollm.start()
        assert_position(smollm.prefill(state, tokens[:1]), prompt, 0, oracle["fixed"])
        for t in range(1, len(tokens)):
            logits = smollm.step([state], [tokens[t]])[0]
            assert_position(logits, prompt, t, oracle["fixed"])


def test_greedy_continuations(smollm: Network) -> None:
    prompts = figures("smollm.json")["prompts"]
    found: dict[int, list[int]] = {n: [] for n in range(len(prompts))}
    length = len(prompts[0]["continued"])
    given = [prompt["tokens"] for prompt in prompts]
    for step in generate_rows(smollm, given, Settings(max_tokens=length)):
        found[step.row].append(step.token)
    different = 0
    for n, prompt in enumerate(prompts):
        if found[n] == prompt["continued"]:
            continue
        different += 1
        pairs = zip(found[n], prompt["continued"], strict=True)
        first = next(i for i, (ours, theirs) in enumerate(pairs) if ours != theirs)
        best, second = prompt["continued_best_two"][first]
        assert best - second < 2 * TOLERANCE * best, (n, first, best, second)
    assert different <= DIFFERENT_MAX


def test_rows_are_the_same_bits_in_any_company(smollm: Network) -> None:
    prompts = [prompt["tokens"] for prompt in figures("smollm.json")["prompts"][:4]]
    settings = Settings(max_tokens=16, temperature=0.8, seed=3)

    def alone(row: int) -> list[tuple[int, float]]:
        steps = generate(smollm, prompts[row], settings, row=row)
        return [(step.token, step.logprob) for step in steps]

    expected = [alone(row) for row in range(4)]
    beside: dict[int, list[tuple[int, float]]] = {}
    for step in generate_rows(smollm, prompts, settings):
        beside.setdefault(step.row, []).append((step.token, step.logprob))
    assert [beside[row] for row in range(4)] == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(alone, range(4))) == expected


def test_vectors_of_sentences(minilm: Network) -> None:
    sentences = figures("minilm.json")["sentences"]
    found = encode(minilm, [sentence["tokens"] for sentence in sentences])
    assert np.abs(found - np.array([s["vector"] for s in sentences])).max() <= 1e-5
    for n, sentence in enumerate(sentences):  # alone, to the bit
        assert np.array_equal(encode(minilm, [sentence["tokens"]])[0], found[n])


def test_perplexity_of_committed_texts(tmp_path: Path) -> None:
    oracle = figures("perplexity.json")
    texts = Path(tiny_models.__file__).with_name("texts")
    connection = Connection(tmp_path / "database")
    connection.execute(f"CREATE MODEL m FROM '{model_file(*SMOLLM)}'")
    ask = f"SELECT PERPLEXITY('m', (SELECT @text), @window = {oracle['window']})"
    for name, expected in oracle["texts"].items():
        text = (texts / name).read_text(encoding="utf-8")
        found = connection.execute(ask, {"text": text}).fetchall()[0][0]
        assert found == pytest.approx(expected["perplexity"], rel=0.01), name
    connection.close()
