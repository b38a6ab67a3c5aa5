"""An error as people read it: code, message, the line of the text with a caret, a hint."""

from __future__ import annotations

import sys

from hartonomous.storage.errors import Error

#: a longer line is shown around the caret only
LINE_CHARACTERS_MAX = 100


def report(error: Error, text: str | None = None) -> None:
    """Writes `error` to stderr; `text` is what its place refers to."""
    sys.stderr.write(describe(error, text))
    sys.stderr.flush()


def describe(error: Error, text: str | None = None) -> str:
    """The error as lines."""
    out = f"error[{error.code}]: {error.message}\n"
    if error.line is not None and error.column is not None:
        out += f"  at line {error.line}, column {error.column}\n"
        if text is not None and "\n" not in error.message:  # syntax errors draw their own
            out += _caret(text, error.line, error.column)
    if error.hint:
        out += f"hint: {error.hint}\n"
    return out


def _caret(text: str, line: int, column: int) -> str:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    shown = lines[line - 1].rstrip("\r").replace("\t", " ")
    at = min(column - 1, len(shown))
    first = max(0, at - LINE_CHARACTERS_MAX // 2) if len(shown) > LINE_CHARACTERS_MAX else 0
    shown = shown[first : first + LINE_CHARACTERS_MAX]
    margin = f"{line} | "
    return f"  {margin}{shown}\n  {' ' * (len(margin) + at - first)}^\n"
