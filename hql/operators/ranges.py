"""Ranges of a plan as ranges of a column's own values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.values import column_value
from hartonomous.hql.rules.simple import value_of
from hartonomous.storage.table import ColumnRange

if TYPE_CHECKING:
    from hartonomous.storage.catalog import TableEntry


def ranges_of(
    given: Sequence[p.Range], table: TableEntry, execution: Execution, *, folded: bool = False
) -> list[ColumnRange]:
    """The ranges of a table's columns that say something about their values; with `folded`, those
    about texts in lower case too, which only indexes of such texts know."""
    found = (_range_of(r, table, execution) for r in given if folded or not r.folds)
    return [r for r in found if r is not None]


def _range_of(given: p.Range, table: TableEntry, execution: Execution) -> ColumnRange | None:
    if given.is_null:
        return ColumnRange(given.column, is_null=True)
    entry = table.find_column(given.column)
    assert entry is not None, given.column
    if given.like is not None:
        return _like(given, [value_of(e, execution.parameters) for e in given.like])
    ends: list[Any] = []
    for end in (given.low, given.high, *(given.values or ())):
        value = None if end is None else value_of(end, execution.parameters)
        if end is not None and value is None and given.values is None:
            return None  # compared with NULL; no row passes the test above
        fits, value = column_value(value, entry.arrow)
        if not fits:
            return None
        ends.append(lower(value) if given.folds and isinstance(value, str) else value)
    values = tuple(v for v in ends[2:] if v is not None) if given.values is not None else None
    low_open, high_open = given.low_open, given.high_open
    return ColumnRange(
        given.column, ends[0], ends[1], low_open, high_open, values, folds=given.folds
    )


def _like(given: p.Range, values: list[Any]) -> ColumnRange | None:
    """The texts that begin as a pattern does, given with its escape if it has one; one text, if it
    has no wildcard."""
    if any(not isinstance(v, str) for v in values):
        return None
    start, is_whole = _start(*values)
    low = lower(start) if given.folds else start
    if is_whole:
        return ColumnRange(given.column, low, low, folds=given.folds)
    if not start:
        return None
    return ColumnRange(given.column, low, after(low), high_open=True, folds=given.folds)


def _start(pattern: str, escape: str = "") -> tuple[str, bool]:
    """What all texts like the pattern begin with, and whether that is all of it."""
    found: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            character = next(characters, "")
        elif character in "%_":
            return "".join(found), False
        found.append(character)
    return "".join(found), True


def lower(text: str) -> str:
    """A text as COLLATE NOCASE compares it."""
    import pyarrow.compute as pc

    found: str = pc.utf8_lower(pa.scalar(text)).as_py()
    return found


def after(start: str) -> str | None:
    """The least text, by code points, above all that begin with `start`; None if there is none."""
    for length in range(len(start), 0, -1):
        point = ord(start[length - 1]) + 1
        if 0xD800 <= point < 0xE000:  # no characters
            point = 0xE000
        if point <= sys.maxunicode:
            return start[: length - 1] + chr(point)
    return None
