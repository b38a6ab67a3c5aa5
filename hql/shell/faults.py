"""An error as people read it: code, message, place and what called it, the line of the text with a
caret, a hint."""

from __future__ import annotations

import sys

from hartonomous.hql.shell.cells import visible, visible_lines, width
from hartonomous.hql.shell.paint import paint
from hartonomous.storage.errors import Error

#: a longer line is shown around the caret only
LINE_CHARACTERS_MAX = 100


def report(error: Error, text: str | None = None, *, colours: bool = False) -> None:
    """Writes `error` to stderr; `text` is what its place refers to."""
    sys.stderr.write(describe(error, text, colours=colours))
    sys.stderr.flush()


def describe(error: Error, text: str | None = None, *, colours: bool = False) -> str:
    """The error as lines. Data that stands in them is only shown: it moves no cursor."""
    message = visible_lines(error.message)
    out = f"{paint(f'error[{error.code}]:', 'red', colours)} {message}\n"
    if error.line is not None and error.column is not None:
        routine = f"{error.routine}, " if error.routine is not None else ""
        out += f"  at {routine}line {error.line}, column {error.column}\n"
        out += "".join(f"  called from {call}\n" for call in error.calls)
        is_drawn = error.code == "SYNTAX" and "\n" in error.message  # it has a caret of its own
        is_here = error.routine is None and not is_drawn
        if text is not None and is_here:
            out += _caret(text, error.line, error.column, colours)
    if error.hint:
        out += f"{paint('hint:', 'cyan', colours)} {visible_lines(error.hint)}\n"
    return out


def _caret(text: str, line: int, column: int, colours: bool) -> str:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    shown = lines[line - 1].rstrip("\r").replace("\t", " ")
    at = min(column - 1, len(shown))
    first = max(0, at - LINE_CHARACTERS_MAX // 2) if len(shown) > LINE_CHARACTERS_MAX else 0
    before = visible(shown[first:at])
    shown = visible(shown[first : first + LINE_CHARACTERS_MAX])
    margin = f"{line} | "
    blanks = " " * (len(margin) + width(before))
    return f"  {margin}{shown}\n  {blanks}{paint('^', 'red', colours)}\n"
