"""Tokenizers that are wrong or hostile: an error each, when a text comes, in bounded time."""

import base64
import json
from typing import Any

import pytest
import tokenizer_texts as samples
from tokenizer_texts import WORDS, of_gguf, of_json, word_piece

from hartonomous.hql.errors import ExecutionFault, NotSupported
from hartonomous.hql.models import tokenizers
from hartonomous.hql.models.tokenizers import byte_level, pack, vocabulary


def test_an_unknown_name_is_an_error_on_text_not_on_import() -> None:
    metadata = samples.byte_level_metadata()
    for key, value in (("pre", "martian"), ("model", "t5"), ("model", 3)):
        packed = pack({"kind": "gguf", "metadata": metadata | {f"tokenizer.ggml.{key}": value}})
        with pytest.raises(ExecutionFault) as caught:
            tokenizers.load_tokenizer(packed)
        assert caught.value.code == "MODEL_INPUT"
        assert str(value) in str(caught.value) or "is no str" in str(caught.value)


def hostile_vocabularies() -> dict[str, dict[str, Any]]:
    good = samples.byte_level_metadata()
    tokens, count = good["tokenizer.ggml.tokens"], len(good["tokenizer.ggml.tokens"])
    spm = {
        "model": "llama",
        "scores": [0.0] * count,
        "merges": [],
        "tokens": ["<unk>", "<s>", "</s>", *tokens[3:]],
        "token_type": [2, 3, 3, *[1] * (count - 3)],
    }
    changes: dict[str, dict[str, Any]] = {
        "no tokens": {"tokens": []},
        "no list": {"tokens": "abc"},
        "numbers": {"tokens": [1, 2, 3]},
        "bytes": {"tokens": [b"\xff"] * count},
        "duplicates": {"tokens": [*tokens[:-1], tokens[-2]]},
        "surrogates": {"tokens": [*tokens[:-1], "\udcff"]},
        "kinds": {"token_type": [1]},
        "kinds of text": {"token_type": ["1"] * count},
        "an id too large": {"bos_token_id": count},
        "an id below zero": {"eos_token_id": -1},
        "an id of text": {"eos_token_id": "2"},
        "no such merge": {"merges": ["x yz!"]},
        "a merge of one": {"merges": ["abc"]},
        "merges of nothing": {"merges": ["  ", " a", "a "]},
        "a cycle of merges": {"merges": ["Ġ Ġ", "ĠĠ ĠĠ", "Ġ ĠĠĠĠĠĠĠĠ" * 3]},
        "no bytes": {"tokens": [f"t{i}" for i in range(count)], "merges": []},
        "end without id": {"add_eos_token": True, "eos_token_id": None},
        "no scores": spm | {"scores": []},
        "scores of NaN": spm | {"scores": [float("nan")] * count},
        "a token of a megabyte": spm | {"tokens": [*spm["tokens"][:-1], "ab" * 500_000]},
        "spaces and marks": spm
        | {"tokens": [*spm["tokens"][:-2], "a ", "a▁"], "token_type": [4] * count},
        "no [CLS]": {"model": "bert"},
    }  # fmt: skip
    return {
        name: {**good, **{f"tokenizer.ggml.{k}": v for k, v in change.items()}}
        for name, change in changes.items()
    }


@pytest.mark.parametrize("name", sorted(hostile_vocabularies()))
def test_hostile_vocabularies_are_errors(name: str) -> None:
    with pytest.raises(ExecutionFault) as caught:
        of_gguf(hostile_vocabularies()[name])
    assert caught.value.code == "MODEL_INPUT" and len(str(caught.value)) < 500


def test_vocabularies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = samples.byte_level_metadata()
    for bound, said in (("TOKENS_MAX", "tokens has 700"), ("CHARACTERS_MAX", "too long")):
        with monkeypatch.context() as patch:
            patch.setattr(vocabulary, bound, 600)
            with pytest.raises(ExecutionFault, match=said):
                of_gguf(metadata | {"tokenizer.chat_template": bound})
    monkeypatch.setattr(byte_level, "MERGES_MAX", 10)
    with pytest.raises(ExecutionFault, match="merges has"):
        of_gguf(metadata | {"tokenizer.chat_template": "merges"})


def hostile_definitions() -> dict[str, Any]:
    good = word_piece(WORDS)

    def with_normalizer(*steps: dict[str, Any]) -> dict[str, Any]:
        return {**good, "normalizer": {"type": "Sequence", "normalizers": list(steps)}}

    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    anywhere = {"type": "Replace", "pattern": {"Regex": ""}, "content": "a" * 100}
    prepend = {"type": "Prepend", "prepend": "x" * 1000}
    long = b"\x04\0\0\0" + b"\0\0\0\0" + b"x" * 1000 + b"\0"
    return {
        "nothing": {},
        "a list": [],
        "no model": {**good, "model": None},
        "an unknown model": {**good, "model": {"type": "Rnn"}},
        "a vocabulary of text": {**good, "model": {**good["model"], "vocab": "a"}},
        "negative ids": {**good, "model": {**good["model"], "vocab": {"a": -1}}},
        "an id twice": {**good, "model": {**good["model"], "vocab": {"[UNK]": 1, "b": 1}}},
        "an id too large": {**good, "model": {**good["model"], "vocab": {"[UNK]": 1 << 31}}},
        # the library would end the process
        "merges without prefix": {
            **json.loads(samples.trained().to_str()),
            "model": {
                "type": "BPE",
                "continuing_subword_prefix": "\x00",
                "vocab": {"a": 0, "é": 1, "aé": 2},
                "merges": [["a", "é"]],
            },
        },
        "a short table of characters": with_normalizer(
            {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
        ),
        "long characters": with_normalizer(
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(long).decode()}
        ),
        "doubling": with_normalizer(*[double] * 40),
        "inserting": with_normalizer(anywhere),
        "prepending": with_normalizer(prepend),
        "a long chain": with_normalizer(*[{"type": "NFC"}] * 100),
        "long words": {**good, "model": {**good["model"], "max_input_chars_per_word": 10**9}},
        "no such template token": {
            **good,
            "post_processor": {**good["post_processor"], "special_tokens": {}},
        },
        "added tokens of text": {**good, "added_tokens": "abc"},
        "a bad pattern": {
            **good,
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "(((("},
                "behavior": "Isolated",
                "invert": False,
            },
        },
    }


@pytest.mark.parametrize("name", sorted(hostile_definitions()))
def test_hostile_definitions_are_errors(name: str) -> None:
    with pytest.raises(ExecutionFault) as caught:
        of_json(hostile_definitions()[name])
    assert caught.value.code == "MODEL_INPUT" and len(str(caught.value)) < 500


def test_files_that_are_no_json_are_errors() -> None:
    for data in (b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 10_000):
        with pytest.raises(ExecutionFault):
            tokenizers.load_tokenizer(pack({"kind": "json", "files": {"tokenizer.json": data}}))
    with pytest.raises(ExecutionFault, match="no tokenizer.json"):
        tokenizers.load_tokenizer(pack({"kind": "json", "files": {}}))
    with pytest.raises(ExecutionFault, match="not known"):
        tokenizers.load_tokenizer(pack({"kind": "martian"}))
    strange = {
        **word_piece(WORDS),
        "decoder": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "b", "cleanup": False},
    }
    with pytest.raises(NotSupported, match="CTC"):
        of_json(strange)


def test_words_that_a_pattern_cannot_bear_are_errors(capfd: pytest.CaptureFixture[str]) -> None:
    """The library's pattern matcher gives up by a panic, which is no Exception."""
    definition = word_piece(WORDS)
    definition["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$"},
        "behavior": "Isolated",
        "invert": False,
    }
    tokenizer = of_json(definition)
    assert tokenizer.encode("the") == [2, 6, 3]
    with pytest.raises(ExecutionFault) as caught:
        tokenizer.encode("a" * 40 + "!")
    assert caught.value.code == "MODEL_INPUT"
    capfd.readouterr()  # what it prints about its panic
