"""Byte-level BPE of GGUF files (`tokenizer.ggml.model` = gpt2): merges over bytes written as
characters, after the text is cut into words by a named pattern.

A byte without a token is dropped, as by llama.cpp and transformers: SmolLM2 has none for some
control characters.
"""

from __future__ import annotations

from typing import Any

from hartonomous.hql.models.tokenizers import pre_tokenizers
from hartonomous.hql.models.tokenizers.base import model_input
from hartonomous.hql.models.tokenizers.pieces import byte_alphabet
from hartonomous.hql.models.tokenizers.vocabulary import MERGES_MAX, Vocabulary, added_tokens


def definition(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer.json of a byte-level BPE. ExecutionFault MODEL_INPUT."""
    pre = pre_tokenizers.find(vocabulary.get("pre", str, "default"))
    if vocabulary.ids.keys().isdisjoint(byte_alphabet().values()):
        raise model_input("the file's vocabulary has no token for any byte")
    merges = []
    for merge in vocabulary.list("merges", str, MERGES_MAX):
        left, _, right = merge.partition(" ")
        if not left or not right or left + right not in vocabulary.ids:
            raise model_input(f"the file's merge {merge!r:.60} makes no token")
        merges.append((left, right))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(vocabulary),
        "normalizer": {"type": pre.normalizer} if pre.normalizer else None,
        "pre_tokenizer": pre_tokenizers.as_json(pre),
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": pre.ignore_merges,
            "vocab": vocabulary.ids,
            "merges": merges,
        },
    }
