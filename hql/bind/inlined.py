"""Places in routines' bodies that were bound in place of their calls.

A place is a line and a column, all the way through plans and the engine's texts. A line of such a
body carries in its upper bits the number of the call that brought it here, whose routine and own
place are kept once for the process: they are few, as they know names and lines only. `resolve`
takes a line apart when an error leaves its statement.
"""

from __future__ import annotations

import threading
from typing import Final

from hartonomous.hql.ast import NOWHERE, Span
from hartonomous.hql.frozen import frozen
from hartonomous.storage.errors import Error

#: lines of a text that have numbers of their own
LINE_BITS: Final = 24
#: calls that are kept; bodies of more have the place of their call, as views have
CALLS_MAX: Final = 1 << 16


@frozen
class Call:
    """`routine` is kind and name of the one called, `line` where: in the body of the call `caller`,
    a number, or 0: in the statement's own text."""

    routine: str
    line: int
    caller: int


_calls: list[Call] = []
_numbers: dict[Call, int] = {}
_lock = threading.Lock()


@frozen
class Inlined:
    """The body that is bound now: `number` of its call, and the place of that."""

    number: int
    place: Span

    def span(self, inner: Span) -> Span:
        """A place of the body's text as a plan keeps it."""
        if inner == NOWHERE or not self.number:
            return self.place
        line = self.number << LINE_BITS | inner.line
        return inner._replace(line=line)


def inlined(routine: str, place: Span) -> Inlined:
    """What binds the body of `routine` that is called at a place."""
    caller, line = divmod(place.line, 1 << LINE_BITS)
    call = Call(routine, line, caller)
    with _lock:
        number = _numbers.get(call, 0)
        if not number and len(_calls) < CALLS_MAX:
            _calls.append(call)
            number = _numbers[call] = len(_calls)
    return Inlined(number, place)


def resolve(error: Error, around: str | None) -> None:
    """Makes an error's place in such a body routine, line and calls. `around` is the routine whose
    text the statement is in."""
    if error.line is None or error.line >> LINE_BITS == 0:
        return
    number, error.line = divmod(error.line, 1 << LINE_BITS)
    error.routine = _calls[number - 1].routine
    calls = []
    while number:
        call = _calls[number - 1]
        number = call.caller
        inside = _calls[number - 1].routine if number else around
        calls.append(f"{inside}, line {call.line}" if inside is not None else f"line {call.line}")
    error.calls = (*calls, *error.calls)
