"""Geometries as text and bytes: STAsText, Parse, WKB, and the casts, over Arrow arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions.geometry_kernels import (
    array_of_shapes,
    as_array,
    is_scalar,
    rows_of,
    shapes_of,
    valid_rows,
    with_nulls,
)
from hartonomous.hql.functions.geometry_methods import check_srid
from hartonomous.hql.functions.vector_arrays import plain
from hartonomous.hql.types import GEOMETRY
from hartonomous.kernels.geometry.layout import HULL, Shapes

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.kernels.geometry.faults import Each

    Mask = npt.NDArray[np.bool_]
    Int64 = npt.NDArray[np.int64]

#: characters of a text that an error shows before and after the place
_SHOWN = 24


# --- out -----------------------------------------------------------------------------------------


def to_text(value: Any, with_srid: bool = False) -> pa.Array:
    """STAsText; `with_srid` puts `SRID=n;` before it where there is one, which Parse reads."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shapes, valid = shapes_of(value)
    texts = texts_of(shapes)
    if with_srid and shapes.srid.any():
        marks = pc.binary_join_element_wise(
            "SRID=", pa.array(shapes.srid).cast(pa.string()), ";", ""
        )
        stated = pa.array(shapes.srid != 0)
        texts = pc.binary_join_element_wise(pc.if_else(stated, marks, ""), texts, "")
    return with_nulls(texts, valid)


def texts_of(shapes: Shapes) -> pa.Array:
    """Well-known text of each value, without SRID."""
    import pyarrow as pa

    from hartonomous.kernels.geometry.wkt import format_wkt

    return _column(pa.large_string(), *format_wkt(shapes)).cast(pa.string())


def to_binary(value: Any) -> pa.Array:
    """STAsBinary."""
    import pyarrow as pa

    from hartonomous.kernels.geometry.wkb import format_wkb

    shapes, valid = shapes_of(value)
    swept, hull = shapes.radius > 0, shapes.kind == HULL
    for wrong, what in ((swept, "a geometry with a radius"), (hull, "a HULL")):
        if wrong.any():
            raise ExecutionFault(
                f"well-known binary has no form for {what}", code="BAD_VALUE",
                hint="STAsText() writes every geometry",
            )  # fmt: skip
    return with_nulls(_column(pa.large_binary(), *format_wkb(shapes)).cast(pa.binary()), valid)


def _column(type_: pa.DataType, offsets: Int64, data: npt.NDArray[np.uint8]) -> pa.Array:
    import pyarrow as pa

    starts = pa.py_buffer(np.ascontiguousarray(offsets, np.int64))
    bytes_ = pa.py_buffer(np.ascontiguousarray(data))
    return pa.Array.from_buffers(type_, len(offsets) - 1, [None, starts, bytes_])


# --- in ------------------------------------------------------------------------------------------


def parse(text: Any) -> pa.Array:
    """geometry::Parse."""
    return from_text(text)


def from_text(text: Any, srid: Any = None) -> pa.Array:
    """geometry::STGeomFromText."""
    return _read(text, srid, is_text=True, lenient=False)


def from_binary(data: Any, srid: Any = None) -> pa.Array:
    """geometry::STGeomFromWKB."""
    return _read(data, srid, is_text=False, lenient=False)


def convert(value: Any, lenient: Any) -> pa.Array:
    """CAST to GEOMETRY of a string (as Parse) or of bytes (as STGeomFromWKB)."""
    import pyarrow as pa

    array = as_array(value)
    try_ = lenient.as_py() if is_scalar(lenient) else plain(lenient)[0].as_py()
    if array.null_count == len(array):
        return pa.nulls(len(array), GEOMETRY.arrow)
    return _read(array, None, is_text=not _is_binary(array.type), lenient=try_)


def _is_binary(type_: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _read(given: Any, srid: Any, *, is_text: bool, lenient: bool) -> pa.Array:
    """The geometries of texts or bytes; a bad one is an error, or NULL if `lenient`."""
    import pyarrow as pa

    count = rows_of(given, *([] if srid is None else [srid]))
    array = as_array(given)
    if is_scalar(given) and count > 1:
        array = pa.repeat(given, count)
    valid = valid_rows(array)
    srids: Any = 0
    if srid is not None:
        numbers = as_array(srid)
        if is_scalar(srid) and count > 1:
            numbers = pa.repeat(srid, count)
        known = valid_rows(numbers)
        if known is not None:
            valid = known if valid is None else valid & known
        srids = numbers if valid is None else numbers.filter(pa.array(valid))
        srids = srids.to_numpy(zero_copy_only=False)
        check_srid(srids)
    rows = array if valid is None else array.filter(pa.array(valid))
    if not len(rows):
        return pa.nulls(count, GEOMETRY.arrow)
    found, good = _parsed(rows, srids, is_text=is_text, lenient=lenient)
    if good is not None:
        where = np.ones(count, np.bool_) if valid is None else valid.copy()
        where[where] = good
        found, valid = found.take(np.flatnonzero(good)), where
    return array_of_shapes(found, valid)


def _parsed(
    rows: pa.Array, srids: Any, *, is_text: bool, lenient: bool
) -> tuple[Shapes, Mask | None]:
    """The geometries of rows without NULLs; if `lenient`, bool[N] of the good ones if not all
    are."""
    each = (_scan_text if is_text else _scan_bytes)(*_bytes(rows), srids)
    bad = each.codes != 0
    if not bad.any():
        return each.shapes, None
    if lenient:
        return each.shapes, ~bad
    row = int(np.argmax(bad))
    given = rows[row].as_buffer().to_pybytes()
    place, code = int(each.positions[row]), int(each.codes[row])
    raise _text_fault(given, place, code) if is_text else _binary_fault(given, place, code)


def _scan_text(offsets: Int64, data: npt.NDArray[np.uint8], srids: Any) -> Each:
    from hartonomous.kernels.geometry.wkt import parse_wkt_each

    return parse_wkt_each(offsets, data, srids)


def _scan_bytes(offsets: Int64, data: npt.NDArray[np.uint8], srids: Any) -> Each:
    from hartonomous.kernels.geometry.wkb import parse_wkb_each

    return parse_wkb_each(offsets, data, srids)


def _bytes(rows: pa.Array) -> tuple[Int64, npt.NDArray[np.uint8]]:
    """int64[N+1] offsets and uint8[…] of a string or binary column."""
    import pyarrow as pa

    large = rows.cast(pa.large_binary() if _is_binary(rows.type) else pa.large_string())
    _, starts, data = large.buffers()
    offsets = np.frombuffer(starts, np.int64, len(large) + 1, large.offset * 8)
    return offsets, np.frombuffer(data if data is not None else b"", np.uint8)


def _code(code: int) -> str:
    from hartonomous.kernels.geometry import faults

    if code == faults.SRID_CONFLICT:
        return "SRID_MISMATCH"
    return "BAD_VALUE" if code == faults.NOT_FINITE else "BAD_CAST"


def _text_fault(given: bytes, place: int, code: int) -> ExecutionFault:
    from hartonomous.kernels.geometry.wkt import describe

    before = given[:place].decode("utf-8", "replace")
    after = given[place:].decode("utf-8", "replace")
    shown = ("…" if len(before) > _SHOWN else "") + before[-_SHOWN:]
    shown += after[:_SHOWN] + ("…" if len(after) > _SHOWN else "")
    return ExecutionFault(
        f"'{shown}' is not a geometry: {describe(code, given, place)} "
        f"(at character {len(before) + 1})",
        code=_code(code),
        hint="write it as 'POINT Z (1 2 3)' or 'LINESTRING (0 0, 1 1)'",
    )


def _binary_fault(given: bytes, place: int, code: int) -> ExecutionFault:
    from hartonomous.kernels.geometry.wkb import describe

    return ExecutionFault(
        f"{len(given):,} bytes are not a geometry: {describe(code, given, place)} "
        f"(at byte {place + 1})",
        code=_code(code),
        hint="well-known binary of a POINT, LINESTRING, POLYGON or MULTIPOINT",
    )


def shape_of_text(text: str, srid: int = 0) -> Shapes:
    """The one geometry of a text; raises as geometry::STGeomFromText."""
    import pyarrow as pa

    check_srid(np.array([srid]))
    shapes, _ = _parsed(pa.array([text]), srid, is_text=True, lenient=False)
    return shapes
