"""An error as people read it: code, message, place and what called it, the line of the text with a
caret, a hint."""

from __future__ import annotations

import os
import sys

from hartonomous.hql.shell.cells import cut, visible, visible_lines, width
from hartonomous.hql.shell.paint import paint
from hartonomous.storage.errors import Error

#: a longer line is shown around the caret only, as one is that is wider than the terminal
LINE_CHARACTERS_MAX = 100
LINE_CHARACTERS_MIN = 20


def report(error: Error, text: str | None = None, *, colours: bool = False) -> None:
    """Writes `error` to stderr; `text` is what its place refers to."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or None
    except (OSError, ValueError):  # no terminal
        columns = None
    sys.stderr.write(describe(error, text, colours=colours, columns=columns))
    sys.stderr.flush()


def describe(
    error: Error, text: str | None = None, *, colours: bool = False, columns: int | None = None
) -> str:
    """The error as lines. Data that stands in them is only shown: it moves no cursor. `columns`:
    the terminal's, which the line of the text fits."""
    is_here = text is not None and error.routine is None and error.line is not None
    message = visible_lines(error.message)
    if is_here and error.code == "SYNTAX":
        message = message.partition("\n")[0]  # it drew its line for those who have no text
    out = f"{paint(f'error[{error.code}]:', 'red', colours)} {message}\n"
    if error.line is not None and error.column is not None:
        routine = f"{error.routine}, " if error.routine is not None else ""
        out += f"  at {routine}line {error.line}, column {error.column}\n"
        out += "".join(f"  called from {call}\n" for call in error.calls)
        if text is not None and is_here:
            out += _caret(text, error.line, error.column, colours, columns)
    if error.hint:
        out += f"{paint('hint:', 'cyan', colours)} {visible_lines(error.hint)}\n"
    return out


def _caret(text: str, line: int, column: int, colours: bool, columns: int | None) -> str:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    shown = lines[line - 1].rstrip("\r").replace("\t", " ")
    at = min(column - 1, len(shown))
    margin = f"{line} | "
    room = LINE_CHARACTERS_MAX
    if columns is not None:
        room = max(min(room, columns - len(margin) - 3), LINE_CHARACTERS_MIN)
    first = max(0, at - room // 2) if width(visible(shown)) > room else 0
    before = visible(shown[first:at])
    shown = cut(visible(shown[first:]), room)
    blanks = " " * (len(margin) + width(before))
    return f"  {margin}{shown}\n  {blanks}{paint('^', 'red', colours)}\n"
