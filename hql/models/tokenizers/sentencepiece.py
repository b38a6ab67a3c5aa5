"""SentencePiece's BPE of GGUF files (`tokenizer.ggml.model` = llama): scores in place of merges.

The pair whose union has the best score is joined first. The same as merges, in the order in which
the tokenizer.json of Llama lists them: every way of cutting a token into two tokens, by score, then
by the ids of the token and its halves. What no token covers becomes byte tokens, where the file has
them.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hartonomous.hql.models.tokenizers.base import model_input
from hartonomous.hql.models.tokenizers.vocabulary import (
    NORMAL,
    TOKENS_MAX,
    USER_DEFINED,
    Vocabulary,
    added_token,
    added_tokens,
)

#: what stands for a space
MARK: Final = "▁"
#: bound of the sum of squared lengths of tokens, which is what finding their halves costs
HALVES_MAX: Final = 1 << 28


def definition(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer.json of it. ExecutionFault MODEL_INPUT."""
    is_prefixed = vocabulary.get("add_space_prefix", bool, True)
    scores = vocabulary.list("scores", (float, int), TOKENS_MAX)
    if len(scores) != len(vocabulary.tokens) or not all(map(math.isfinite, scores)):
        raise model_input("the file's vocabulary has no score for each token")
    unknown = vocabulary.id("unknown", 0)
    assert unknown is not None
    # a file writes the tokens of users with spaces; merges are made of what the normaliser leaves
    ids = {
        _marked(token) if kind == USER_DEFINED else token: i
        for i, (token, kind) in enumerate(zip(vocabulary.tokens, vocabulary.kinds, strict=True))
    }
    if len(ids) != len(vocabulary.tokens):
        raise model_input("the file's vocabulary has a token both with spaces and with their marks")
    users = [i for i, kind in enumerate(vocabulary.kinds) if kind == USER_DEFINED]
    added = added_tokens(vocabulary, user_defined=False)
    for i in users:
        token = vocabulary.tokens[i]
        if _marked(token) == token:
            added.append(added_token(i, token, special=False))
        elif not is_prefixed:  # found once the spaces are marked; a prefix would be added to it
            added.append(added_token(i, _marked(token), special=False, normalized=True))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: int(token["id"])),
        "normalizer": _normalizer(is_prefixed),
        "pre_tokenizer": None,
        "decoder": _decoder(is_prefixed),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": vocabulary.tokens[unknown],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": all(f"<0x{b:02X}>" in vocabulary.ids for b in range(256)),
            "ignore_merges": False,
            "vocab": ids,
            "merges": merges(ids, scores, vocabulary.kinds),
        },
    }


def _marked(token: str) -> str:
    return token.replace(" ", MARK)


def merges(
    ids: dict[str, int], scores: list[float], kinds: tuple[int, ...]
) -> list[tuple[str, str]]:
    """All pairs of tokens whose union is a token, the first to be joined first."""
    if sum(len(token) ** 2 for token in ids) > HALVES_MAX:
        raise model_input("the file's vocabulary has tokens too long to be found in halves")
    joined = {
        token: i for token, i in ids.items() if kinds[i] == NORMAL or kinds[i] == USER_DEFINED
    }
    found: list[tuple[float, int, int, int, str, str]] = []
    for token, i in joined.items():
        for cut in range(1, len(token)):
            left = joined.get(token[:cut])
            if left is None:
                continue
            right = joined.get(token[cut:])
            if right is not None:
                found.append((-scores[i], i, left, right, token[:cut], token[cut:]))
    found.sort()
    return [(entry[-2], entry[-1]) for entry in found]


def _normalizer(is_prefixed: bool) -> dict[str, Any]:
    marked = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    if not is_prefixed:
        return marked
    return {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": MARK}, marked]}


def _decoder(is_prefixed: bool) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": MARK}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if is_prefixed:
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {"type": "Sequence", "decoders": steps}
