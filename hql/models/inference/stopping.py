"""The text that generated tokens make, released as soon as no stop string can begin in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Detokeniser(Protocol):
    """Tokens in, text out as soon as it is certain (a tokenizer's stream)."""

    def push(self, token: int, /) -> str: ...

    def finish(self) -> str: ...


class NoText:
    """For callers that want tokens only."""

    def push(self, token: int, /) -> str:
        return ""

    def finish(self) -> str:
        return ""


class StoppableText:
    """Text that ends before the first stop string in it; empty stop strings stop nothing."""

    def __init__(self, detokeniser: Detokeniser, stop: Sequence[str]) -> None:
        self._detokeniser = detokeniser
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        self.is_stopped = False

    def push(self, token: int) -> str:
        """What is certain to belong to the text now, and was not before."""
        return self._release(self._detokeniser.push(token), is_last=False)

    def finish(self) -> str:
        """The rest; it may still hold a stop string."""
        return self._release(self._detokeniser.finish(), is_last=True)

    def _release(self, more: str, is_last: bool) -> str:
        if self.is_stopped:
            return ""
        held = self._held + more
        places = [place for text in self._stop if (place := held.find(text)) >= 0]
        if places:
            self.is_stopped, self._held = True, ""
            return held[: min(places)]
        kept = 0 if is_last else self._beginning(held)
        self._held = held[len(held) - kept :]
        return held[: len(held) - kept]

    def _beginning(self, held: str) -> int:
        """Characters at the end of `held` that may begin a stop string."""
        longest = 0
        for text in self._stop:
            for size in range(min(len(text) - 1, len(held)), longest, -1):
                if held.endswith(text[:size]):
                    longest = size
                    break
        return longest
