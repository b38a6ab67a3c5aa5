"""Secrets out of texts: what stands after PASSWORD = is `***` wherever a text is kept."""

from __future__ import annotations

import re
from typing import Final

#: the settings whose values are secret, before a string (quotes in it are doubled)
_SECRET: Final = re.compile(
    r"(\b(?:PASSWORD|PASSWORD_HASH|SECRET|TOKEN)\s*(?:=\s*)?)N?'(?:[^']|'')*(?:'|$)", re.IGNORECASE
)
_WORDS: Final = re.compile(r"PASSWORD|SECRET|TOKEN", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with `***` in place of secrets; the same object if it has none."""
    if _WORDS.search(text) is None:
        return text
    return _SECRET.sub(r"\1'***'", text)
