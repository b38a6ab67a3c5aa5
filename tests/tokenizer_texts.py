"""Texts for tokenizers: all planes of Unicode, code, spaces; and vocabularies as GGUF files write
them, made from tokenizer.json files."""

from __future__ import annotations

import functools
import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

from hartonomous.hql.models import tokenizers
from hartonomous.hql.models.tokenizers import pack
from hartonomous.hql.models.tokenizers.base import Tokenizer

ROOT = Path(__file__).parents[1]
WORDS = ["the", "a", "Token", "izer", "naïve", "café", "don't", "I'LL", "we've", "123", "3.14"]
WORDS += ["東京", "привет", "мир", "γειά", "x_y", "foo()", "🐈", "👩\u200d👩\u200d👧"]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "\r\n", "\u00a0", "\u3000", "\u200b"]


@functools.cache
def texts(count: int = 1000, seed: int = 7) -> list[str]:
    """The same texts each time; characters that Python's Unicode has not assigned are left out, as
    tables of other ages class them differently."""
    rng = random.Random(seed)
    lines = [
        line
        for path in sorted((ROOT / "hql").glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
    ]
    found = ["", " ", "a", "\n", "'s 'S 'LL 'ſ", " 's", "a  b", "  a", "a ", "0" * 50, "\x00\x7f"]
    while len(found) < count:
        kind = rng.randrange(5)
        if kind == 0:
            text = "".join(assigned(rng, rng.randrange(17)) for _ in range(rng.randrange(1, 20)))
        elif kind == 1:
            start = rng.randrange(len(lines))
            text = "".join(lines[start : start + rng.randrange(1, 6)])
        elif kind == 2:
            text = "".join(rng.choice(WORDS) + rng.choice(SPACES) for _ in range(rng.randrange(12)))
        elif kind == 3:
            text = "".join(assigned(rng, 0) for _ in range(rng.randrange(1, 30)))
        else:
            text = "".join(chr(rng.randrange(128)) for _ in range(rng.randrange(40)))
        found.append(text)
    return found


def assigned(rng: random.Random, plane: int) -> str:
    """A character of a plane, or of the first where the plane has none to give."""
    for _ in range(40):
        character = chr(plane << 16 | rng.randrange(1 << 16))
        if unicodedata.category(character) not in ("Cn", "Cs"):
            return character
    return chr(rng.randrange(0x20, 0x7F))


@functools.cache
def category(letter: str) -> str:
    r"""The inside of a character class of Python's `re` that is \p{letter}."""
    ranges: list[list[int]] = []
    for code in range(0x110000):
        if unicodedata.category(chr(code))[0] == letter:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges)


def reference_bpe(
    text: str, tokens: dict[str, int], merges: list[str], single_digits: bool
) -> list[int]:
    """Byte-level BPE as its paper has it: cut into words, join the pair of the lowest rank until
    no pair has one. Plain Python, its own bytes and patterns."""
    letters, numbers = category("L"), category("N")
    white = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    word = re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+|"
        f" ?[^{white}{letters}{numbers}]+|[{white}]+(?![^{white}])|[{white}]+"
    )
    pieces = re.split(f"([{numbers}])", text) if single_digits else [text]
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    others = [b for b in range(256) if b not in printable]
    alphabet = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    found = []
    for piece in pieces:
        for match in word.finditer(piece):
            symbols = [alphabet[b] for b in match[0].encode()]
            while len(symbols) > 1:
                neighbours = zip(symbols, symbols[1:], strict=False)
                pairs = [(ranks.get(p, len(ranks)), i) for i, p in enumerate(neighbours)]
                rank, i = min(pairs)
                if rank == len(ranks):
                    break
                symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
            found += [tokens[symbol] for symbol in symbols]
    return found


def word_piece_metadata(definition: dict[str, Any]) -> dict[str, Any]:
    """What a GGUF file would have of a WordPiece tokenizer.json."""
    vocabulary = definition["model"]["vocab"]
    special = {token["content"] for token in definition["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.get)
    return {
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": [
            t if t in special else t[2:] if t.startswith("##") else "▁" + t for t in tokens
        ],
        "tokenizer.ggml.token_type": [3 if t in special else 1 for t in tokens],
    }


def sentencepiece_metadata(definition: dict[str, Any]) -> dict[str, Any]:
    """What a GGUF file would have of a Llama-like tokenizer.json: scores by the first merge."""
    vocabulary, merges = definition["model"]["vocab"], definition["model"]["merges"]
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault(left + right, rank)
    special = {token["content"] for token in definition["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.get)
    kinds = []
    for token in tokens:
        is_byte = re.fullmatch("<0x[0-9A-F]{2}>", token)
        kinds.append(2 if token == "<unk>" else 3 if token in special else 6 if is_byte else 1)
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.scores": [-float(ranks.get(token, len(merges))) for token in tokens],
    }


@functools.cache
def trained(single_digits: bool = False) -> Any:
    """A byte-level BPE of 700 tokens, trained here by the library, as the library has it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    library = Tokenizer(models.BPE())
    cut: Any = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if single_digits:
        cut = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), cut])
    library.pre_tokenizer, library.decoder = cut, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(texts(400), trainer)
    return library


def byte_level_metadata(single_digits: bool = False) -> dict[str, Any]:
    """What a GGUF file would have of `trained()`."""
    definition = json.loads(trained(single_digits).to_str())
    vocabulary = definition["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    merges = definition["model"]["merges"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm" if single_digits else "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * 3 + [1] * (len(tokens) - 3),
        "tokenizer.ggml.merges": [m if isinstance(m, str) else " ".join(m) for m in merges],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def of_gguf(metadata: dict[str, Any]) -> Tokenizer:
    return tokenizers.load_tokenizer(pack({"kind": "gguf", "metadata": metadata}))


def of_json(definition: dict[str, Any], **others: Any) -> Tokenizer:
    files = {"tokenizer.json": json.dumps(definition).encode()}
    files |= {
        name.replace("__", "."): json.dumps(content).encode() for name, content in others.items()
    }
    return tokenizers.load_tokenizer(pack({"kind": "json", "files": files}))


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "the", "cat", "##s", "sat"]
WORDS += [".", ",", "é", "東", "##京", "n", "'", "t", "un", "##known"]


def word_piece(words: list[str], lowercase: bool = True) -> dict[str, Any]:
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, normalizers, processors
    from tokenizers import pre_tokenizers as cutting

    ids = {word: i for i, word in enumerate(words)}
    library = Library(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    library.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    library.pre_tokenizer = cutting.BertPreTokenizer()
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    library.decoder = decoders.WordPiece()
    library.add_special_tokens(words[:5])
    found: dict[str, Any] = json.loads(library.to_str())
    return found
