"""Rows that an index finds: regions, and what can be among the nearest.

Everything here gives addresses, a superset of the rows wanted; exact tests and distances follow
where they always do. Boxes are grown by the tolerance with which geometries are compared
(1e-12 of the largest coordinate), so that rounding loses nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.evaluate import evaluate
from hartonomous.hql.operators.wide import Int64
from hartonomous.hql.statistics import cost
from hartonomous.storage.access.rtree import boxes_of
from hartonomous.storage.access.search import Search
from hartonomous.storage.chunk import NO_ROWS
from hartonomous.storage.table import TableView

#: of the largest coordinate: twice what comparisons allow
_TOLERANCE = 4e-12

Box = npt.NDArray[np.float64]


@frozen
class Candidates:
    """Addresses, ascending, and how many nodes of the index were visited."""

    addresses: Int64
    visited: int


def find_region(region: p.Region, view: TableView, execution: Execution) -> Candidates | None:
    """Rows that may lie within the region; None where reading all rows costs less."""
    search = open_search(region.index, view)
    box = _box(region.of, execution)
    reach = 0.0 if region.distance is None else known_reach(region.distance, execution)
    if box is None or reach is None:
        # NULL is near nothing, and an empty geometry only equals empty ones
        return Candidates(search.missing if region.distance is None else NO_ROWS, 0)
    found = search.overlapping(grown(box[None], np.array([reach]), search.scale))
    if not (region.index.forced or _pays(len(found.addresses), view)):
        return None
    return Candidates(np.sort(found.addresses), found.visited)


def find_nearest(
    scan: p.Scan, count: int, view: TableView, among: Int64 | None, execution: Execution
) -> Candidates | None:
    """Rows that may be among the `count` nearest, those without a distance included; None where
    reading all rows costs less. `among`: addresses, ascending, of the rows that count."""
    nearest = scan.nearest
    assert nearest is not None and nearest.index is not None
    search = open_search(nearest.index, view)
    expr = next(c.expr for c in scan.computed if c.name == nearest.by)
    assert isinstance(expr, p.Call)
    column, of = expr.arguments
    if not isinstance(column, p.Column):
        column, of = of, column
    assert isinstance(column, p.Column)
    box = _box(of, execution)
    if box is None:
        return None
    center = box[:3] * 0.5 + box[3:] * 0.5
    first = search.nearest(center[None], count, among)
    distances = _distances(expr, column.name, first.addresses, view, execution)
    known = np.sort(distances[~np.isnan(distances)])
    # fewer than wanted: every row of the index is one
    reach = float(known[count - 1]) if len(known) >= count else np.inf
    within = search.overlapping(grown(box[None], np.array([reach]), search.scale))
    rows = within.addresses
    missing = search.missing
    if among is not None:
        rows, missing = (r[np.isin(r, among, assume_unique=True)] for r in (rows, missing))
    if not (nearest.index.forced or _pays(len(rows) + len(missing), view)):
        return None
    return Candidates(np.unique(np.concatenate((rows, missing))), first.visited + within.visited)


def open_search(index: p.Index, view: TableView) -> Search:
    """The search through an index, which is counted as one use of it."""
    entry = next(i for i in view.table.indexes if i.id == index.id)
    entry.searches[0] += 1
    return Search(view, entry)


def _pays(candidates: int, view: TableView) -> bool:
    return cost.few_rows(candidates, view.row_count)


def _box(of: p.Expr, execution: Execution) -> Box | None:
    """float64[6] of a known geometry; None if it is NULL or empty."""
    value = evaluate(of, {}, execution.parameters)
    box: Box = boxes_of(pa.array([value.as_py()], value.type))[0]
    return None if np.isnan(box[0]) else box


def known_reach(expr: p.Expr, execution: Execution) -> float | None:
    """The known number that distances are compared with. Every distance is below NaN."""
    value: Any = evaluate(expr, {}, execution.parameters).as_py()
    if value is None:
        return None
    return np.inf if np.isnan(float(value)) else float(value)


def grown(boxes: Box, reach: Box, scale: float) -> Box:
    """float64[N, 6] boxes grown by float64[N] distances and by the tolerance of comparisons with
    coordinates up to `scale`."""
    known = np.where(np.isinf(reach), 0.0, np.abs(reach))
    largest = np.maximum(np.maximum(np.abs(boxes).max(axis=1, initial=0.0), known), scale)
    slack = (reach + _TOLERANCE * largest)[:, None]
    with np.errstate(over="ignore"):  # a box that grows beyond all numbers is without end
        return np.concatenate((boxes[:, :3] - slack, boxes[:, 3:] + slack), axis=1)


def _distances(
    expr: p.Expr, column: str, addresses: Int64, view: TableView, execution: Execution
) -> Box:
    """float64[N]; NaN for none."""
    if not len(addresses):
        return np.empty(0)
    values = evaluate(expr, {column: view.gather(column, addresses)}, execution.parameters)
    found: Box = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return found
