"""Tokenizers of models: ids are those of the original tokenizer, texts come back, hostile
vocabularies are errors."""

import functools
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizer_texts as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_texts import WORDS, of_gguf, of_json, word_piece
from tokenizers import Tokenizer as Library

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.models import tokenizers
from hartonomous.hql.models.tokenizers import pack, pack_tokenizer, pre_tokenizers
from hartonomous.hql.models.tokenizers.base import Tokenizer


def ids_of(library: Library, texts: list[str], add_special: bool = True) -> list[list[int]]:
    return [e.ids for e in library.encode_batch(texts, add_special_tokens=add_special)]


@pytest.fixture(scope="module")
def llama() -> dict[str, Any]:
    """The tokenizer.json of the package wordllama: Llama 2's."""
    import wordllama

    folder = Path(wordllama.__file__).parent / "tokenizers"
    found: dict[str, Any] = json.loads(
        (folder / "l2_supercat_tokenizer_config.json").read_text(encoding="utf-8")
    )
    return found


@pytest.fixture(scope="module")
def scored(llama: dict[str, Any]) -> Tokenizer:
    """The same as a GGUF file would have it."""
    return of_gguf(samples.sentencepiece_metadata(llama))


@functools.cache
def byte_level() -> Tokenizer:
    return of_gguf(samples.byte_level_metadata())


# ids


@pytest.mark.parametrize("single_digits", [False, True])
def test_byte_level_bpe_is_the_original(single_digits: bool) -> None:
    metadata = samples.byte_level_metadata(single_digits)
    tokenizer = of_gguf(metadata)
    texts = samples.texts()
    assert tokenizer.encode_batch(texts) == ids_of(samples.trained(single_digits), texts)
    tokens = {token: i for i, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    merges = metadata["tokenizer.ggml.merges"]
    for text in texts[:150]:
        expected = samples.reference_bpe(text, tokens, merges, single_digits)
        assert tokenizer.encode(text) == expected, text


def test_a_byte_without_a_token_is_dropped() -> None:
    metadata = samples.byte_level_metadata()
    tokens = ["[gone]" if t == "q" else t for t in metadata["tokenizer.ggml.tokens"]]
    merges = [m for m in metadata["tokenizer.ggml.merges"] if "q" not in m]
    change = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": merges}
    tokenizer = of_gguf(metadata | change)
    assert tokenizer.decode(tokenizer.encode("a quick q")) == "a uick "


def test_sentencepiece_is_the_original(llama: dict[str, Any], scored: Tokenizer) -> None:
    tokenizer = scored
    texts = [*samples.texts(), "<s> x</s>y", "▁▁ a", "<0x41><unk>", " <s> "]
    assert tokenizer.encode_batch(texts) == ids_of(Library.from_str(json.dumps(llama)), texts)
    assert tokenizer.begin == 1 and tokenizer.end_tokens == {2}
    assert tokenizer.encode("", add_special=True) == [1]
    kept = [text for text in texts if "<" not in text and "▁" not in text]
    assert [tokenizer.decode(ids) for ids in tokenizer.encode_batch(kept)] == kept


def test_sentencepiece_without_a_leading_space() -> None:
    """As Gemma: tokens of users have spaces in the file, and are found before anything else."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{b:02X}>" for b in range(256))]
    tokens += ["a", "b", "▁", "ab", "  ", "<end_of_turn>", "▁a"]
    kinds = [3, 3, 3, 2, *[6] * 256, 1, 1, 1, 1, 4, 4, 1]
    scores = [0.0] * 260 + [-3.0, -4.0, -5.0, -1.0, -1000.0, 0.0, -2.0]
    tokenizer = of_gguf(
        {
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": kinds,
            "tokenizer.ggml.scores": scores,
            "tokenizer.ggml.add_space_prefix": False,
            "tokenizer.ggml.bos_token_id": 2,
            "tokenizer.ggml.eos_token_id": 1,
            "tokenizer.ggml.unknown_token_id": 3,
        }
    )
    assert tokenizer.end_tokens == {1, tokens.index("<end_of_turn>")}

    def written(text: str) -> list[str]:
        return [tokenizer.token(i) for i in tokenizer.encode(text)]

    assert written("ab a") == ["<bos>", "ab", "▁a"]
    assert written("b  a<end_of_turn>") == ["<bos>", "b", "▁▁", "a", "<end_of_turn>"]
    assert written("é") == ["<bos>", "<0xC3>", "<0xA9>"]
    for text in (" ab", "a   b", "é", "\n"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("lowercase", [True, False])
def test_word_piece_is_the_original(lowercase: bool) -> None:
    words = [*WORDS, *([] if lowercase else ["The", "Cat"])]
    definition = word_piece(words, lowercase)
    tokenizer = of_gguf(samples.word_piece_metadata(definition))
    texts = [*samples.texts(200), "The CATS sat. [MASK] É, 東京 unknown cat's cannot", "the cat"]
    assert tokenizer.encode_batch(texts) == ids_of(Library.from_str(json.dumps(definition)), texts)
    assert tokenizer.decode(tokenizer.encode("the cats sat.")) == "the cats sat."
    assert tokenizer.encode("the cat the cat", tokens_max=4) == [2, 6, 7, 3]
    assert tokenizer.encode("the cat", add_special=False, tokens_max=1) == [6]


def test_json_is_the_library_without_padding_truncation_and_chance() -> None:
    definition = word_piece(WORDS)
    definition["truncation"] = {
        "direction": "Right",
        "max_length": 4,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    definition["padding"] = {
        "strategy": {"Fixed": 9},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    tokenizer = of_json(definition)
    assert tokenizer.encode("the cat sat.") == [2, 6, 7, 9, 10, 3]
    drawn = json.loads(samples.trained().to_str())
    drawn["model"]["dropout"] = 0.9
    assert of_json(drawn).encode_batch(samples.texts(50)) == ids_of(
        samples.trained(), samples.texts(50)
    )


def test_special_tokens_of_a_folder_are_what_its_files_say() -> None:
    definition = json.loads(samples.trained().to_str())
    tokenizer = of_json(
        definition,
        tokenizer_config__json={
            "bos_token": {"content": "<|im_start|>", "special": True},
            "eos_token": "<|endoftext|>",
            "pad_token": None,
            "chat_template": [
                {"name": "tool_use", "template": "t"},
                {"name": "default", "template": "d"},
            ],
        },
        generation_config__json={"eos_token_id": [0, 99]},
    )
    assert (tokenizer.begin, tokenizer.end, tokenizer.special.padding) == (1, 0, None)
    assert tokenizer.end_tokens == {0, 2, 99}  # <|im_end|> ends a turn, said or not
    assert tokenizer.chat_template == "d"
    assert tokenizer.decode([1, *tokenizer.encode("hi"), 2]) == "hi"
    assert tokenizer.decode([1, 2], skip_special=False) == "<|im_start|><|im_end|>"
    assert of_json(definition).chat_template is None


def test_special_tokens_of_a_file_are_what_it_says() -> None:
    metadata = samples.byte_level_metadata()
    tokenizer = of_gguf(metadata)
    assert (tokenizer.begin, tokenizer.end, tokenizer.end_tokens) == (1, 2, {0, 2})
    assert tokenizer.encode("a<|im_end|>") == [*tokenizer.encode("a"), 2]
    assert tokenizer.special.prefix == ()
    both = {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": True}
    both |= {"tokenizer.ggml.eot_token_id": 40, "tokenizer.chat_template": "x"}
    framed = of_gguf(metadata | both)
    assert framed.encode("") == [1, 2] and 40 in framed.end_tokens and framed.chat_template == "x"
    assert of_gguf(metadata | {"tokenizer.ggml.pre": "llama-bpe"}).encode("") == [1]


# bytes, stored forms


def test_bytes_are_tokens() -> None:
    tokenizer = tokenizers.load_tokenizer(pack({"kind": "bytes"}))
    for text in samples.texts(100):
        assert tokenizer.encode(text) == list(text.encode()) and tokenizer.size == 256
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.token(65) == "<0x41>" and tokenizer.find("<0x41>") == 65
    assert tokenizer.find("A") is None and tokenizer.decode([65, 999, -1]) == "A"
    with pytest.raises(ExecutionFault):
        tokenizer.token(256)


def test_equal_tokenizers_have_equal_stored_forms() -> None:
    metadata = samples.byte_level_metadata()
    arrays = {k: np.array(v) if "token_type" in k else v for k, v in reversed(metadata.items())}
    packed = pack({"metadata": arrays, "kind": "gguf"})
    assert packed == pack({"kind": "gguf", "metadata": metadata})
    assert tokenizers.unpack(packed) == {"kind": "gguf", "metadata": metadata}
    tokenizer = tokenizers.load_tokenizer(packed)
    assert tokenizer is tokenizers.load_tokenizer(memoryview(packed), name=tokenizer.hash)
    source = type("Source", (), {"tokenizer": {}})()
    assert pack_tokenizer(source) is None
    source.tokenizer = {"kind": "bytes"}
    assert pack_tokenizer(source) == pack({"kind": "bytes"})


def test_loaded_tokenizers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizers, "LOADED_MAX", 2)
    made = [tokenizers.load_tokenizer(pack({"kind": "bytes", "n": n})) for n in range(4)]
    assert len(tokenizers._loaded) == 2
    assert tokenizers.get_tokenizer(made[3].hash, lambda: b"not read") is made[3]
    again = tokenizers.get_tokenizer(made[0].hash, lambda: pack({"kind": "bytes", "n": 0}))
    assert again is not made[0] and again.hash == made[0].hash


# texts come back


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_byte_level_gives_every_text_back(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    tokenizer = byte_level()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids, skip_special=False) == text
    assert "".join(map(tokenizer.token, ids)).isprintable() or "<|" in text


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(-2, 705), max_size=40), st.booleans())
def test_a_stream_gives_what_decoding_at_once_gives(ids: list[int], skip_special: bool) -> None:
    tokenizer = byte_level()
    stream = tokenizer.stream(skip_special)
    pieces = [stream.push(i) for i in ids]
    whole = tokenizer.decode(ids, skip_special)
    assert "".join(pieces) + stream.finish() == whole
    known = [i for i in ids if 0 <= i < tokenizer.size]
    assert whole == samples.trained().decode(known, skip_special_tokens=skip_special)


def test_a_stream_holds_half_characters_back(scored: Tokenizer) -> None:
    for tokenizer in (
        byte_level(),
        scored,
        tokenizers.load_tokenizer(pack({"kind": "bytes"})),
    ):
        for text in [t for t in samples.texts(200) if "▁" not in t]:
            stream = tokenizer.stream()
            pieces = [stream.push(i) for i in tokenizer.encode(text)]
            assert "".join(pieces) == text and stream.finish() == ""
            assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)
    half = tokenizers.load_tokenizer(pack({"kind": "bytes"})).stream()
    assert [half.push(i) for i in (0xF0, 0x9F, 0x90, 65)] == ["", "", "", "\ufffdA"]
    assert half.push(0xE2) == "" and half.finish() == "\ufffd"


def test_decoding_is_the_library_s() -> None:
    """Of valid UTF-8: of other bytes the library makes one U+FFFD each."""
    rng = random.Random(3)
    bare = {**word_piece(WORDS), "decoder": None}
    decoder = {"type": "Metaspace", "replacement": "#", "prepend_scheme": "first", "split": True}
    metaspace = {**bare, "decoder": decoder}
    marked = {"type": "Replace", "pattern": {"String": "#"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    steps = [marked, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]
    chain = {**bare, "decoder": {"type": "Sequence", "decoders": steps}}
    for definition in (word_piece(WORDS), bare, metaspace, chain):
        tokenizer, library = of_json(definition), Library.from_str(json.dumps(definition))
        for skip in (True, False):
            for _ in range(100):
                ids = [rng.randrange(tokenizer.size) for _ in range(rng.randrange(12))]
                assert tokenizer.decode(ids, skip) == library.decode(ids, skip_special_tokens=skip)


# what a pre-tokenizer's name stands for

CUT = {
    "gpt-2": ["It", "'s", " 12345", "  ", " ok", "!!", "\n", "\n", "É"],
    "smollm": ["It", "'s", " ", "1", "2", "3", "4", "5", "  ", " ok", "!!", "\n", "\n", "É"],
    "llama-bpe": ["It", "'s", " ", "123", "45", "  ", " ok", "!!\n\n", "É"],
    "qwen2": ["It", "'s", " ", "1", "2", "3", "4", "5", "  ", " ok", "!!\n\n", "É"],
    "tekken": ["It", "'s", " ", "1", "2", "3", "4", "5", "  ", " ok", "!!\n\n", "É"],
    "gpt-4o": ["It's", " ", "123", "45", "  ", " ok", "!!\n\n", "É"],
    "deepseek-v3": ["It", "'s", " ", "123", "45", "  ", " ok", "!!\n\n", "É"],
    "falcon": ["It", "'", "s", " ", "123", "45", "  ", " ok", "!!", "\n", "\n", "É"],
}


def cut_as(name: str, text: str) -> list[str]:
    from tokenizers import pre_tokenizers as library

    splits = pre_tokenizers.as_json(pre_tokenizers.find(name))["pretokenizers"][:-1]
    cut = library.Sequence(
        [library.Split(_regex(s["pattern"]["Regex"]), "isolated") for s in splits]
    )
    return [piece for piece, _ in cut.pre_tokenize_str(text)]


def _regex(pattern: str) -> Any:
    from tokenizers import Regex

    return Regex(pattern)


@pytest.mark.parametrize("name", sorted(CUT))
def test_names_of_pre_tokenizers_cut_as_they_should(name: str) -> None:
    assert cut_as(name, "It's 12345   ok!!\n\nÉ") == CUT[name]


@pytest.mark.parametrize("name", sorted(pre_tokenizers.PRE_TOKENIZERS))
def test_every_pre_tokenizer_keeps_the_text_whole(name: str) -> None:
    for text in samples.texts(60):
        assert "".join(cut_as(name, text)) == text


def test_unknown_ids_and_lone_surrogates() -> None:
    tokenizer = of_gguf(samples.byte_level_metadata())
    assert tokenizer.decode([-1, 10**12, tokenizer.size]) == ""
    with pytest.raises(ExecutionFault, match="no token"):
        tokenizer.token(tokenizer.size)
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a?b"
    assert tokenizer.find("<|im_end|>") == 2 and tokenizer.find("nope") is None


def test_the_library_is_imported_late() -> None:
    import subprocess

    code = (
        "import sys, hartonomous.hql.models.tokenizers, hartonomous.hql.models.chat;"
        "assert not {'tokenizers', 'jinja2', 'msgpack'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
