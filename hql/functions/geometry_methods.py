"""The methods of geometries over Arrow arrays: what geometry.py names, computed.

Every kernel takes arrays and scalars and gives an array; NULL in, NULL out. What an empty geometry
has no answer for is NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions.base import Kernel
from hartonomous.hql.functions.geometry_kernels import (
    array_of_shapes,
    given,
    is_scalar,
    rows_of,
    shapes_of,
    srid_mismatch,
    srids_of,
    with_nulls,
)
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.limits import current
from hartonomous.hql.types import GEOMETRY
from hartonomous.kernels.geometry import measures
from hartonomous.kernels.geometry.layout import LINESTRING, POINT, Shapes

if TYPE_CHECKING:
    import pyarrow as pa

    Mask = npt.NDArray[np.bool_]


# --- results -------------------------------------------------------------------------------------


def _nulls(type_: Any, *arguments: Any) -> pa.Array:
    import pyarrow as pa

    return pa.nulls(rows_of(*arguments), type_)


def _numbers(values: Any, valid: Mask | None) -> pa.Array:
    """Numbers, NaN as NULL."""
    import pyarrow as pa

    return with_nulls(pa.array(values, from_pandas=True), valid)


def _points(shapes: Shapes, valid: Mask | None) -> pa.Array:
    """Points, empty ones as NULL."""
    full = ~shapes.is_empty
    if full.all():
        return array_of_shapes(shapes, valid)
    kept = shapes.take(np.flatnonzero(full))
    if valid is not None:
        spread = valid.copy()
        spread[valid] = full
        full = spread
    return array_of_shapes(kept, full)


def _pair(
    a: Any, b: Any, result: Any, compute: Callable[[Shapes, Shapes, Any], npt.NDArray[Any]]
) -> pa.Array:
    """`compute` over the rows of two geometries, given the statement's cancel flag; `result` is
    the Arrow type."""
    sides = given(a, b)
    if sides is None:
        return _nulls(result, a, b)
    left, right = sides.values
    srids_of(left, right)
    limits = current()
    values = compute(left, right, None if limits is None else limits.flag)
    if limits is not None:
        limits.check()  # a kernel that was stopped gives half an answer
    return _numbers(values, sides.valid)


# --- two geometries ------------------------------------------------------------------------------


def distance(a: Any, b: Any) -> pa.Array:
    """STDistance."""
    import pyarrow as pa

    from hartonomous.kernels.geometry.distance import distances

    return _pair(a, b, pa.float64(), distances)


def intersects(a: Any, b: Any) -> pa.Array:
    """STIntersects."""
    import pyarrow as pa

    from hartonomous.kernels.geometry import distance as kernels

    return _pair(a, b, pa.bool_(), kernels.intersects)


def disjoint(a: Any, b: Any) -> pa.Array:
    """STDisjoint: not STIntersects."""
    import pyarrow.compute as pc

    return pc.invert(intersects(a, b))


def within(a: Any, b: Any) -> pa.Array:
    """STWithin."""
    import pyarrow as pa

    from hartonomous.kernels.geometry import distance as kernels

    return _pair(a, b, pa.bool_(), kernels.within)


def contains(a: Any, b: Any) -> pa.Array:
    """STContains: STWithin the other way round."""
    return within(b, a)


def equals(a: Any, b: Any) -> pa.Array:
    """STEquals."""
    import pyarrow as pa

    from hartonomous.kernels.geometry import distance as kernels

    return _pair(a, b, pa.bool_(), kernels.equal_sets)


def hausdorff(a: Any, b: Any) -> pa.Array:
    """STHausdorffDistance."""
    import pyarrow as pa

    from hartonomous.kernels.geometry import distance as kernels

    return _pair(a, b, pa.float64(), kernels.hausdorff)


def frechet(a: Any, b: Any) -> pa.Array:
    """STFrechetDistance; both are paths."""
    import pyarrow as pa

    from hartonomous.kernels.geometry import distance as kernels

    def compute(left: Shapes, right: Shapes, cancel: Any) -> npt.NDArray[Any]:
        for side in (left, right):
            if not np.isin(side.kind, (POINT, LINESTRING)).all():
                raise ExecutionFault(
                    "STFrechetDistance compares paths: LINESTRING or POINT", code="BAD_VALUE"
                )
        return kernels.frechet(left, right, cancel)

    return _pair(a, b, pa.float64(), compute)


# --- one geometry --------------------------------------------------------------------------------


def buffer(value: Any, by: Any) -> pa.Array:
    """STBuffer: the ball that sweeps the core grows."""
    found = given(value, by)
    if found is None:
        return _nulls(GEOMETRY.arrow, value, by)
    shapes, more = found.values
    rows = max(len(shapes), len(more))
    with np.errstate(over="ignore"):
        radius = np.broadcast_to(shapes.radius, rows) + np.broadcast_to(more, rows)
    wrong = ~np.isfinite(radius) | (radius < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        had, by_ = (float(np.broadcast_to(x, rows)[row]) for x in (shapes.radius, more))
        raise ExecutionFault(
            f"STBuffer({by_:g}) of a geometry of radius {had:g}: a radius is 0 or more, and finite",
            code="BAD_VALUE",
        )
    if len(shapes) < rows:
        shapes = shapes.take(np.zeros(rows, np.int64))
    return array_of_shapes(replace(shapes, radius=np.ascontiguousarray(radius)), found.valid)


def _measured(
    measure: Callable[[Shapes], Any], form: Callable[[Any, Mask | None], pa.Array]
) -> Kernel:
    """A method without arguments: what `measure` finds of geometries, made an array by `form`."""

    def kernel(value: Any) -> pa.Array:
        shapes, valid = shapes_of(value)
        return form(measure(shapes), valid)

    return kernel


start_point = _measured(measures.start_point, _points)
end_point = _measured(measures.end_point, _points)
length = _measured(measures.length, _numbers)
centroid = _measured(measures.centroid, _points)
envelope = _measured(measures.envelope, array_of_shapes)
convex_hull = _measured(measures.convex_hull, array_of_shapes)


def point_n(value: Any, number: Any) -> pa.Array:
    """STPointN: from 1; NULL beyond the last."""
    found = given(value, number)
    if found is None:
        return _nulls(GEOMETRY.arrow, value, number)
    shapes, numbers = found.values
    if (numbers < 1).any():
        raise ExecutionFault(
            f"STPointN({int(numbers.min())}): points are counted from 1", code="BAD_VALUE"
        )
    rows = max(len(shapes), len(numbers))
    if len(shapes) < rows:
        shapes = shapes.take(np.zeros(rows, np.int64))
    wanted = np.broadcast_to(numbers, rows).astype(np.int64)
    return _points(measures.point_n(shapes, wanted), found.valid)


def num_points(value: Any) -> pa.Array:
    """STNumPoints."""
    import pyarrow as pa

    shapes, valid = shapes_of(value)
    return with_nulls(pa.array(shapes.num_points.astype(np.int32)), valid)


def srid(value: Any) -> pa.Array:
    """STSrid."""
    import pyarrow as pa

    shapes, valid = shapes_of(value)
    return with_nulls(pa.array(shapes.srid), valid)


def x(value: Any) -> pa.Array:
    """STX."""
    return _coordinate(value, 0)


def y(value: Any) -> pa.Array:
    """STY."""
    return _coordinate(value, 1)


def z(value: Any) -> pa.Array:
    """STZ."""
    return _coordinate(value, 2)


def _coordinate(value: Any, axis: int) -> pa.Array:
    """A coordinate of POINTs; NULL for other kinds and empty ones."""
    shapes, valid = shapes_of(value)
    is_point = (shapes.kind == POINT) & ~shapes.is_empty
    values = np.full(len(shapes), np.nan)
    values[is_point] = shapes.coords[shapes.coord_starts[:-1][is_point], axis]
    return _numbers(values, valid)


# --- making --------------------------------------------------------------------------------------


def point(*arguments: Any) -> pa.Array:
    """geometry::Point(x, y [, z [, srid]])."""
    found = given(*arguments)
    if found is None:
        return _nulls(GEOMETRY.arrow, *arguments)
    rows = max(len(v) for v in found.values)
    coords = np.zeros((rows, 3))
    for axis, values in enumerate(found.values[:3]):
        coords[:, axis] = values
    srids = np.zeros(rows, np.int64)
    if len(found.values) == 4:
        srids[:] = found.values[3]
    if not np.isfinite(coords).all():
        raise ExecutionFault("geometry::Point: a coordinate is not finite", code="BAD_VALUE")
    check_srid(srids)
    shapes = Shapes(
        np.full(rows, POINT, np.int8),
        np.zeros(rows),
        srids.astype(np.int32),
        np.zeros(rows + 1, np.int64),
        np.empty(0, np.int32),
        np.arange(rows + 1, dtype=np.int64),
        coords,
    )
    return array_of_shapes(shapes, found.valid)


def check_srid(srids: npt.NDArray[np.int64]) -> None:
    """BAD_VALUE unless all are 0 or more and fit 32 bits."""
    wrong = (srids < 0) | (srids >= 2**31)
    if wrong.any():
        number = int(srids[np.argmax(wrong)])
        raise ExecutionFault(
            f"{number} is not an SRID", code="BAD_VALUE", hint="an SRID is a number from 0 on"
        )


def line_of(*points: Any) -> pa.Array:
    """geometry::STLineFromPoints(a, b, …): a line through the arguments of each row."""
    rows = rows_of(*points)
    parts, owners = [], []
    for argument in map(plain, points):
        shapes, valid = shapes_of(argument)
        owner = np.arange(rows) if valid is None else np.flatnonzero(valid)
        if is_scalar(argument):
            owner = np.arange(rows if len(shapes) else 0)
            shapes = shapes.take(np.zeros(len(owner), np.int64))
        parts.append(shapes)
        owners.append(owner)
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    offsets = np.searchsorted(owner[order], np.arange(rows + 1)).astype(np.int64)
    return _lines(concatenated(parts).take(order), offsets)


def line(values: pa.Array, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """STLineFromPoints of groups: `values` one group after the other, int64[G+1] offsets."""
    shapes, valid = shapes_of(values)
    if valid is not None:
        offsets = np.concatenate(([0], np.cumsum(valid)))[offsets]
    return _lines(shapes, offsets)


def _lines(points: Shapes, offsets: npt.NDArray[np.int64]) -> pa.Array:
    """A LINESTRING through the points of each group, in their order. Empty points are left out; of
    one point the line is that point twice, and of none it is NULL."""
    if ((points.kind != POINT) | (points.radius != 0)).any():
        raise ExecutionFault(
            "STLineFromPoints takes points without a radius", code="BAD_VALUE",
            hint="STCentroid() gives a point of any geometry",
        )  # fmt: skip
    full = ~points.is_empty
    if not full.all():
        offsets = np.concatenate(([0], np.cumsum(full)))[offsets]
        points = points.take(np.flatnonzero(full))
    counts = np.diff(offsets)
    single = np.repeat(counts == 1, counts)
    rows = np.repeat(np.arange(len(points)), 1 + single)
    filled = counts > 0
    groups = int(filled.sum())
    lengths = np.maximum(counts[filled], 2)
    line = Shapes(
        np.full(groups, LINESTRING, np.int8),
        np.zeros(groups),
        _group_srids(points.srid, offsets[:-1][filled]),
        np.zeros(groups + 1, np.int64),
        np.empty(0, np.int32),
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        points.take(rows).coords,
    )
    return array_of_shapes(line, None if filled.all() else filled)


def _group_srids(
    srids: npt.NDArray[np.int32], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """The SRID that the points of each group have together; no group is empty."""
    if not len(starts):
        return np.empty(0, np.int32)
    largest = np.maximum.reduceat(srids, starts)
    # 0 goes with any, so it must not be the least
    least = np.minimum.reduceat(np.where(srids == 0, np.int32(2**31 - 1), srids), starts)
    clash = (largest != 0) & (least != largest)
    if clash.any():
        group = int(np.argmax(clash))
        raise srid_mismatch(int(least[group]), int(largest[group]))
    return largest


def concatenated(parts: list[Shapes]) -> Shapes:
    """The values of all parts, one part after the other."""
    whole = [p.take(np.arange(len(p))) for p in parts]
    return Shapes(
        np.concatenate([p.kind for p in whole]),
        np.concatenate([p.radius for p in whole]),
        np.concatenate([p.srid for p in whole]),
        _joined([p.ring_starts for p in whole]),
        np.concatenate([p.rings for p in whole]),
        _joined([p.coord_starts for p in whole]),
        np.concatenate([p.coords for p in whole]),
    )


def _joined(starts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Offsets that begin with 0, one after the other."""
    lengths = np.concatenate([np.diff(s) for s in starts])
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
