"""What code is about, as words: what its vector is made of.

Names, comments and texts say what code means to people; how often it says so, its marks and its
language's own words say little. So each word counts once: `class JSONDecodeError(ValueError):` is
"json decode error value". Any language whose names are joined_words or camelCase will do.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

#: words: HTTPServer is http server, utf8 is utf
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
#: words of the language, and names that every method has
PLAIN: Final = frozenset(
    {
        "a", "and", "as", "assert", "async", "await", "break", "case", "class", "cls", "continue",
        "def", "del", "elif", "else", "except", "false", "finally", "for", "from", "global", "if",
        "import", "in", "is", "lambda", "match", "none", "nonlocal", "not", "or", "pass", "raise",
        "return", "self", "true", "try", "while", "with", "yield",
    }
)  # fmt: skip


def words_of(code: str) -> str:
    """The words, each once, in the order in which they first stand, in lower case."""
    words = dict.fromkeys(word.lower() for word in WORD.findall(code))
    return " ".join(w for w in words if w not in PLAIN)


def words_of_all(codes: pa.Array) -> pa.Array:
    """The words of each text, none of them NULL."""
    return pa.array([words_of(code) for code in codes.to_pylist()], pa.string())
