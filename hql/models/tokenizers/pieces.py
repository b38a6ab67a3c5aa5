"""What a token adds to a text, by the decoder of a Hugging Face tokenizer.

The decoders of `tokenizers` are chains over all tokens of a text; those in use are the same as one
function of a token and of whether it comes first, which is what streaming needs. Only bytes that
are no UTF-8 may differ: the library writes one U+FFFD for every byte of such a run, we read the
whole text as UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hartonomous.hql.errors import NotSupported

#: (token, is it the first of its text) -> its bytes
Rule = Callable[[str, bool], bytes]

_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
#: what the WordPiece decoder does to every word, in this order
_CLEANUP: Final = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


@cache
def byte_alphabet() -> dict[int, str]:
    """Byte -> the printable character that stands for it in byte-level vocabularies, as in GPT-2:
    printable Latin-1 is itself, the others are U+0100 and following."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in set(printable)]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


@cache
def _byte_of() -> dict[str, int]:
    return {character: byte for byte, character in byte_alphabet().items()}


def rule_of(decoder: Mapping[str, Any] | None) -> Rule:
    """The rule of a tokenizer.json's `decoder`. NotSupported for a decoder that is none."""
    if decoder is None:
        return lambda token, is_first: (token if is_first else " " + token).encode()
    kind = decoder.get("type")
    if kind == "ByteLevel":
        return _byte_level
    if kind == "WordPiece":
        return _word_piece(decoder)
    if kind == "Metaspace":
        return _metaspace(decoder)
    if kind == "Sequence":
        return _sequence(decoder.get("decoders") or [])
    raise NotSupported(f"not supported yet: tokenizers with the decoder {kind}")


def _byte_level(token: str, is_first: bool) -> bytes:
    byte_of = _byte_of()
    try:
        return bytes([byte_of[character] for character in token])
    except KeyError:  # an added token, which is its own text
        return token.encode()


def _word_piece(decoder: Mapping[str, Any]) -> Rule:
    prefix, is_cleaned = decoder.get("prefix", "##"), decoder.get("cleanup", True)

    def piece(token: str, is_first: bool) -> bytes:
        if not is_first:
            token = token.removeprefix(prefix) if token.startswith(prefix) else " " + token
        if is_cleaned:
            for old, new in _CLEANUP:
                token = token.replace(old, new)
        return token.encode()

    return piece


def _metaspace(decoder: Mapping[str, Any]) -> Rule:
    mark = decoder.get("replacement", "▁")
    is_prefixed = decoder.get("prepend_scheme", "always") != "never"
    if decoder.get("add_prefix_space") is False:
        is_prefixed = False

    def piece(token: str, is_first: bool) -> bytes:
        return token.replace(mark, "" if is_first and is_prefixed else " ").encode()

    return piece


def _sequence(steps: list[Mapping[str, Any]]) -> Rule:
    """The chain of SentencePiece's descendants: replace the mark of a space, read byte tokens,
    join, drop the leading space."""
    if len(steps) == 1:
        return rule_of(steps[0])
    replaced: list[tuple[str, str]] = []
    has_bytes = is_fused = False
    stripped = ""
    for step in steps:
        kind = step.get("type")
        if kind == "Replace" and "String" in step.get("pattern", {}) and not is_fused:
            replaced.append((step["pattern"]["String"], step.get("content", "")))
        elif kind == "ByteFallback" and not is_fused:
            has_bytes = True
        elif kind == "Fuse":
            is_fused = True
        elif kind == "Strip" and is_fused and (step.get("start"), step.get("stop")) == (1, 0):
            stripped = step["content"]
        else:
            raise NotSupported(f"not supported yet: tokenizers with the decoder {kind} in a chain")

    def piece(token: str, is_first: bool) -> bytes:
        for old, new in replaced:
            token = token.replace(old, new)
        if has_bytes and (found := _BYTE.fullmatch(token)):
            data = bytes.fromhex(found[1])
        else:
            data = token.encode()
        return data.removeprefix(stripped.encode()) if is_first and stripped else data

    return piece
