"""Messages with places for values, as RAISERROR and FORMATMESSAGE fill them: printf's of C.

    %[flags][width][.precision]type     flags - + 0 # and blank; types d i u o x X s; %% is %

Widths and precisions may be `*`, an argument. NULL, and what there is no argument for, is shown as
`(null)`. The whole is cut to 2,047 characters, as T-SQL cuts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hartonomous.hql.errors import ExecutionFault

LENGTH_MAX: Final = 2047
_PLACE = re.compile(r"%([-+0# ]*)(\*|\d*)(?:\.(\*|\d*))?(?:h|l|I64)?(.)?", re.DOTALL)


def format_message(text: str, arguments: Sequence[Any]) -> str:
    """`text` with its places filled. BAD_VALUE for a place of no known type, or an argument of
    another type than its place."""
    given = iter(arguments)
    pieces, last, length = [], 0, 0
    for match in _PLACE.finditer(text):
        pieces.append(text[last : match.start()])
        pieces.append("%" if match[0] == "%%" else _filled(match, given))
        last = match.end()
        length += len(pieces[-1]) + len(pieces[-2])
        if length > LENGTH_MAX:
            break
    else:
        pieces.append(text[last:])
    message = "".join(pieces)
    return message if len(message) <= LENGTH_MAX else message[: LENGTH_MAX - 3] + "..."


def _filled(match: re.Match[str], given: Iterator[Any]) -> str:
    flags, width_text, precision_text, type_ = match.groups()
    width = _number(width_text, given)
    precision = None if precision_text is None else _number(precision_text, given)
    if type_ not in tuple("diuoxXs"):
        raise _fault(f"{match[0]} is no place for a value", "%d, %i, %u, %o, %x, %X or %s")
    value = next(given, None)
    if value is None:
        body = "(null)"
    elif type_ == "s":
        body = str(value)[:precision]
    elif isinstance(value, int):
        body = _digits(int(value), type_, flags, precision)
    else:
        raise _fault(f"{match[0]} takes a whole number, not {str(value)[:40]!r}", "%s takes any")
    if "-" in flags:
        return body.ljust(width)
    if "0" in flags and type_ != "s" and precision is None and value is not None:
        sign = body[: len(body) - len(body.lstrip("+-"))]
        return sign + body[len(sign) :].rjust(width - len(sign), "0")
    return body.rjust(width)


def _digits(value: int, type_: str, flags: str, precision: int | None) -> str:
    if type_ in "di":
        sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
        return sign + str(abs(value)).rjust(precision or 0, "0")
    unsigned = value & ((1 << (32 if -(1 << 31) <= value < 1 << 31 else 64)) - 1)
    form = "d" if type_ == "u" else type_
    prefix = {"o": "0", "x": "0x", "X": "0X"}.get(type_, "") if "#" in flags and value else ""
    return prefix + f"{unsigned:{form}}".rjust(precision or 0, "0")


def _number(text: str, given: Iterator[Any]) -> int:
    """A width or a precision; no message is longer than LENGTH_MAX."""
    value = next(given, None) if text == "*" else text or 0
    if isinstance(value, str):
        value = int(value[:6]) if value.isdecimal() else 0
    if not isinstance(value, int):
        raise _fault("a width or precision of * takes a whole number", "give one")
    return max(0, min(value, LENGTH_MAX))


def _fault(message: str, hint: str) -> ExecutionFault:
    return ExecutionFault(f"the message: {message}", code="BAD_VALUE", hint=hint)
