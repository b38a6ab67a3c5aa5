"""Byte-level BPE of GGUF files (`tokenizer.ggml.model` = gpt2): merges over bytes written as
characters, after the text is cut into words by a named pattern."""

from __future__ import annotations

from typing import Any

from hartonomous.hql.models.tokenizers import pre_tokenizers
from hartonomous.hql.models.tokenizers.base import model_input
from hartonomous.hql.models.tokenizers.pieces import byte_alphabet
from hartonomous.hql.models.tokenizers.vocabulary import MERGES_MAX, Vocabulary, added_tokens

#: bytes that occur in no UTF-8 text, and so need no token
_NEVER = {0xC0, 0xC1, *range(0xF5, 0x100)}


def definition(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer.json of a byte-level BPE. ExecutionFault MODEL_INPUT."""
    pre = pre_tokenizers.find(vocabulary.get("pre", str, "default"))
    unknown = vocabulary.id("unknown")
    missing = [b for b, c in byte_alphabet().items() if c not in vocabulary.ids and b not in _NEVER]
    if missing and unknown is None:
        raise model_input(f"the file's vocabulary has no token for the byte 0x{missing[0]:02X}")
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
            "unk_token": vocabulary.tokens[unknown] if missing and unknown is not None else None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": pre.ignore_merges,
            "vocab": vocabulary.ids,
            "merges": merges,
        },
    }
