"""Values: Python's forms, HQL's types, texts.

A type's plain form is what a plan.Constant holds: None, bool, int, float, Decimal, str, bytes (also
16 of them for a UNIQUEIDENTIFIER), date, time, datetime (without a zone, UTC), float32[n],
Geometry. Callers get friendlier forms (`to_python`): uuid.UUID, datetime in UTC for DATETIMEOFFSET.

Parameters: an int is INT, BIGINT or DECIMAL by size, NumPy's scalars keep their width, a list or
tuple of numbers and a one-dimensional NumPy array are a VECTOR, other lists and dicts are JSON, and
what has a `__geo_interface__` (Shapely's geometries) is a GEOMETRY.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from hartonomous.hql.constant_casts import coerce_constant
from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.functions.coerce import literal_type
from hartonomous.hql.geometry_value import Geometry, values_of_array
from hartonomous.hql.types import (
    BIGINT,
    BIT,
    DATE,
    DATETIME2,
    DATETIMEOFFSET,
    FLOAT,
    GEOMETRY,
    INT,
    JSON,
    NULL,
    NVARCHAR,
    REAL,
    SMALLINT,
    TIME,
    TINYINT,
    UNIQUEIDENTIFIER,
    VARBINARY,
    Type,
    vector,
)
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["coerce_constant", "format_value", "parameter_value", "to_python", "type_of_value"]

_DIGITS_MAX = 38


class Typed:
    """A parameter whose type is known, with its value in plain form: as who sent it had it."""

    __slots__ = ("type", "value")

    def __init__(self, type_: Type, value: Any) -> None:
        self.type, self.value = type_, value

    def __repr__(self) -> str:
        return f"Typed({self.type}, {self.value!r})"


# --- Python → HQL --------------------------------------------------------------------------------


def type_of_value(value: Any) -> Type:
    """The type a Python value has as a parameter; ParameterFault if HQL has none for it."""
    return parameter_value("", value)[0]


def parameter_value(name: str, value: Any) -> tuple[Type, Any]:
    """Type and plain form of parameter `name`; ParameterFault if HQL has no type for it."""
    convert = _PYTHON.get(type(value))
    if convert is None:
        convert = next((f for c, f in _PYTHON.items() if isinstance(value, c)), _other)
    try:
        return convert(value)
    except (Error, ValueError, OverflowError, TypeError) as fault:
        given = f"parameter {name}" if name else "the value"
        reason = fault.message if isinstance(fault, Error) else str(fault)
        hint = fault.hint if isinstance(fault, Error) else None
        raise ParameterFault(f"{given}: {reason}", hint=hint) from fault


def _integer(value: int) -> tuple[Type, Any]:
    type_ = literal_type(value)
    return type_, Decimal(value) if type_.kind == "DECIMAL" else value


def _float(value: float) -> tuple[Type, Any]:
    return FLOAT, float(value)


def _decimal(value: Decimal) -> tuple[Type, Any]:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that DECIMAL has")
    return literal_type(value), value


def _string(value: str) -> tuple[Type, Any]:
    if not value.isascii():
        value.encode()  # a lone surrogate has no UTF-8 form
    return NVARCHAR, str(value)


def _moment(value: datetime) -> tuple[Type, Any]:
    if value.tzinfo is None:
        return DATETIME2, value
    return DATETIMEOFFSET, value.astimezone(UTC).replace(tzinfo=None)


def _time(value: time) -> tuple[Type, Any]:
    if value.tzinfo is not None:
        raise ValueError("a TIME has no zone")
    return TIME, value


def _array(value: np.ndarray[Any, Any]) -> tuple[Type, Any]:
    if value.ndim == 0:
        return parameter_value("", value.item())
    if value.ndim != 1 or value.dtype.kind not in "fiu":
        raise ValueError(
            f"an array of {value.dtype} with {value.ndim} dimensions is no vector; "
            "a VECTOR is one-dimensional and numeric"
        )
    with np.errstate(over="ignore"):
        narrow = value.astype(np.float32)  # a copy: the caller may change his
    if not np.array_equal(np.isinf(narrow), np.isinf(value)):
        raise ValueError("a number does not fit an element of a vector (32-bit float)")
    narrow.setflags(write=False)
    return vector(len(narrow)), narrow


def _sequence(value: Sequence[Any]) -> tuple[Type, Any]:
    numbers = (int, float, np.integer, np.floating)
    if value and all(isinstance(x, numbers) and not isinstance(x, bool) for x in value):
        return _array(np.array(value, np.float64))
    return _json(value)


def _json(value: Any) -> tuple[Type, Any]:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()
    return JSON, text


def _numpy_scalar(value: np.generic[Any]) -> tuple[Type, Any]:
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            return NULL, None
        plain = value.astype("datetime64[us]").item()
        if not isinstance(plain, datetime):
            raise ValueError(f"{value} is outside the years 1 to 9999")
        days = np.datetime_data(value.dtype)[0] in ("D", "W", "M", "Y")
        return (DATE, plain.date()) if days else (DATETIME2, plain)
    type_ = _NUMPY.get(value.dtype.name)
    if type_ is not None:
        return type_, value.item()
    if isinstance(value, np.timedelta64):
        return _other(value)
    return parameter_value("", value.item())


_NUMPY = {
    "bool": BIT,
    "int8": TINYINT,
    "int16": SMALLINT,
    "int32": INT,
    "int64": BIGINT,
    "uint8": SMALLINT,
    "uint16": INT,
    "uint32": BIGINT,
    "float16": REAL,
    "float32": REAL,
}


def _other(value: Any) -> tuple[Type, Any]:
    import pyarrow as pa

    from hartonomous.hql.arrow_tables import find_field_type
    from hartonomous.hql.geo_arrow import geometries

    if isinstance(value, pa.Scalar):
        field = pa.field("", value.type)
        if find_field_type(field) == GEOMETRY:
            array = geometries(pa.array([value], value.type), field)
            return GEOMETRY, values_of_array(array)[0]
        return parameter_value("", value.as_py())
    if hasattr(value, "__geo_interface__"):
        return GEOMETRY, Geometry.of(value)
    raise ParameterFault(
        f"HQL has no type for {type(value).__name__}",
        hint="pass a number, text, bytes, date, time, UUID, list, dict, NumPy array or geometry",
    )


#: exact classes first; subclasses are found in this order
_PYTHON: dict[type, Callable[[Any], tuple[Type, Any]]] = {
    type(None): lambda _: (NULL, None),
    bool: lambda v: (BIT, v),
    int: lambda v: _integer(int(v)),
    np.float64: _float,
    float: _float,
    str: _string,
    bytes: lambda v: (VARBINARY, bytes(v)),
    bytearray: lambda v: (VARBINARY, bytes(v)),
    memoryview: lambda v: (VARBINARY, bytes(v)),
    Decimal: _decimal,
    datetime: _moment,
    date: lambda v: (DATE, v),
    time: _time,
    uuid.UUID: lambda v: (UNIQUEIDENTIFIER, v.bytes),
    np.ndarray: _array,
    np.generic: _numpy_scalar,
    Geometry: lambda v: (GEOMETRY, v),
    Typed: lambda v: (v.type, v.value),
    list: _sequence,
    tuple: _sequence,
    dict: _json,
}


# --- Arrow → Python ------------------------------------------------------------------------------

#: so many values are made one by one, as that takes less time than to begin with NumPy
FEW_ROWS = 16


def to_python(array: pa.Array, type_: Type) -> list[Any]:
    """A column as Python values: whole columns at once, no Arrow scalars."""
    convert = _COLUMNS.get(type_.kind)
    is_little = len(array) <= FEW_ROWS and convert in (_numbers, _objects)
    if convert is None or is_little or array.null_count == len(array):
        return array.to_pylist()  # type: ignore[no-any-return]
    return convert(array)


def _numbers(array: pa.Array) -> list[Any]:
    if array.null_count == 0:
        return array.to_numpy(zero_copy_only=False).tolist()  # type: ignore[no-any-return]
    out = array.fill_null(0).to_numpy(zero_copy_only=False).astype(object)
    out[array.is_null().to_numpy(zero_copy_only=False)] = None
    return out.tolist()  # type: ignore[no-any-return]


def _objects(array: pa.Array) -> list[Any]:
    """Strings, bytes, decimals and truth values: NULL is None already."""
    return array.to_numpy(zero_copy_only=False).tolist()  # type: ignore[no-any-return]


def _moments(array: pa.Array) -> list[Any]:
    return array.to_numpy(zero_copy_only=False).tolist()  # type: ignore[no-any-return]


def _zoned(array: pa.Array) -> list[Any]:
    return [None if m is None else m.replace(tzinfo=UTC) for m in _moments(array)]


def _identifiers(array: pa.Array) -> list[Any]:
    return [None if b is None else uuid.UUID(bytes=b) for b in _objects(array)]


def _vectors(array: pa.Array) -> list[Any]:
    from hartonomous.hql.functions.vector_arrays import matrix_of, valid_rows

    if not str(array.type).startswith("fixed_size_list"):  # lengths may differ
        return [None if v is None else np.array(v, np.float32) for v in array.to_pylist()]
    valid = valid_rows(array)
    if valid is None:
        return list(matrix_of(array))
    rows = iter(matrix_of(array.drop_null()))
    return [next(rows) if v else None for v in valid.tolist()]


_COLUMNS: dict[str, Callable[[Any], list[Any]]] = {
    "BIT": _objects,
    "TINYINT": _numbers,
    "SMALLINT": _numbers,
    "INT": _numbers,
    "BIGINT": _numbers,
    "REAL": _numbers,
    "FLOAT": _numbers,
    "DECIMAL": _objects,
    "NVARCHAR": _objects,
    "JSON": _objects,
    "VARBINARY": _objects,
    "DATE": _moments,
    "DATETIME2": _moments,
    "DATETIMEOFFSET": _zoned,
    "UNIQUEIDENTIFIER": _identifiers,
    "VECTOR": _vectors,
    "GEOMETRY": values_of_array,
}


# --- text ----------------------------------------------------------------------------------------


def format_value(value: Any, type_: Type) -> str:
    """The text of a value, in its plain form or to_python's: what CAST to NVARCHAR gives, but
    `0x…` for VARBINARY and `NULL` for NULL."""
    if value is None:
        return "NULL"
    match type_.kind:
        case "BIT":
            return "1" if value else "0"
        case "FLOAT":
            return repr(float(value))
        case "REAL":
            return _real_text(np.float32(value))
        case "DECIMAL":
            return f"{Decimal(value):.{type_.b or 0}f}"
        case "VARBINARY":
            return "0x" + bytes(value).hex()
        case "UNIQUEIDENTIFIER":
            return str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value))
        case "DATE":
            return str(value.isoformat())
        case "TIME":
            return _short(value.isoformat())
        case "DATETIME2" | "DATETIMEOFFSET":
            offset = "+00:00" if type_.kind == "DATETIMEOFFSET" else ""
            return _short(value.replace(tzinfo=None).isoformat(" ")) + offset
        case "VECTOR":
            return _vector_text(value)
    return str(value)


def _real_text(value: np.float32) -> str:
    """As short as it reads back, in Python's layout of floats (NumPy's differs from 1e6 on)."""
    size = abs(value)
    if size != 0 and np.isfinite(value) and not 1e-4 <= size < 1e16:
        return np.format_float_scientific(value, trim="-", exp_digits=2)
    return np.format_float_positional(value, trim="0")


def _short(text: str) -> str:
    """Fractions of a second without zeros at the end."""
    return text.rstrip("0") if "." in text else text


def _vector_text(value: Any) -> str:
    import pyarrow as pa

    from hartonomous.hql.functions.vector_kernels import from_vector

    return str(from_vector(pa.array([np.asarray(value, np.float32)], pa.list_(pa.float32())))[0])
