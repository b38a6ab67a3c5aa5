"""The vocabulary in a GGUF file's metadata, read with bounds: tokens, their kinds, named ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.tokenizers.base import model_input

#: kinds of tokens: llama_token_type
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

#: tokens, characters of them all, and merges; Gemma has 262,144 tokens
TOKENS_MAX: Final = 1 << 21
CHARACTERS_MAX: Final = 1 << 26
MERGES_MAX: Final = 1 << 22

T = TypeVar("T", str, bool, int)


@frozen
class Vocabulary:
    """`tokens[i]` is token i as the file writes it, `kinds[i]` its llama_token_type; `ids` the way
    back. Tokens without text, which some files pad with, have a name made up."""

    metadata: Mapping[str, Any]
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    ids: dict[str, int]

    def get(self, key: str, kind: type[T], default: T) -> T:
        """`tokenizer.ggml.KEY` of that type."""
        found = self.metadata.get(f"tokenizer.ggml.{key}", default)
        if type(found) is not kind:
            raise model_input(f"the file's tokenizer.ggml.{key} is no {kind.__name__}")
        return found

    def list(self, key: str, kind: type | tuple[type, ...], count_max: int) -> list[Any]:
        """`tokenizer.ggml.KEY`, a list of that type, [] if there is none."""
        found = self.metadata.get(f"tokenizer.ggml.{key}", [])
        if isinstance(found, list) and len(found) > count_max:
            raise model_input(f"the file's tokenizer.ggml.{key} has {len(found):,} items")
        if not isinstance(found, list) or not all(isinstance(item, kind) for item in found):
            raise model_input(f"the file's tokenizer.ggml.{key} is no list of what it should hold")
        return found

    def id(self, role: str, default: int | None = None) -> int | None:
        """The token in a role (bos, eos, unknown …), None if it has none."""
        found = self.metadata.get(f"tokenizer.ggml.{role}_token_id", default)
        if found is None:
            return None
        if type(found) is not int or not 0 <= found < len(self.tokens):
            raise model_input(
                f"the file's {role} token is {found!r:.40}, of {len(self.tokens):,} tokens"
            )
        return found


def read(metadata: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary. ExecutionFault MODEL_INPUT if it contradicts itself."""
    empty = Vocabulary(metadata, (), (), {})
    tokens = empty.list("tokens", str, TOKENS_MAX)
    kinds = empty.list("token_type", int, TOKENS_MAX) or [NORMAL] * len(tokens)
    if not tokens:
        raise model_input("the file has no vocabulary")
    if len(kinds) != len(tokens):
        raise model_input(f"the file has {len(tokens):,} tokens and kinds of {len(kinds):,}")
    if sum(map(len, tokens)) > CHARACTERS_MAX:
        raise model_input("the file's vocabulary is too long")
    written = tuple(token or f"[EMPTY_{i}]" for i, token in enumerate(tokens))
    ids = {token: i for i, token in enumerate(written)}
    if len(ids) != len(written):
        twice = next(token for i, token in enumerate(written) if ids[token] != i)
        raise model_input(f"the file's vocabulary has the token {twice!r:.60} twice")
    try:
        "".join(written).encode()
    except UnicodeEncodeError as error:
        raise model_input("the file's vocabulary has tokens that are no UTF-8") from error
    return Vocabulary(metadata, written, tuple(kinds), ids)


def added_tokens(vocabulary: Vocabulary, user_defined: bool = True) -> list[dict[str, Any]]:
    """The `added_tokens` of a tokenizer.json: what is found in a text before it is cut. Control
    and unknown tokens are special: they are no part of a decoded text."""
    kinds = {UNKNOWN: True, CONTROL: True} | ({USER_DEFINED: False} if user_defined else {})
    return [
        added_token(i, vocabulary.tokens[i], kinds[kind])
        for i, kind in enumerate(vocabulary.kinds)
        if kind in kinds
    ]


def added_token(i: int, content: str, special: bool, normalized: bool = False) -> dict[str, Any]:
    """One of them."""
    return {
        "id": i,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": normalized,
        "special": special,
    }


def template(
    tokens: tuple[str, ...], prefix: tuple[int, ...], suffix: tuple[int, ...]
) -> dict[str, Any] | None:
    """The `post_processor` that adds ids before and after a text."""
    if not prefix and not suffix:
        return None

    def items(ids: tuple[int, ...], side: int) -> list[dict[str, Any]]:
        return [{"SpecialToken": {"id": tokens[i], "type_id": side}} for i in ids]

    def text(name: str, side: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": side}}

    first = [*items(prefix, 0), text("A", 0), *items(suffix, 0)]
    second = [text("B", 1), *items(suffix, 1)]
    named = {tokens[i]: {"id": tokens[i], "ids": [i], "tokens": [tokens[i]]} for i in prefix}
    named |= {tokens[i]: {"id": tokens[i], "ids": [i], "tokens": [tokens[i]]} for i in suffix}
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": [*first, *second],
        "special_tokens": named,
    }
