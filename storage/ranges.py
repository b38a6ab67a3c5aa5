"""Ranges of column values, and which batches of a chunk may hold a row within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hartonomous.storage.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.storage.chunk import Chunk


@frozen
class ColumnRange:
    """What a query asks of one column, its values of the column's type: low <= value <= high
    (`_open` excludes the end), or one of `values`, or NULL. Several ranges are a conjunction.
    `folds`: asked of the values in lower case, given so; scans know nothing of such."""

    column: str
    low: Any = None
    high: Any = None
    low_open: bool = False
    high_open: bool = False
    values: tuple[Any, ...] | None = None
    is_null: bool = False
    folds: bool = False


def matching_batches(chunk: Chunk, ranges: Sequence[tuple[str, ColumnRange]]) -> Sequence[int]:
    """The batches that may hold a row within all ranges, given with physical column names."""
    everything = range(chunk.batch_count)
    kept = np.ones(len(everything), np.bool_)
    for name, wanted in ranges:
        zone_map = chunk.rows.zone_map(name)
        if zone_map is not None:
            kept &= zone_map.may_match(
                wanted.low,
                wanted.high,
                low_open=wanted.low_open,
                high_open=wanted.high_open,
                values=wanted.values,
                is_null=wanted.is_null,
            )
    return everything if kept.all() else np.flatnonzero(kept).tolist()
