"""Searching a spatial index: every part is asked, and what a snapshot cannot see is left out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from hartonomous.storage.access.base import Floats, Int64, SpatialPart
from hartonomous.storage.access.parts import ChunkRows, chunk_index, indexed_columns
from hartonomous.storage.catalog import IndexEntry
from hartonomous.storage.chunk import NO_ROWS, Chunk, Selection, concat
from hartonomous.storage.frozen import frozen
from hartonomous.storage.table import ADDRESS_BITS, TableView, split_addresses

Mask = npt.NDArray[np.bool_]


@frozen
class Found:
    """Rows of a search: `addresses`, and for each the number of the box or point it belongs to."""

    queries: Int64
    addresses: Int64
    visited: int  # nodes


class Search:
    """One index as one view of its table sees it; for one statement."""

    def __init__(self, view: TableView, entry: IndexEntry) -> None:
        self.entry, self._view = entry, view
        self._columns = indexed_columns(view.table, entry)

    @cached_property
    def parts(self) -> list[tuple[int, Selection, SpatialPart]]:
        """Of each chunk with visible rows: its ordinal, these rows, and its part of the index."""
        return [(ordinal, s, self._part(s.chunk)) for ordinal, s in self._view.parts if s.row_count]

    def _part(self, chunk: Chunk) -> SpatialPart:
        rows = ChunkRows(chunk, self._columns)
        return cast(SpatialPart, chunk_index(chunk, self.entry).part(rows))

    @cached_property
    def scale(self) -> float:
        """The largest coordinate of any row, by magnitude."""
        return max((part.scale for _, _, part in self.parts), default=0.0)

    @cached_property
    def missing(self) -> Int64:
        """Addresses of visible rows that the index knows nothing about, ascending."""
        found = []
        for ordinal, selection, part in self.parts:
            offsets = part.missing[selection.is_visible(part.missing)]
            found.append(offsets + (ordinal << ADDRESS_BITS))
        return concat(found)

    def overlapping(self, boxes: Floats) -> Found:
        """Visible rows whose boxes meet one of float64[Q, 6]; addresses ascend for each box and
        over each chunk."""
        queries, addresses, visited = [], [], 0
        for ordinal, selection, part in self.parts:
            starts, offsets, nodes = part.overlapping(boxes)
            visited += nodes
            numbers = np.repeat(np.arange(len(boxes)), np.diff(starts))
            seen = selection.is_visible(offsets)
            queries.append(numbers[seen])
            addresses.append(offsets[seen] + (ordinal << ADDRESS_BITS))
        return Found(concat(queries), concat(addresses), visited)

    def nearest(self, centers: Floats, count: int, among: Int64 | None = None) -> Found:
        """Per point of float64[Q, 3] at least `count` visible rows (all, if there are fewer) that
        contain the nearest by their boxes; `among`: only rows at these addresses."""
        wanted = None if among is None else dict(split_addresses(np.sort(among)))
        queries, addresses, visited = [], [], 0
        for ordinal, selection, part in self.parts:
            keep = _keep(ordinal, selection, wanted)
            if keep is not None and not keep.any():
                continue
            starts, offsets, nodes = part.nearest(centers, count, keep)
            visited += nodes
            queries.append(np.repeat(np.arange(len(centers)), np.diff(starts)))
            addresses.append(offsets + (ordinal << ADDRESS_BITS))
        return Found(concat(queries), concat(addresses), visited)


def _keep(ordinal: int, selection: Selection, wanted: Mapping[int, Int64] | None) -> Mask | None:
    """bool[rows of the chunk]: which may be found; None for all of them."""
    if wanted is not None:
        keep = np.zeros(selection.chunk.count, np.bool_)
        keep[wanted.get(ordinal, NO_ROWS)] = True
        return keep
    if not selection.hidden:
        return None
    keep = np.zeros(selection.chunk.count, np.bool_)
    keep[selection.offsets()] = True
    return keep
