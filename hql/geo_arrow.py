"""Foreign columns of geometries as GEOMETRY: GeoArrow's encodings, GeoParquet, our own struct.

| what the field says | values |
| --- | --- |
| nothing, but it is GEOMETRY's struct | as they are, checked |
| geoarrow.wkb, geoarrow.wkt | well-known binary and text |
| geoarrow.point | struct<x, y[, z]> or fixed_size_list<double>[2 or 3]; all NaN is EMPTY |
| geoarrow.linestring, .multipoint | lists of these |
| geoarrow.polygon | lists of lists of these |
| GeoParquet's metadata of a file | the column's encoding, as above |

The SRID is the code of the field's CRS (`EPSG:4326` → 4326), or 0. Other GeoArrow types, M
coordinates and NULLs inside a value are refused. GeoArrow: https://geoarrow.org/format.html
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as t

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.types import GEOMETRY
from hartonomous.kernels.geometry.layout import LINESTRING, MULTIPOINT, POINT, POLYGON, Shapes
from hartonomous.kernels.geometry.validity import first_fault

NAME, METADATA = b"ARROW:extension:name", b"ARROW:extension:metadata"
OWN = "own"

_KINDS = {
    "geoarrow.point": (POINT, 0),
    "geoarrow.linestring": (LINESTRING, 1),
    "geoarrow.multipoint": (MULTIPOINT, 1),
    "geoarrow.polygon": (POLYGON, 2),
}
_SERIALISED = ("geoarrow.wkb", "geoarrow.wkt")
#: GeoParquet's encodings -> GeoArrow's
_PARQUET = {"WKB": "geoarrow.wkb"} | {n.removeprefix("geoarrow."): n for n in _KINDS}
_CODE = re.compile(r"\w+:(\d{1,9})")


# --- what a field is -----------------------------------------------------------------------------


def encoding_of(field: pa.Field) -> str | None:
    """How a field holds geometries, or None if it holds none that HQL has."""
    name = _said(field)[0]
    if name is None:
        return OWN if _is_own(field.type) else None
    storage = _storage(field.type)
    if name in _SERIALISED:
        fits = _is_string(storage) if name == "geoarrow.wkt" else _is_binary(storage)
        return name if fits else None
    if name not in _KINDS:
        return None
    inner = storage
    for _ in range(_KINDS[name][1]):
        if not _is_list(inner):
            return None
        inner = inner.value_type
    return name if _has_coordinates(inner) else None


def _said(field: pa.Field) -> tuple[str | None, Any]:
    """The field's GeoArrow name and its metadata."""
    if isinstance(field.type, pa.BaseExtensionType):
        name = field.type.extension_name
        given: Any = field.type.__arrow_ext_serialize__() if name.startswith("geoarrow.") else b""
    else:
        metadata = field.metadata or {}
        name, given = metadata.get(NAME, b"").decode(), metadata.get(METADATA, b"")
    return (name, given) if name.startswith("geoarrow.") else (None, b"")


def _storage(arrow: pa.DataType) -> pa.DataType:
    return arrow.storage_type if isinstance(arrow, pa.BaseExtensionType) else arrow


def _is_list(arrow: pa.DataType) -> bool:
    return bool(t.is_list(arrow) or t.is_large_list(arrow))


def _is_string(arrow: pa.DataType) -> bool:
    return bool(t.is_string(arrow) or t.is_large_string(arrow) or t.is_string_view(arrow))


def _is_binary(arrow: pa.DataType) -> bool:
    return bool(t.is_binary(arrow) or t.is_large_binary(arrow) or t.is_binary_view(arrow))


def _has_coordinates(arrow: pa.DataType) -> bool:
    if t.is_fixed_size_list(arrow):
        named_m = arrow.value_field.name in ("xym", "xyzm")
        return arrow.list_size in (2, 3) and t.is_float64(arrow.value_type) and not named_m
    if not t.is_struct(arrow):
        return False
    fields = [arrow.field(i) for i in range(arrow.num_fields)]
    numbers = all(t.is_float64(f.type) for f in fields)
    return numbers and [f.name for f in fields] in (["x", "y"], ["x", "y", "z"])


def _is_own(arrow: pa.DataType) -> bool:
    """Whether it is GEOMETRY's struct, with lists of either width and any names inside."""
    if not t.is_struct(arrow) or arrow.num_fields != GEOMETRY.arrow.num_fields:
        return False
    fields = [arrow.field(i) for i in range(arrow.num_fields)]
    if [f.name for f in fields] != [f.name for f in GEOMETRY.arrow]:
        return False
    kind, radius, srid, rings, coords = (f.type for f in fields)
    if not (t.is_integer(kind) and t.is_floating(radius) and t.is_integer(srid)):
        return False
    if not (_is_list(rings) and t.is_integer(rings.value_type) and _is_list(coords)):
        return False
    point = coords.value_type
    return bool(t.is_fixed_size_list(point) and point.list_size == 3)


def srid_of(field: pa.Field) -> int:
    """The code of the field's coordinate reference system; 0 if it states none with a number."""
    crs = _object(_said(field)[1]).get("crs")
    if isinstance(crs, dict) and isinstance(crs.get("id"), dict):
        crs = f"{crs['id'].get('authority')}:{crs['id'].get('code')}"
    match = _CODE.fullmatch(str(crs))
    return int(match[1]) if match else 0


def _object(text: bytes) -> dict[str, Any]:
    """The JSON object that a foreign text is; empty if it is none."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def with_geoparquet(schema: pa.Schema) -> pa.Schema:
    """A file's schema with what its GeoParquet metadata says about columns put into the fields."""
    said = _object((schema.metadata or {}).get(b"geo", b""))
    columns = said.get("columns")
    for name, column in columns.items() if isinstance(columns, dict) else ():
        about = column if isinstance(column, dict) else {}
        encoding = _PARQUET.get(str(about.get("encoding")))
        place = schema.get_field_index(name)
        if encoding is None or place < 0 or _said(schema.field(place))[0] is not None:
            continue
        marks = {NAME: encoding, METADATA: json.dumps({"crs": about.get("crs")})}
        schema = schema.set(place, schema.field(place).with_metadata(marks))
    return schema


# --- values --------------------------------------------------------------------------------------


def geometries(array: Any, field: pa.Field) -> Any:
    """A column (Array or ChunkedArray) of a field that has an encoding, as GEOMETRY. Raises
    ExecutionFault (BAD_VALUE, BAD_CAST) without the column's name."""
    if isinstance(array, pa.ChunkedArray):
        chunks = [geometries(chunk, field) for chunk in array.chunks]
        return pa.chunked_array(chunks, GEOMETRY.arrow)
    encoding = encoding_of(field)
    assert encoding is not None, field
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if encoding == OWN:
        return _checked(array)
    if encoding in _SERIALISED:
        return _read(array, srid_of(field), encoding == "geoarrow.wkt")
    from hartonomous.hql.functions.geometry_kernels import array_of_shapes, valid_rows

    valid = valid_rows(array)
    shapes = _shapes(array if valid is None else array.drop_null(), encoding, srid_of(field))
    _check(shapes)
    return array_of_shapes(shapes, valid)


def _checked(array: pa.Array) -> pa.Array:
    from hartonomous.hql.functions.geometry_kernels import array_of_shapes, shapes_of, valid_rows

    array = array if array.type == GEOMETRY.arrow else array.cast(GEOMETRY.arrow)
    valid = valid_rows(array)
    full = array if valid is None else array.drop_null()
    parts = [full.field(i) for i in range(5)]
    inside = [*parts, parts[3].flatten(), parts[4].flatten(), parts[4].flatten().flatten()]
    if any(part.null_count for part in inside):
        raise ExecutionFault("a geometry has a part that is NULL", code="BAD_VALUE")
    shapes, _ = shapes_of(full)
    _check(shapes)
    return array if valid is None else array_of_shapes(shapes, valid)


def _check(shapes: Shapes) -> None:
    fault = first_fault(shapes)
    if fault is not None:
        raise ExecutionFault(fault[1], code="BAD_VALUE")


def _read(array: pa.Array, srid: int, is_text: bool) -> pa.Array:
    from hartonomous.hql.functions.geometry_forms import from_binary, from_text

    array = array.cast(pa.large_string() if is_text else pa.large_binary())
    return (from_text if is_text else from_binary)(array, pa.scalar(srid))


def _shapes(array: pa.Array, encoding: str, srid: int) -> Shapes:
    """The values of one of GeoArrow's native encodings, none of them NULL."""
    kind, depth = _KINDS[encoding]
    count = len(array)
    starts = [np.arange(count + 1, dtype=np.int64)]
    for _ in range(depth):
        starts.append(_starts(array))
        array = array.flatten()
        if array.null_count:
            raise ExecutionFault("a geometry has a part that is NULL", code="BAD_VALUE")
    coords = _coordinates(array)
    rings = np.empty(0, np.int32)
    ring_starts = np.zeros(count + 1, np.int64)
    coord_starts = starts[-1]
    if kind == POINT:
        present = ~np.isnan(coords[:, :2]).all(axis=1)
        coord_starts = np.concatenate(([0], np.cumsum(present))).astype(np.int64)
        coords = coords[present]
    elif kind == POLYGON:
        ring_starts, coord_starts = starts[1], starts[2][starts[1]]
        owner = np.repeat(coord_starts[:-1], np.diff(ring_starts))
        rings = (starts[2][:-1] - owner).astype(np.int32)
    return Shapes(
        np.full(count, kind, np.int8),
        np.zeros(count),
        np.full(count, srid, np.int32),
        ring_starts,
        rings,
        coord_starts,
        coords,
    )


def _starts(array: pa.Array) -> npt.NDArray[np.int64]:
    """int64[N+1]: where the lists begin in `array.flatten()`."""
    offsets = array.offsets.to_numpy().astype(np.int64)
    return np.asarray(offsets - offsets[0], np.int64)


def _coordinates(array: pa.Array) -> npt.NDArray[np.float64]:
    """float64[M, 3] of separated or interleaved coordinates."""
    out = np.zeros((len(array), 3))
    if t.is_fixed_size_list(array.type):
        width = array.type.list_size
        columns = [array.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)]
        out[:, :width] = columns[0]
        return out
    for axis in range(array.type.num_fields):
        out[:, axis] = array.field(axis).to_numpy(zero_copy_only=False)
    return out
