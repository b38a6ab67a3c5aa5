"""Sorted rows: the order of keys that are given level by level, and places found in such an order.

A key is one or more levels, each an int64 for every row (*words*); rows are ordered by the first
level, equal ones by the second, and so on; rows that are equal in all of them by their number.
Levels are computed for rows that are still equal only, so an exact but dear level after a cheap
one that decides nearly everything costs next to nothing.

The order is the packed leaf level of a B-tree (R. Bayer, E. McCreight, 1972), whose inner nodes a
binary search over an array has no need of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: the words of some rows, which ascend, or of all of them (None)
Level = Callable[[Int64 | None], Int64]


def sort_rows(count: int, levels: Iterable[Level]) -> tuple[Int64 | None, Mask]:
    """(int64[count] the rows in order, or None if they lie in it; bool[count - 1] whether a row of
    the order equals the next one in all levels)."""
    order: Int64 | None = None
    same = np.ones(max(count - 1, 0), np.bool_)
    is_first = True
    for level in levels:
        if not same.any():
            break
        if is_first:
            order, same = _sort_first(level(None))
            is_first = False
        else:
            order = _sort_equal(level, count, order, same)
    return order, same


def _sort_first(words: Int64) -> tuple[Int64 | None, Mask]:
    if bool((words[1:] >= words[:-1]).all()):
        return None, words[1:] == words[:-1]
    order = np.argsort(words, kind="stable")
    words = words[order]
    return order, words[1:] == words[:-1]


def _sort_equal(level: Level, count: int, order: Int64 | None, same: Mask) -> Int64 | None:
    """The order after one more level; `same` is brought up to date."""
    in_run = np.zeros(count, np.bool_)
    in_run[:-1] = same
    in_run[1:] |= same
    places = np.flatnonzero(in_run)
    rows = places if order is None else order[places]
    starts = np.ones(len(places), np.bool_)
    starts[1:] = ~same[places[1:] - 1]  # a place is in a run with the one before, or begins one
    group = np.cumsum(starts)
    by_row = np.argsort(rows)
    words = np.empty(len(rows), np.int64)
    words[by_row] = level(rows[by_row])
    ascends = (words[1:] >= words[:-1]) | starts[1:]
    if not ascends.all():
        sorting = np.lexsort((words, group))
        rows, words = rows[sorting], words[sorting]
        if order is None:
            order = np.arange(count)
        order[places] = rows
    same[places[1:] - 1] &= (words[1:] == words[:-1]) & ~starts[1:]
    return order


def bisect_words(words: Int64, wanted: Int64, low: Int64, high: Int64, *, right: bool) -> Int64:
    """int64[Q]: for each `wanted` the first place in [low, high), where `words` ascend, that is not
    less than it (`right`: that is greater); `high` if there is none."""
    side: Literal["left", "right"] = "right" if right else "left"
    if len(wanted) == 1:
        first = int(low[0])
        found = first + int(words[first : int(high[0])].searchsorted(wanted[0], side))
        return np.array([found])
    if not low.any() and bool((high == len(words)).all()):
        return words.searchsorted(wanted, side)

    def is_before(places: Int64, queries: Int64) -> Mask:
        here = words[places]
        return here <= wanted[queries] if right else here < wanted[queries]

    return bisect(is_before, low, high)


def bisect(is_before: Callable[[Int64, Int64], Mask], low: Int64, high: Int64) -> Int64:
    """int64[Q]: for each query the first place in [low, high) that `is_before(places, queries)`
    says no of, which it says of all later ones too; `high` if there is none."""
    low, high = low.copy(), high.copy()
    while True:
        queries = np.flatnonzero(low < high)
        if not len(queries):
            return low
        middle = (low[queries] + high[queries]) >> 1
        before = is_before(middle, queries)
        low[queries[before]] = middle[before] + 1
        high[queries[~before]] = middle[~before]
