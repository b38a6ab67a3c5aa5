"""Geometries between Arrow and the kernels: columns as `Shapes` and back, NULLs, single values.

A column is an array of GEOMETRY's struct (hql/types.py), a constant a scalar of it. `shapes_of`
copies nothing of an array without NULLs; arrays may be slices and mapped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault, ResourceFault
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.types import GEOMETRY
from hartonomous.kernels.geometry.layout import Shapes

if TYPE_CHECKING:
    import pyarrow as pa

    Mask = npt.NDArray[np.bool_]
    Int64 = npt.NDArray[np.int64]

#: bytes of one value beside its rings and points, in words of 4: kind, srid, radius, rings
_HEAD_WORDS = 5
_POINT_WORDS = 6


# --- between Arrow and arrays --------------------------------------------------------------------


def is_scalar(value: Any) -> bool:
    import pyarrow as pa

    return isinstance(value, pa.Scalar)


def as_array(value: Any) -> pa.Array:
    """An array, of one value if it was a scalar."""
    import pyarrow as pa

    return pa.array([value], value.type) if is_scalar(value) else plain(value)


def valid_rows(array: pa.Array) -> Mask | None:
    """bool[N]: which values are not NULL; None if all are."""
    if array.null_count == 0:
        return None
    mask: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def shapes_of(values: Any) -> tuple[Shapes, Mask | None]:
    """The values of a column (or scalar) that are not NULL, and bool[N] that says which they are;
    None if all are."""
    array = as_array(values)
    valid = valid_rows(array)
    if valid is None:
        return _whole(array), None
    if not valid.any():
        return EMPTY, valid
    return _whole(array).take(np.flatnonzero(valid)), valid


def _whole(array: pa.Array) -> Shapes:
    """Every slot of an array; what is under NULLs has no meaning."""
    kind, radius, srid, rings, coords = (array.field(i) for i in range(5))
    points = coords.values
    assert points.null_count == 0 and points.flatten().null_count == 0, "NULL inside a geometry"
    return Shapes(
        _numbers(kind),
        _numbers(radius),
        _numbers(srid),
        rings.offsets.to_numpy().astype(np.int64),
        _numbers(rings.values),
        coords.offsets.to_numpy().astype(np.int64),
        _numbers(points.flatten()).reshape(-1, 3),
    )


def _numbers(array: pa.Array) -> Any:
    return (array.fill_null(0) if array.null_count else array).to_numpy()


def array_of_shapes(shapes: Shapes, valid: Mask | None = None) -> pa.Array:
    """The values as an array of GEOMETRY's struct; with `valid` they stand where it is true, and
    there is NULL elsewhere. No copy of points unless the shapes are a part of larger arrays."""
    import pyarrow as pa

    rings, coords = (GEOMETRY.arrow.field(n).type for n in ("rings", "coords"))
    first, last = int(shapes.coord_starts[0]), int(shapes.coord_starts[-1])
    points = np.ascontiguousarray(shapes.coords[first:last]).reshape(-1)
    ring_first, ring_last = int(shapes.ring_starts[0]), int(shapes.ring_starts[-1])
    if last - first >= 2**31:
        raise ResourceFault("a batch of geometries has over 2 billion points", code="MEMORY")
    columns = [
        pa.array(np.ascontiguousarray(shapes.kind), pa.int8()),
        pa.array(np.ascontiguousarray(shapes.radius), pa.float64()),
        pa.array(np.ascontiguousarray(shapes.srid), pa.int32()),
        pa.ListArray.from_arrays(
            pa.array((shapes.ring_starts - ring_first).astype(np.int32)),
            pa.array(np.ascontiguousarray(shapes.rings[ring_first:ring_last]), pa.int32()),
            rings,
        ),
        pa.ListArray.from_arrays(
            pa.array((shapes.coord_starts - first).astype(np.int32)),
            pa.FixedSizeListArray.from_arrays(
                pa.array(points, pa.float64()), type=coords.value_type
            ),
            coords,
        ),
    ]
    array = pa.StructArray.from_arrays(columns, fields=list(GEOMETRY.arrow))
    return with_nulls(array, valid)


def with_nulls(array: pa.Array, valid: Mask | None) -> pa.Array:
    """The values of `array` put where `valid` is true, NULL elsewhere."""
    import pyarrow as pa

    if valid is None or valid.all():
        return array
    if not valid.any():
        return pa.nulls(len(valid), array.type)
    places = np.full(len(valid), -1, np.int64)
    places[valid] = np.arange(len(array))
    return array.take(pa.array(places, mask=~valid))


EMPTY = Shapes(
    np.empty(0, np.int8),
    np.empty(0, np.float64),
    np.empty(0, np.int32),
    np.zeros(1, np.int64),
    np.empty(0, np.int32),
    np.zeros(1, np.int64),
    np.empty((0, 3)),
)


# --- arguments of kernels ------------------------------------------------------------------------


def rows_of(*values: Any) -> int:
    """How many rows arguments have; 1 if all are scalars."""
    return next((len(v) for v in values if not is_scalar(v)), 1)


class Given(NamedTuple):
    """Arguments without the rows where one of them is NULL. `values`: Shapes or NumPy arrays of as
    many rows, of one row for what was a scalar. `valid`: bool[N], None if no row was left out."""

    values: tuple[Any, ...]
    valid: Mask | None


def given(*arguments: Any) -> Given | None:
    """Arguments for a kernel; None if one is NULL everywhere."""
    arguments = tuple(plain(a) for a in arguments)
    masks: list[Mask] = []
    for argument in arguments:
        if is_scalar(argument):
            if not argument.is_valid:
                return None
        elif argument.null_count:
            masks.append(argument.is_valid().to_numpy(zero_copy_only=False))
    valid = np.logical_and.reduce(masks) if masks else None
    if valid is not None and not valid.any():
        return None
    return Given(tuple(_part(a, valid) for a in arguments), valid)


def _part(argument: Any, valid: Mask | None) -> Any:
    import pyarrow as pa

    array = as_array(argument)
    keep = None if valid is None or is_scalar(argument) else np.flatnonzero(valid)
    if pa.types.is_struct(array.type):
        shapes = _whole(array)
        return shapes if keep is None else shapes.take(keep)
    if keep is not None:
        array = array.take(pa.array(keep))
    return array.to_numpy(zero_copy_only=False)


def one_by_one(
    value: Any, compute: Callable[[Shapes], Any], result: Callable[[Any, Mask | None], pa.Array]
) -> pa.Array:
    """`compute` over the values that are not NULL; `result` makes the array."""
    shapes, valid = shapes_of(value)
    return result(compute(shapes), valid)


def srids_of(*sides: Shapes) -> npt.NDArray[np.int32]:
    """int32[N]: the SRID that the values of each row have together: 0 goes with any. Two others
    that differ are SRID_MISMATCH."""
    together = sides[0].srid
    for side in sides[1:]:
        clash = (together != side.srid) & (together != 0) & (side.srid != 0)
        if clash.any():
            row = int(np.argmax(clash))
            one, other = (np.broadcast_to(s, clash.shape)[row] for s in (together, side.srid))
            raise srid_mismatch(int(one), int(other))
        together = np.where(together == 0, side.srid, together)
    return together


def srid_mismatch(one: int, other: int) -> ExecutionFault:
    return ExecutionFault(
        f"a geometry of SRID {one} and one of SRID {other} are not in one space",
        code="SRID_MISMATCH",
        hint="0 goes with any SRID: geometry::STGeomFromText(g.STAsText(), 0)",
    )


# --- equality ------------------------------------------------------------------------------------


def canonical_words(array: pa.Array) -> tuple[Int64, npt.NDArray[np.uint32]]:
    """int64[N+1] offsets and the words of each value, none of them NULL: kind, SRID, radius, number
    of rings, rings, points. Equal values have equal words: -0 is 0."""
    shapes = _whole(array)
    rings, points = np.diff(shapes.ring_starts), shapes.num_points
    offsets = np.zeros(len(shapes) + 1, np.int64)
    np.cumsum(_HEAD_WORDS + rings + _POINT_WORDS * points, out=offsets[1:])
    words = np.empty(offsets[-1], np.uint32)
    starts = offsets[:-1]
    words[starts] = shapes.kind.astype(np.uint32)
    words[starts + 1] = shapes.srid.astype(np.uint32)
    radius = (shapes.radius + 0.0).view(np.uint32).reshape(-1, 2)
    words[starts[:, None] + (2, 3)] = radius
    words[starts + 4] = rings.astype(np.uint32)
    first, last = int(shapes.ring_starts[0]), int(shapes.ring_starts[-1])
    places = _places(starts + _HEAD_WORDS, shapes.ring_starts, 1)
    words[places] = shapes.rings[first:last].astype(np.uint32)
    first, last = int(shapes.coord_starts[0]), int(shapes.coord_starts[-1])
    places = _places(starts + _HEAD_WORDS + rings, shapes.coord_starts, _POINT_WORDS)
    words[places] = (shapes.coords[first:last] + 0.0).reshape(-1).view(np.uint32)
    return offsets, words


def _places(begin: Int64, starts: Int64, width: int) -> Int64:
    """Where the elements of list i, each `width` words, go if the list goes to begin[i]."""
    lengths = np.diff(starts) * width
    shift = np.repeat(begin - (starts[:-1] - starts[0]) * width, lengths)
    return np.asarray(shift + np.arange(int(lengths.sum())), np.int64)
