"""The message of RAISERROR: printf's formats as T-SQL has them.

    %[-+0 #][width][.precision][h|l|I64]type     type: d i u o x X s; %% is a percent sign
    width and precision may be *, which takes them from the arguments

A NULL is shown as (null). A message longer than 2,047 characters ends in three dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

ARGUMENTS_MAX: Final = 20
CHARACTERS_MAX: Final = 2_047

_FORMAT = re.compile(
    r"%(?:(?P<percent>%)"
    r"|(?P<flags>[-+0 #]*)(?P<width>\*|\d{1,9})?(?:\.(?P<precision>\*|\d{0,9}))?"
    r"(?:h|l|I64)?(?P<type>[diuoxXs])|)"
)
_NULL = "(null)"


class MessageFormat(ValueError):
    """A message that cannot be made; `hint` says what can."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def format_message(pattern: str, arguments: Sequence[Any]) -> str:
    """The message. Raises MessageFormat."""
    if len(arguments) > ARGUMENTS_MAX:
        raise MessageFormat(
            f"{len(arguments)} arguments; at most {ARGUMENTS_MAX} are taken",
            "put the message together with CONCAT",
        )
    left = iter(arguments)
    text = _FORMAT.sub(lambda match: _one(match, left), pattern[: CHARACTERS_MAX + 1])
    return text if len(text) <= CHARACTERS_MAX else text[: CHARACTERS_MAX - 3] + "..."


def _one(match: re.Match[str], arguments: Iterator[Any]) -> str:
    if match["percent"]:
        return "%"
    kind = match["type"]
    if kind is None:
        raise MessageFormat(
            "a % begins no format", "formats are %d %i %u %o %x %X %s; %% is a percent sign"
        )
    flags = match["flags"]
    width = _size(match["width"], arguments) or 0
    precision = _size(match["precision"], arguments)
    if width < 0:
        width, flags = -width, flags + "-"
    width = min(width, CHARACTERS_MAX)
    value = _next(arguments)
    text = _text(value, precision) if kind == "s" else _number(value, kind, flags, precision)
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and kind != "s" and precision is None and value is not None:
        sign = text[: len(text) - len(text.lstrip("+- "))]
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _text(value: Any, precision: int | None) -> str:
    if value is None:
        return _NULL
    if not isinstance(value, str):
        raise MessageFormat(f"%s stands for text, not for {value!s:.50}", "CAST it to NVARCHAR")
    return value if precision is None or precision < 0 else value[:precision]


def _number(value: Any, kind: str, flags: str, precision: int | None) -> str:
    if value is None:
        return _NULL
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageFormat(
            f"%{kind} stands for a whole number, not for {value!s:.50}",
            "CAST it to INT, or use %s with text",
        )
    if kind in "di":
        sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
        digits = str(abs(value))
    else:
        if value < 0:  # as its two's complement
            value += 2**32 if value >= -(2**31) else 2**64
        digits = format(value, "d" if kind == "u" else kind)
        sign = {"o": "0", "x": "0x", "X": "0X"}.get(kind, "") if "#" in flags and value else ""
    return sign + digits.rjust(min(precision or 0, CHARACTERS_MAX), "0")


def _size(text: str | None, arguments: Iterator[Any]) -> int | None:
    if text != "*":
        return None if text is None else int(text or 0)
    value = _next(arguments)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageFormat("* stands for a width, a whole number", "%*d takes a width and a value")
    return value


def _next(arguments: Iterator[Any]) -> Any:
    for value in arguments:
        return value
    raise MessageFormat(
        "there are more formats than arguments", "give an argument for each; %% is a percent sign"
    )
