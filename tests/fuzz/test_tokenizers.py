"""Mutated tokenizers: each loads or is an error of ours, and so is every text given to it; the
process lives."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import tokenizer_texts as samples
from tokenizer_texts import WORDS, word_piece

from hartonomous.hql.models import tokenizers
from hartonomous.hql.models.tokenizers import pack
from hartonomous.storage.errors import Error

ODD: list[Any] = [None, True, -1, 0, 1 << 31, 1 << 63, 1.5, "", "a", "##", "▁", "\x00", [], {}]
ODD += [["a"], {"a": 1}, [0], "(a*)*", "[", "\\", "a" * 5000, {"type": "NFC"}, {"Regex": "a|"}]
TEXTS = [
    "",
    "a",
    "the cats sat.",
    " x  y\n",
    "東京 é <|im_end|> [CLS] <unk>",
    "\x00\udcff",
    "aa" * 30,
]


def mutated(value: Any, rng: random.Random) -> Any:
    """A copy with one thing changed: a member, an item, a value."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if rng.random() < 0.05:
            return {**value, str(rng.choice(ODD)): rng.choice(ODD)}
        return {**value, key: mutated(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        i = rng.randrange(len(value))
        change = rng.random()
        if change < 0.1:
            return value[:i] + value[i + 1 :]
        if change < 0.2:
            return [*value, *value[i : i + 3]]
        return [*value[:i], mutated(value[i], rng), *value[i + 1 :]]
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return value + rng.choice((-1, 1, 7, 1000))
    return rng.choice(ODD)


def definitions() -> list[dict[str, Any]]:
    bpe = json.loads(samples.trained(True).to_str())
    prefix = {"type": "Prepend", "prepend": "▁"}
    marked = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    llama = {
        **bpe,
        "normalizer": {"type": "Sequence", "normalizers": [prefix, marked]},
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
    }
    unigram = {
        **llama,
        "model": {
            "type": "Unigram",
            "unk_id": 0,
            "byte_fallback": False,
            "vocab": [["<unk>", 0.0], ["▁", -1.0], ["a", -2.5], ["▁the", -3.0], ["x", -4.0]],
        },
    }
    return [word_piece(WORDS), bpe, llama, unigram]


def stored(count: int, seed: int) -> Iterator[bytes]:
    """Stored tokenizers of both formats, one to three changes each."""
    rng = random.Random(seed)
    files = definitions()
    metadata = [samples.byte_level_metadata(True), samples.word_piece_metadata(files[0])]
    tokens = metadata[0]["tokenizer.ggml.tokens"]
    scored = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.scores": [-1.0 * i for i in range(len(tokens))],
    }
    metadata.append({**metadata[0], **scored})
    for _ in range(count):
        is_json = rng.random() < 0.5
        value = rng.choice(files if is_json else metadata)
        for _ in range(rng.randrange(1, 4)):
            changed = mutated(value, rng)
            value = changed if isinstance(changed, dict) else value
        if is_json:
            data = json.dumps(value).encode()
            if rng.random() < 0.1:
                i = rng.randrange(len(data))
                data = data[:i] + rng.randbytes(2) + data[i + rng.randrange(4) :]
            yield pack({"kind": "json", "files": {"tokenizer.json": data}})
        else:
            kept = {k: v for k, v in value.items() if v not in (1 << 63,)}
            yield pack({"kind": "gguf", "metadata": kept})


def run(count: int, seed: int) -> None:
    outcomes = {"loaded": 0, "refused": 0}
    for packed in stored(count, seed):
        try:
            tokenizer = tokenizers.load_tokenizer(packed)
        except Error:
            outcomes["refused"] += 1
            continue
        outcomes["loaded"] += 1
        for text in TEXTS:
            try:
                tokenizer.decode(tokenizer.encode(text), skip_special=False)
            except Error as error:
                assert error.code in ("MODEL_INPUT", "NOT_SUPPORTED")
    assert min(outcomes.values()) > count // 20, outcomes


def test_mutated_tokenizers(capfd: pytest.CaptureFixture[str]) -> None:
    run(200, 11)
    capfd.readouterr()  # what the library prints about its panics


@pytest.mark.slow
def test_many_mutated_tokenizers(capfd: pytest.CaptureFixture[str]) -> None:
    run(10_000, 12)
    capfd.readouterr()
