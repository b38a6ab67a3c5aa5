"""Rows that pass ranges, tested in Arrow: for those who need them before the engine has them.

A superset of the rows that the engine lets through: of floats, whose NaN sorts above all numbers
here and nowhere in Arrow, only what is sure is tested. `is_exact` says where it is no superset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hartonomous.storage.ranges import ColumnRange


def passing(rows: pa.Table, ranges: Sequence[ColumnRange]) -> pa.Table:
    """The rows within all ranges, by the columns' names."""
    mask = passing_mask(rows, ranges)
    return rows if mask is None else rows.filter(mask)


def passing_mask(rows: pa.Table, ranges: Sequence[ColumnRange]) -> pa.ChunkedArray | None:
    """Which rows lie within all ranges, NULL being no; None if nothing is tested."""
    import pyarrow.compute as pc

    tests = [t for r in ranges for t in _tests(rows.column(r.column), r)]
    if not tests:
        return None
    mask = tests[0]
    for test in tests[1:]:
        mask = pc.and_kleene(mask, test)
    return mask


def is_exact(given: ColumnRange, kind: pa.DataType) -> bool:
    """Whether `passing` keeps exactly the rows within a range of a column of this type."""
    return given.is_null or not (pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _tests(column: pa.ChunkedArray, given: ColumnRange) -> list[Any]:
    import pyarrow.compute as pc

    kind = column.type
    if given.is_null:
        return [pc.is_null(column)]
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return []
    if given.values is not None:
        return [pc.is_in(column, value_set=pa.array(given.values, kind))]
    found = []
    if given.low is not None:
        compare = pc.greater if given.low_open else pc.greater_equal
        found.append(compare(column, pa.scalar(given.low, kind)))
    if given.high is not None:
        compare = pc.less if given.high_open else pc.less_equal
        found.append(compare(column, pa.scalar(given.high, kind)))
    return found
