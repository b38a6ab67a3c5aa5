"""The meter of chat templates: what one rendering may do in all, and how large a value may get.

A rendering runs in one thread, inside `metered`; the sandbox (chat_sandbox.py) and its filters
spend from its meter. Every refusal is ExecutionFault MODEL_INPUT.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jinja2.utils import Namespace

from hartonomous.hql.limits import current
from hartonomous.hql.models.tokenizers.base import model_input

#: work of one rendering: characters written, and STEP for each item or call
WORK_MAX: Final = 1 << 26
STEP: Final = 16
#: weight of one value: characters, and NODE for each item of a container
VALUE_MAX: Final = 1 << 23
NODE: Final = 64
#: characters that strip() may be told to look for, which costs their product with the text's
STRIPPED_MAX: Final = 256

_CONTAINERS: Final[tuple[type[Any], ...]] = (
    list,
    tuple,
    set,
    frozenset,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)
_running = threading.local()


class Meter:
    """What one rendering may still do."""

    def __init__(self, seconds: float) -> None:
        self.left = WORK_MAX
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.limits = current()

    def spend(self, amount: int) -> None:
        """Work of so much: MODEL_INPUT when there is none left, or no time."""
        self.left -= amount
        if self.left < 0:
            raise model_input("the model's chat template does more work than any prompt needs")
        if time.monotonic() > self.deadline:
            raise model_input(f"the model's chat template takes longer than {self.seconds:g} s")
        if self.limits is not None:
            self.limits.check()


@contextmanager
def metered(seconds: float, variables: Mapping[str, Any]) -> Iterator[None]:
    """A rendering in this thread; its variables are weighed first."""
    _running.meter = Meter(seconds)
    try:
        weighed(dict(variables))
        yield
    finally:
        del _running.meter


def spend(amount: int) -> None:
    """Work of the rendering that this thread is in."""
    _running.meter.spend(amount)


def fits(size: int) -> None:
    """Refuse a value before it is made."""
    if size > VALUE_MAX:
        raise model_input("the model's chat template makes a value larger than any prompt")


def weigh(value: Any) -> int:
    """Characters of a value as the tree it prints as, and NODE for each item; refuses one that is
    too large, which a value that holds itself is."""
    return _measured(value)[0]


def _measured(value: Any) -> tuple[int, int]:
    """The weight of a value, and what making it cost: characters for a text, STEP an item for a
    container, as it only refers to texts that were paid for."""
    if isinstance(value, str):
        fits(len(value))
        return len(value), len(value)
    total = items = 0
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Namespace):
            item = item._Namespace__attrs
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, int):
            total += item.bit_length() >> 3
        elif isinstance(item, dict):
            items += 2 * len(item)
            fits(total + NODE * items)
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, _CONTAINERS):
            items += len(item)
            fits(total + NODE * items)
            waiting += item
    fits(total + NODE * items)
    return total + NODE * items, STEP * items


def weighed(value: Any) -> Any:
    """The value, paid for. What is computed item by item is paid for item by item."""
    if isinstance(value, Iterator):
        return _paid(value)
    spend(1 + _measured(value)[1])
    return value


def _paid(items: Iterator[Any]) -> Iterator[Any]:
    """The items, each paid for as it comes."""
    for item in items:
        spend(STEP + _measured(item)[1])
        yield item


def whole(items: Any) -> list[Any]:
    """All items of something a template iterates over."""
    return [item for item in _paid(iter(items))]


def format_fits(form: str, arguments: Any) -> None:
    """Refuse format strings with wide fields, and many fields of large arguments."""
    if re.search(r"\d{4}|\*|\{[^{}]*\{", form):
        raise model_input("the model's chat template formats with fields too wide")
    fields = form.count("%") + form.count("{")
    fits(len(form) + fields * (weigh(arguments) + 1000))


def replace_fits(text: str, old: str, new: str, count: int = -1) -> None:
    """Refuse a replacement whose result would be too large."""
    found = text.count(old) if old else len(text) + 1
    fits(len(text) + (found if count < 0 else min(found, count)) * len(new))


def strip_fits(characters: str | None) -> None:
    """Stripping costs the product of both texts."""
    if characters is not None and len(characters) > STRIPPED_MAX:
        raise model_input("the model's chat template strips too many characters")
