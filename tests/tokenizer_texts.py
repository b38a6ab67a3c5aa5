"""Tokenizers for tests: vocabularies as GGUF files write them, made from tokenizer.json files."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from tokenizer_samples import reference_bpe as reference_bpe
from tokenizer_samples import texts as texts

from hartonomous.hql.models import tokenizers
from hartonomous.hql.models.tokenizers import pack
from hartonomous.hql.models.tokenizers.base import Tokenizer


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
