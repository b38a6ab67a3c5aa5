"""The keyboard between two prompts: what is typed while a statement runs is kept for the next
prompt as it was typed, and not shown before. Ctrl-C stays a signal.

The editor has the terminal in raw mode while it reads and gives it back as it was. As it usually
is, the system would show early keys in the middle of results, and take some (Ctrl-R, Ctrl-U,
Backspace) for itself. Programs that commands start (`\\!`, $EDITOR) get it as it was.
"""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: the place of the local modes in what tcgetattr gives
_LOCAL = 3


class Keyboard:
    """The terminal behind stdin, quiet from `hush` to `restore`; if there is none, both do
    nothing."""

    def __init__(self) -> None:
        self._usual: list[Any] | None = None
        if sys.stdin is not None and sys.stdin.isatty():
            self._usual = termios.tcgetattr(sys.stdin.fileno())

    def hush(self) -> None:
        if self._usual is not None:
            quiet = list(self._usual)
            quiet[_LOCAL] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, quiet)

    def restore(self) -> None:
        if self._usual is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._usual)

    @contextmanager
    def hushed(self) -> Iterator[None]:
        """Quiet for the block."""
        self.hush()
        try:
            yield
        finally:
            self.restore()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """As it was for the block, for programs that read it."""
        self.restore()
        try:
            yield
        finally:
            self.hush()
