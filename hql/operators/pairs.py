"""PairsOperator: which rows of two scans can belong together, found through an index in batches.

In: the rows of both scans (ordinals are places among them). Out: BIGINT columns `__left` and
`__right`, each pair once, a superset of the pairs that the test above lets through.

Within a distance: the boxes of all left geometries, grown by it, are searched for. Nearest: the k
nearest boxes to the middle of each left geometry are measured; the k-th distance bounds a box that
is searched like one of a distance join. Rows without a distance come first in the order (NULLs are
lowest): right rows the index knows nothing about belong to every left row, and a left row without a
geometry to the first k right rows.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.operators.base import Execution, Figures
from hartonomous.hql.operators.indexed import Box, grown, known_reach, open_search
from hartonomous.hql.operators.scan import ADDRESS, ROW_ID, ScanOperator
from hartonomous.hql.operators.wide import Int64
from hartonomous.hql.rules.simple import value_of
from hartonomous.storage.access.rtree import boxes_of
from hartonomous.storage.access.search import Search

#: left rows that are searched for at once
_BATCH = 65_536


@frozen
class PairsOperator:
    """`label` stands before the names of its columns in the fragment."""

    source: p.Pairs
    label: str
    left: ScanOperator
    right: ScanOperator

    @property
    def relation(self) -> int:
        return self.source.relation

    def preview(self, execution: Execution) -> pa.Table:
        nothing = np.empty(0, np.int64)
        return self._named(nothing, nothing)

    def table(self, execution: Execution) -> pa.Table:
        """What is registered under the relation's name."""
        started = time.perf_counter()
        left = self.left.stored_column(self.source.left_column, execution)
        right = self.right.stored_column(self.source.right_column, execution)
        view = view_of(self.right.scan.table, execution.at(self.right.scan.moment))
        search = open_search(self.source.index, view)
        finder = _Finder(self, search, right, execution)
        lefts: list[Int64] = []
        rights: list[Int64] = []
        first = 0
        for batch in left.select([0]).to_batches(max_chunksize=_BATCH):
            execution.limits.check()
            numbers, found = finder.find(batch.column(0))
            lefts.append(numbers + first)
            rights.append(found)
            first += batch.num_rows
        nothing = np.empty(0, np.int64)
        table = self._named(np.concatenate([nothing, *lefts]), np.concatenate([nothing, *rights]))
        if execution.measured is not None:
            figures = Figures(
                rows=table.num_rows,
                seconds=time.perf_counter() - started,
                bytes=table.nbytes,
                nodes_visited=finder.visited,
                candidates=table.num_rows,
            )
            execution.measured.note(self, figures)
        return table

    def _named(self, left: Int64, right: Int64) -> pa.Table:
        names = [f"{self.label}.{f.name}" for f in self.source.fields]
        return pa.table([pa.array(left), pa.array(right)], names=names)


class _Finder:
    """Right rows for batches of left geometries."""

    def __init__(
        self, operator: PairsOperator, search: Search, right: pa.Table, execution: Execution
    ) -> None:
        source = operator.source
        self._search, self._scale, self.visited = search, search.scale, 0
        self._addresses: Int64 = right.column(ADDRESS).to_numpy()
        self._distance = 0.0
        self._count: int | None = None
        if source.distance is not None:
            reach = known_reach(source.distance, execution)
            self._distance = np.nan if reach is None else reach
        self._empty = np.empty(0, np.int64)
        if source.empties:
            missing = self._ordinals(search.missing)[1]
            is_filled = right.column(0).take(pa.array(missing)).is_valid().to_numpy()
            self._empty = missing[is_filled]
        if source.nearest is not None:
            self._count = value_of(source.nearest, execution.parameters)
            order = np.argsort(right.column(ROW_ID).to_numpy(), kind="stable")
            self._first = order[: self._count]  # by row id: ties are broken by it
            self._missing = self._ordinals(search.missing)[1]
            self._geometries = right.column(0)

    def find(self, geometries: pa.Array) -> tuple[Int64, Int64]:
        """Places in the batch, and ordinals on the right."""
        boxes = boxes_of(geometries)
        filled = np.flatnonzero(~np.isnan(boxes[:, 0]))
        boxes = boxes[filled]
        if self._count is None:
            reach = np.full(len(boxes), self._distance)
            numbers, found = self._within(boxes, reach)
            if not len(self._empty):
                return filled[numbers], found
            is_empty = geometries.is_valid().to_numpy(zero_copy_only=False)
            is_empty[filled] = False
            empty = np.flatnonzero(is_empty)
            lefts = np.repeat(empty, len(self._empty))
            rights = np.tile(self._empty, len(empty))
            return np.concatenate((filled[numbers], lefts)), np.concatenate((found, rights))
        if not self._count:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        numbers, found = self._within(boxes, self._reach(geometries.take(pa.array(filled)), boxes))
        empty = np.setdiff1d(np.arange(len(geometries)), filled)
        every = np.repeat(filled, len(self._missing)), np.tile(self._missing, len(filled))
        firsts = np.repeat(empty, len(self._first)), np.tile(self._first, len(empty))
        lefts = np.concatenate((filled[numbers], every[0], firsts[0]))
        return lefts, np.concatenate((found, every[1], firsts[1]))

    def _within(self, boxes: Box, reach: Box) -> tuple[Int64, Int64]:
        known = np.flatnonzero(~np.isnan(reach))
        found = self._search.overlapping(grown(boxes[known], reach[known], self._scale))
        self.visited += found.visited
        kept, ordinals = self._ordinals(found.addresses)
        return known[found.queries[kept]], ordinals

    def _reach(self, geometries: pa.Array, boxes: Box) -> Box:
        """float64[N]: a distance within which the k nearest of each lie."""
        assert self._count is not None
        near = self._search.nearest(boxes[:, :3] * 0.5 + boxes[:, 3:] * 0.5, self._count)
        self.visited += near.visited
        kept, ordinals = self._ordinals(near.addresses)
        queries = near.queries[kept]
        measured = _distances(
            geometries.take(pa.array(queries)), self._geometries.take(pa.array(ordinals))
        )
        queries, measured = queries[~np.isnan(measured)], measured[~np.isnan(measured)]
        order = np.lexsort((measured, queries))
        queries, measured = queries[order], measured[order]
        starts = np.searchsorted(queries, np.arange(len(boxes) + 1))
        place = starts[:-1] + self._count - 1
        reach = np.full(len(boxes), np.inf)  # fewer than k: all are wanted
        enough = place < starts[1:]
        reach[enough] = measured[place[enough]]
        return reach

    def _ordinals(self, addresses: Int64) -> tuple[Int64, Int64]:
        """Which of the addresses are rows of the right scan, and their ordinals there."""
        if not len(self._addresses):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        places = np.searchsorted(self._addresses, addresses)
        places[places == len(self._addresses)] = 0
        kept = np.flatnonzero(self._addresses[places] == addresses)
        return kept, places[kept]


def _distances(left: Any, right: Any) -> Box:
    """float64[N] distances of geometries side by side; NaN for none."""
    from hartonomous.hql.functions.geometry_methods import distance

    if isinstance(right, pa.ChunkedArray):
        right = right.combine_chunks()
    if not len(left):
        return np.empty(0)
    found: Box = distance(left, right).to_numpy(zero_copy_only=False).astype(np.float64)
    return found
