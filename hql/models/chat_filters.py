"""The filters of chat templates: Jinja's own where they are harmless, ours where a result could be
far larger, or take far longer, than what it is made of. What is not here does not exist: random
(chance), urlize and its kin (nothing a prompt needs).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS as JINJA
from jinja2.filters import do_indent, make_attrgetter

from hartonomous.hql.models.chat_meter import (
    fits,
    format_fits,
    replace_fits,
    spend,
    strip_fits,
    weigh,
    weighed,
    whole,
)
from hartonomous.hql.models.tokenizers.base import model_input

_HARMLESS: Final = [
    "abs",
    "attr",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "forceescape",
    "groupby",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "safe",
    "select",
    "selectattr",
    "sort",
    "string",
    "title",
    "truncate",
    "upper",
    "wordcount",
]
#: spaces of an indentation, digits that round() keeps
INDENT_MAX: Final = 64
DIGITS_MAX: Final = 20


def _bounded(run: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result is paid for; wraps() keeps what Jinja noted about its arguments."""

    @wraps(run)
    def paid(*args: Any, **named: Any) -> Any:
        return weighed(run(*args, **named))

    return paid


@pass_environment
def _join(
    environment: Environment, value: Any, d: str = "", attribute: str | int | None = None
) -> str:
    items = whole(value)
    if attribute is not None:
        items = list(map(make_attrgetter(environment, attribute), items))
    fits(sum(weigh(item) for item in items) + len(str(d)) * len(items))
    return str(d).join(map(str, items))


def _replace(s: Any, old: str, new: str, count: int | None = None) -> str:
    replace_fits(str(s), str(old), str(new), -1 if count is None else count)
    return str(s).replace(str(old), str(new), -1 if count is None else count)


def _trim(value: Any, chars: str | None = None) -> str:
    strip_fits(chars)
    return str(value).strip(chars)


def _indent(s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    size = width if isinstance(width, int) else len(width)
    if size > INDENT_MAX:
        raise model_input("the model's chat template indents too far")
    fits(len(s) + size * (s.count("\n") + 1))
    return do_indent(s, width, first, blank)


def _center(value: Any, width: int = 80) -> str:
    fits(width)
    return str(value).center(width)


def _format(value: Any, *args: Any, **named: Any) -> str:
    format_fits(str(value), [args, named])
    return str(value) % (named or args)


def _sum(iterable: Any, attribute: None = None, start: float = 0) -> Any:
    """Of numbers: of lists it would take the square of their length."""
    total = start
    for item in whole(iterable):
        if not isinstance(item, (int, float)):
            raise model_input("the model's chat template sums what is no number")
        total += item
    return total


def _round(value: float, precision: int = 0, method: str = "common") -> float:
    if abs(precision) > DIGITS_MAX or method != "common":
        raise model_input("the model's chat template rounds in an odd way")
    return round(value, precision)


def _unique(value: Any) -> list[Any]:
    """First occurrences; each is paid for, as keys may be chosen to collide."""
    seen: set[Any] = set()
    found = []
    for item in whole(value):
        spend(1)
        key = item.lower() if isinstance(item, str) else item
        if key not in seen:
            seen.add(key)
            found.append(item)
    return found


def _tojson(
    x: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As Hugging Face has it: no escapes for HTML."""
    if indent is not None and (not isinstance(indent, int) or indent > INDENT_MAX):
        raise model_input("the model's chat template indents too far")
    if separators is not None and max(map(len, separators)) > INDENT_MAX:
        raise model_input("the model's chat template separates too far")
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
    weigh(x)
    return "".join(_within(encoder.iterencode(x)))


def _within(pieces: Iterator[str]) -> Iterator[str]:
    total = 0
    for piece in pieces:
        total += len(piece)
        fits(total)
        spend(1)
        yield piece


_OURS: Final[dict[str, Callable[..., Any]]] = {
    "center": _center,
    "format": _format,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "sum": _sum,
    "tojson": _tojson,
    "trim": _trim,
    "unique": _unique,
}

FILTERS: Final[dict[str, Callable[..., Any]]] = {
    name: _bounded(run) for name, run in ({n: JINJA[n] for n in _HARMLESS} | _OURS).items()
}
