"""The byte tokenizer: a text is its UTF-8 bytes, token i is byte i; for models made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hartonomous.hql.models.tokenizers.base import SpecialTokens, Tokenizer, model_input


class ByteTokenizer(Tokenizer):
    """256 tokens and nothing special."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest, 256, SpecialTokens())

    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode("utf-8", "replace")) for text in texts]

    def piece(self, token: int, is_first: bool = False) -> bytes | None:
        return bytes((token,)) if 0 <= token < 256 else None

    def token(self, token: int) -> str:
        if not 0 <= token < 256:
            raise model_input(f"there is no token {token} among 256 bytes")
        return f"<0x{token:02X}>"

    def find(self, token: str) -> int | None:
        for i in range(256):
            if self.token(i) == token:
                return i
        return None


def load(packed: Mapping[str, Any], digest: str) -> Tokenizer:
    """The registry's door."""
    return ByteTokenizer(digest)
