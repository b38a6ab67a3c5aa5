"""The terminal that results go to: its size, whether it has colours and Unicode."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO

from hartonomous.hql.shell.paint import has_colours, paint

#: what a terminal that does not say its size is taken for
SIZE_DEFAULT = (80, 24)


@dataclass
class Terminal:
    """`columns` and `lines` are asked for each time: windows change."""

    descriptor: int | None = None
    has_colours: bool = False
    has_unicode: bool = True
    size: tuple[int, int] | None = None  # (columns, lines) if they do not change

    @property
    def columns(self) -> int:
        return self._size()[0]

    @property
    def lines(self) -> int:
        return self._size()[1]

    def _size(self) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        try:
            columns, lines = os.get_terminal_size(self.descriptor or 0)
        except OSError:  # it went away
            return SIZE_DEFAULT
        return columns or SIZE_DEFAULT[0], lines or SIZE_DEFAULT[1]

    def paint(self, text: str, look: str) -> str:
        """`text` in a colour or weight, if there are any."""
        return paint(text, look, self.has_colours and bool(text))


def find_terminal(stream: TextIO, *, colours: bool = True) -> Terminal | None:
    """The terminal behind a stream, or None if a file or pipe is. `colours`: if it has them."""
    if not stream.isatty():
        return None
    encoding = (stream.encoding or "").lower()
    return Terminal(
        stream.fileno(),
        has_colours=colours and has_colours(stream),
        has_unicode=encoding.startswith("utf"),
    )
