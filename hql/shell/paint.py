"""Colours of what the shell writes: whether a stream has them, and how to use them."""

from __future__ import annotations

import os
from typing import IO

_CODES = {"red": "1;31", "cyan": "36", "yellow": "33", "dim": "2", "bold": "1"}


def has_colours(stream: IO[str] | None) -> bool:
    """Whether people see colours there: a terminal that is not dumb, and NO_COLOR is not set
    (https://no-color.org)."""
    is_terminal = stream is not None and stream.isatty()
    return is_terminal and not os.environ.get("NO_COLOR") and not is_dumb()


def is_dumb() -> bool:
    """Whether the terminal says that it cannot move its cursor."""
    return os.environ.get("TERM", "dumb") in ("", "dumb", "unknown", "emacs")


def paint(text: str, look: str, is_on: bool = True) -> str:
    """`text` in a colour or weight; as it is if there are no colours."""
    return f"\x1b[{_CODES[look]}m{text}\x1b[0m" if is_on else text
