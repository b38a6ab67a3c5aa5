"""WordPiece of GGUF files (`tokenizer.ggml.model` = bert).

Files write the beginning of a word with a mark before it and what continues one without, where
BERT's vocabulary has "##" before what continues; here it is turned back. Whether text is lowered is
not in older files: it is, unless some token has an upper-case letter.
"""

from __future__ import annotations

from typing import Any, Final

from hartonomous.hql.models.tokenizers.base import model_input
from hartonomous.hql.models.tokenizers.sentencepiece import MARK
from hartonomous.hql.models.tokenizers.vocabulary import NORMAL, Vocabulary, added_tokens

CONTINUING: Final = "##"


def role(vocabulary: Vocabulary, name: str, token: str) -> int:
    """The token in a role, else the one of that text. ExecutionFault MODEL_INPUT if neither is."""
    found = vocabulary.id(name)
    if found is None:
        found = vocabulary.ids.get(token)
    if found is None:
        raise model_input(f"the file's vocabulary has no token {token}")
    return found


def definition(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer.json of it. ExecutionFault MODEL_INPUT."""
    unknown = role(vocabulary, "unknown", "[UNK]")
    ids: dict[str, int] = {}
    for i, (token, kind) in enumerate(zip(vocabulary.tokens, vocabulary.kinds, strict=True)):
        written = _word(token) if kind == NORMAL else token
        if ids.setdefault(written, i) != i:
            raise model_input(f"the file's vocabulary has the token {written!r:.60} twice")
    has_upper = any(
        token.startswith(MARK) and token != token.lower()
        for token, kind in zip(vocabulary.tokens, vocabulary.kinds, strict=True)
        if kind == NORMAL
    )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(vocabulary),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": vocabulary.get("normalizer.lowercase", bool, not has_upper),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": CONTINUING, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": next(token for token, i in ids.items() if i == unknown),
            "continuing_subword_prefix": CONTINUING,
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


def _word(token: str) -> str:
    if token.startswith(MARK):
        return token[len(MARK) :]
    if token.startswith("[") and token.endswith("]"):  # files leave [unused1] and its kin alone
        return token
    return CONTINUING + token
