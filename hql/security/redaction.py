"""Secrets out of texts: strings that stand after PASSWORD = are `***` wherever a text is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hartonomous.grammar.lexer import END, QUOTED, WORD, LexicalFault, Token, tokenize

#: the settings whose values are secret
_NAMES: Final = frozenset({"PASSWORD", "PASSWORD_HASH", "SECRET", "TOKEN"})
_WORDS: Final = re.compile("|".join(sorted(_NAMES)), re.IGNORECASE)
#: a text in a text, of EXEC
_INNER: Final = re.compile(rf"\b(?:{'|'.join(sorted(_NAMES))})\b[^=',;]*(?:=|')", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with `***` in place of secrets; the same object if it has none. Of one that cannot
    be read on, which may speak of secrets there, the rest is left out."""
    if _WORDS.search(text) is None:
        return text
    tokens: list[Token] = []
    end = len(text)
    try:
        tokenize(text, tokens)
    except LexicalFault as fault:
        end = fault.start
    pieces, place = [], 0
    for token in _secrets(tokens):
        pieces += [text[place : token.start], "'***'"]
        place = token.end
    if not pieces and end == len(text):
        return text
    rest = "" if end == len(text) else "'***'" if text[end : end + 1] in "'N" else "…"
    return "".join([*pieces, text[place:end], rest])


def _secrets(tokens: list[Token]) -> Iterator[Token]:
    """The strings after a secret's name and `=`, up to the comma or the end of the statement, and
    those that hold such a text."""
    is_named = is_value = False
    depth = 0
    for token in tokens:
        if token.kind == "STRING":
            if is_named or is_value or _INNER.search(token.value) is not None:
                yield token
            is_value, is_named = is_value or is_named, False
        elif token.kind in (WORD, QUOTED):
            is_named = (token.upper or str(token.value).upper()) in _NAMES
        elif is_named and str(token.value) == "=":
            is_named, is_value, depth = False, True, 0
        elif is_value:
            depth += {"(": 1, ")": -1}.get(str(token.value), 0)
            if depth < 0 or (str(token.value) in (",", ";") and depth <= 0) or token.kind == END:
                is_value = False
        else:
            is_named = False
