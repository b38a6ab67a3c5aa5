"""A statement's text without what differs from run to run: `SELECT a FROM t WHERE b = ?`.

Constants become `?`, lists of them `? , …`, and so do rows of VALUES; words are in capitals, and
space and comments go. So texts that do the same have one form, by which QueryLog and logs group
them, and a form holds no value of anybody's. `hash_of` is its XXH3, 64 bits, in hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hartonomous.grammar.lexer import END, QUOTED, WORD, LexicalFault, Token, tokenize

#: of a longer text only the beginning is read
CHARACTERS_MAX: Final = 4_000

#: tokens that stand for a value
_VALUES: Final = frozenset(
    ["BINARY", "DECIMAL", "FLOAT", "INTEGER", "QUESTION", "STRING", "VECTOR"]
)
#: rows that are alike, one after the other
_ROWS: Final = re.compile(r"(\( [^()]* \))(?: , \1)+")
#: what a text that may hold a secret speaks of
_SECRETS: Final = re.compile(r"password|token|secret|hashed", re.IGNORECASE)


def normal_text(text: str) -> str:
    """The form of a text; of one that cannot be read as far as it can, with `…` for the rest."""
    tokens: list[Token] = []
    is_whole = len(text) <= CHARACTERS_MAX
    try:
        tokenize(text[:CHARACTERS_MAX], tokens)
    except LexicalFault:
        is_whole = False
    written = _ROWS.sub(r"\1 , …", " ".join(_words(tokens)))
    return written if is_whole else f"{written} …".lstrip()


def hash_of(text: str) -> str:
    """16 hexadecimal digits that texts of one form share."""
    import xxhash

    return xxhash.xxh3_64_hexdigest(normal_text(text).encode())


def without_secrets(text: str) -> str:
    """The text, or its form if it speaks of passwords, tokens or other secrets."""
    return normal_text(text) if _SECRETS.search(text) is not None else text


def _words(tokens: list[Token]) -> Iterator[str]:
    last = before = ""  # the words already given
    for token in tokens:
        if token.kind == END:
            return
        word = _word(token)
        if word == "?" and last == "," and before in ("?", "…"):
            word = "…"
            if before == "…":  # one is enough for any number
                before, last = last, word
                continue
        if word == "," and last == "…":
            before, last = last, word
            continue
        if last == "," and before == "…":
            yield ","  # the list went on with something else
        yield word
        before, last = last, word


def _word(token: Token) -> str:
    if token.kind in _VALUES:
        return "?"
    if token.kind == "VARIABLE":
        return f"@{token.value.upper()}"
    if token.kind == "PARAMETER":
        return f":{token.value.upper()}"
    if token.kind == WORD:
        return token.upper
    if token.kind == QUOTED:
        return '"' + str(token.value).replace('"', '""') + '"'
    return str(token.value)
