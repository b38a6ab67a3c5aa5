"""Long texts that a client sends again and again are prepared: from the second time on a number
goes over the wire in their place. (The server keeps what it made of any text, so that is all that
preparing saves.)"""

from __future__ import annotations

from collections import OrderedDict

from hartonomous.server.wire import Frame, pack

#: characters of the shortest text that is worth it
CHARACTERS_MIN = 256
#: texts that are prepared at once, and those that came once and are remembered
TEXTS_MAX = 128


class Texts:
    """The texts of one connection. `prepared_max`: what the server allows."""

    def __init__(self, prepared_max: int) -> None:
        self._texts_max = min(TEXTS_MAX, prepared_max)
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._once: OrderedDict[str, None] = OrderedDict()
        self._last = 0

    def frame_of(self, text: str) -> tuple[bytes, Frame]:
        """What is sent ahead, in the same message, and the frame that has the text run."""
        if len(text) < CHARACTERS_MIN or not self._texts_max:
            return b"", {"type": "query", "text": text}
        ahead, number = b"", self._numbers.get(text)
        if number is not None:
            self._numbers.move_to_end(text)
        elif text in self._once:
            del self._once[text]
            number, ahead = self._prepare(text)
        else:
            self._once[text] = None
            if len(self._once) > TEXTS_MAX:
                self._once.popitem(last=False)
            return b"", {"type": "query", "text": text}
        return ahead, {"type": "execute", "statement": number}

    def _prepare(self, text: str) -> tuple[int, bytes]:
        ahead = b""
        if len(self._numbers) >= self._texts_max:
            _, oldest = self._numbers.popitem(last=False)
            ahead = pack({"type": "forget", "statement": oldest})
        self._last += 1
        self._numbers[text] = self._last
        return self._last, ahead + pack({"type": "prepare", "statement": self._last, "text": text})
