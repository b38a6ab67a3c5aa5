"""Topics: everything that HELP knows, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from hartonomous.hql.frozen import frozen


@frozen
class Topic:
    """`about` is one line; `page` makes the whole text; `others` are further names."""

    name: str
    kind: str
    about: str
    page: Callable[[], str]
    others: tuple[str, ...] = ()


#: kinds, in the order in which they are listed, and how a heading names them
KINDS: Final = {
    "statement": "Statements",
    "part": "Parts of statements",
    "function": "Functions and operators",
    "type": "Types",
    "table": "System tables",
    "command": "Commands of the shell",
}


@cache
def all_topics() -> tuple[Topic, ...]:
    """Every topic, by kind and in the order of its source."""
    from hartonomous.hql.help import commands, functions, parts, statements, tables, types

    sources = (statements, parts, functions, types, tables, commands)
    return tuple(topic for source in sources for topic in source.topics())


def find(words: str) -> list[Topic]:
    """The topics that a text names: one of that name, or those whose names begin with it, or
    those that have it in their names. May be several (a function and a type), may be none."""
    wanted = _folded(words)
    if not wanted:
        return []
    for test in (_is, _begins, _contains):
        found = [t for t in all_topics() if any(test(n, wanted) for n in _names(t))]
        if found:
            return found
    return []


def nearest(words: str) -> list[str]:
    """Names that are nearly what was asked for."""
    names = {_folded(n): t.name for t in all_topics() for n in (t.name, *t.others)}
    return [names[n] for n in difflib.get_close_matches(_folded(words), names, n=3, cutoff=0.6)]


def _names(topic: Topic) -> Iterator[str]:
    return (_folded(n) for n in (topic.name, *topic.others))


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace(";", " ").split())


def _is(name: str, wanted: str) -> bool:
    return name == wanted


def _begins(name: str, wanted: str) -> bool:
    return name.startswith(wanted + " ") or name.startswith(wanted + ".")


def _contains(name: str, wanted: str) -> bool:
    return len(wanted) > 1 and wanted in name
