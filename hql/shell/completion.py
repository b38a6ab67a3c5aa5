"""What could stand at a place of a text that is being written, the likeliest first.

What fits a place is found in completion_place.py, the relations that it can speak of in
completion_scope.py, what there is in completion_names.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from hartonomous.hql.frozen import frozen
from hartonomous.hql.shell.completion_names import Name, NamesInterface
from hartonomous.hql.shell.completion_place import Place

#: candidates that are offered at once
OFFERED_MAX = 500


@frozen
class Candidate:
    """`text` may replace what stands between `start` and the cursor; `what` says what it is."""

    text: str
    start: int
    what: str


def complete(text: str, cursor: int, names: NamesInterface) -> list[Candidate]:
    """The candidates, the likeliest first: keywords begin with what is written before the cursor,
    names begin with it or hold it."""
    place = Place(text, cursor, names)
    if place.is_nowhere:
        return []
    return ranked(place.offers(), place.prefix, place.start)


def ranked(names: Iterable[Name], prefix: str, start: int) -> list[Candidate]:
    """Those names that fit what is written at `start`, the likeliest first, each once."""
    found = sorted(
        ((rank, name.order, i, name) for i, name in enumerate(names)
         if (rank := _match(prefix, name)) is not None),
        key=lambda entry: entry[:3],
    )  # fmt: skip
    unique: dict[str, Candidate] = {}
    for _, _, _, name in found:
        unique.setdefault(name.text.casefold(), Candidate(name.text, start, name.what))
        if len(unique) == OFFERED_MAX:
            break
    offered = list(unique.values())
    if len(offered) == 1 and offered[0].text == prefix:
        return []  # it stands there already
    return offered


def _match(prefix: str, name: Name) -> int | None:
    """0: begins with it, 1: a part of the name does, 2: holds it; None: does not fit."""
    if not prefix:
        return 0
    folded, sought = name.text.casefold().lstrip('"'), prefix.casefold()
    if folded.startswith(sought):
        return 0
    if len(sought) < 2 or name.what == "keyword":
        return None
    at = folded.find(sought)
    if at >= 0 and folded[at - 1] in "_. ":
        return 1
    return 2 if at >= 0 and len(sought) > 2 else None
