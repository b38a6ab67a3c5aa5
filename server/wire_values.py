"""Values of parameters as msgpack has them: its own kinds, and extension types for the rest.

| msgpack | HQL |
| --- | --- |
| nil; bool; int; float; str; bin | NULL; BIT; INT or BIGINT; FLOAT; NVARCHAR; VARBINARY |
| array of numbers; other array, map | VECTOR; JSON |
| ext 1 | DECIMAL: its digits in ASCII, `-12.50` |
| ext 2 | DATE: int32, days since 1970-01-01 |
| ext 3 | TIME: int64, microseconds since midnight |
| ext 4, 5 | DATETIME2, DATETIMEOFFSET (UTC): int64, microseconds since 1970-01-01 |
| ext 6 | UNIQUEIDENTIFIER: its 16 bytes in RFC 9562's order |
| ext 7 | VECTOR: its float32 values |
| ext 8 | GEOMETRY: its parts one after the other, see below |
| ext 9 | JSON: its text in UTF-8 |
| ext 10, 11, 12, 13 | TINYINT, SMALLINT, INT, BIGINT: int8, int16, int32, int64 |
| ext 14 | REAL: float32 |
| ext 20 | a table: an Arrow IPC stream |
| ext 21 | a table: uint32, the number of an upload that holds its Arrow IPC stream |

A GEOMETRY is int8 kind (1 POINT, 2 LINESTRING, 3 POLYGON, 4 MULTIPOINT, 5 HULL), float64 radius,
int32 SRID, uint32 R; int32[R], the points at which rings begin; float64 x, y, z of each point.
Numbers are little-endian. A value that is not of its type's kind is a PARAMETER error of the
statement, as everything else that is wrong with parameters.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgpack
import numpy as np

from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.geometry_value import Geometry
from hartonomous.hql.types import (
    BIGINT,
    DATE,
    DATETIME2,
    DATETIMEOFFSET,
    INT,
    JSON,
    REAL,
    SMALLINT,
    TIME,
    TINYINT,
    UNIQUEIDENTIFIER,
)
from hartonomous.hql.values import Typed, parameter_value
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import pyarrow as pa

DECIMAL_EXT, DATE_EXT, TIME_EXT, DATETIME2_EXT, DATETIMEOFFSET_EXT = 1, 2, 3, 4, 5
IDENTIFIER_EXT, VECTOR_EXT, GEOMETRY_EXT, JSON_EXT = 6, 7, 8, 9
TINYINT_EXT, SMALLINT_EXT, INT_EXT, BIGINT_EXT, REAL_EXT = 10, 11, 12, 13, 14
TABLE_EXT, UPLOAD_EXT = 20, 21

_DAY_ZERO, _MOMENT_ZERO = date(1970, 1, 1), datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
#: kinds of GEOMETRY, by number from 1
GEOMETRY_KINDS = ("POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "HULL")
_GEOMETRY_HEAD = struct.Struct("<bdiI")
#: digits of the longest DECIMAL text that is read
_DECIMAL_CHARACTERS_MAX = 128
#: rows of a table for each byte that it came in: a bit is the least that a row takes
_ROWS_PER_BYTE = 8


@frozen
class Uploaded:
    """A table parameter that was uploaded beforehand, by the upload's number."""

    number: int


# --- to msgpack ----------------------------------------------------------------------------------


def encode(name: str, value: Any) -> Any:
    """What msgpack packs for a parameter's value: None, bool, int, float, str, bytes as they are,
    else an ExtType. Raises ParameterFault for what HQL has no type for. Tables: `encode_table`."""
    kind = type(value)
    if value is None or kind is bool or kind is float or kind is bytes:
        return value
    if kind is str and value.isascii():
        return value
    if kind is int and -(2**63) <= value < 2**63:
        return value
    type_, plain = parameter_value(name, value)
    if plain is None:
        return None
    code = _ENCODERS.get(type_.kind)
    return plain if code is None else msgpack.ExtType(code[0], code[1](plain))


def encode_table(table: pa.Table) -> msgpack.ExtType:
    """A table in one piece, for small ones."""
    return msgpack.ExtType(TABLE_EXT, table_bytes(table))


def table_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def encode_upload(number: int) -> msgpack.ExtType:
    """A table that was uploaded."""
    return msgpack.ExtType(UPLOAD_EXT, struct.pack("<I", number))


def _geometry_bytes(value: Geometry) -> bytes:
    head = _GEOMETRY_HEAD.pack(
        GEOMETRY_KINDS.index(value.kind) + 1, value.radius, value.srid, len(value.rings)
    )
    rings = np.ascontiguousarray(value.rings, "<i4").tobytes()
    return head + rings + np.ascontiguousarray(value.coords, "<f8").tobytes()


def _moment_bytes(value: datetime) -> bytes:
    return struct.pack("<q", (value - _MOMENT_ZERO) // _MICROSECOND)


def _time_bytes(value: time) -> bytes:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return struct.pack("<q", seconds * 1_000_000 + value.microsecond)


#: by kind of type: extension type, and its bytes. A FLOAT, NVARCHAR, BIT, VARBINARY is msgpack's
_ENCODERS: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "DECIMAL": (DECIMAL_EXT, lambda v: f"{v:f}".encode()),
    "DATE": (DATE_EXT, lambda v: struct.pack("<i", (v - _DAY_ZERO).days)),
    "TIME": (TIME_EXT, _time_bytes),
    "DATETIME2": (DATETIME2_EXT, _moment_bytes),
    "DATETIMEOFFSET": (DATETIMEOFFSET_EXT, _moment_bytes),
    "UNIQUEIDENTIFIER": (IDENTIFIER_EXT, bytes),
    "VECTOR": (VECTOR_EXT, lambda v: np.ascontiguousarray(v, "<f4").tobytes()),
    "GEOMETRY": (GEOMETRY_EXT, _geometry_bytes),
    "JSON": (JSON_EXT, str.encode),
    "TINYINT": (TINYINT_EXT, lambda v: struct.pack("<b", v)),
    "SMALLINT": (SMALLINT_EXT, lambda v: struct.pack("<h", v)),
    "INT": (INT_EXT, lambda v: struct.pack("<i", v)),
    "BIGINT": (BIGINT_EXT, lambda v: struct.pack("<q", v)),
    "REAL": (REAL_EXT, lambda v: struct.pack("<f", v)),
}


# --- from msgpack --------------------------------------------------------------------------------


def decode_extension(code: int, data: bytes) -> Any:
    """The value of an extension type; what is wrong with it is a `Wrong`, so that the statement
    fails and not the connection."""
    decoder = _DECODERS.get(code)
    if decoder is None:
        return Wrong(f"there is no extension type {code}")
    try:
        return decoder(data)
    except (
        Error,
        ValueError,
        OverflowError,
        InvalidOperation,
        struct.error,
        UnicodeDecodeError,
    ) as fault:
        return Wrong(f"a value of extension type {code}: {fault}")


@frozen
class Wrong:
    """A value that could not be read, and why."""

    why: str


def check_values(values: Mapping[str, Any] | Sequence[Any] | None) -> None:
    """Raises ParameterFault if one of the values could not be read."""
    if values:
        for value in values.values() if isinstance(values, Mapping) else values:
            if type(value) is Wrong:
                raise ParameterFault(value.why)


def _decimal(data: bytes) -> Decimal:
    if len(data) > _DECIMAL_CHARACTERS_MAX:
        raise ValueError(f"{len(data)} digits are too many")
    return Decimal(data.decode("ascii"))


def _moment(data: bytes) -> datetime:
    return _MOMENT_ZERO + timedelta(microseconds=struct.unpack("<q", data)[0])


def _time(data: bytes) -> time:
    (number,) = struct.unpack("<q", data)
    if not 0 <= number < 86_400_000_000:
        raise ValueError(f"{number} microseconds are no time of day")
    return (_MOMENT_ZERO + timedelta(microseconds=number)).time()


def _vector(data: bytes) -> np.ndarray[Any, Any]:
    if not data:
        raise ValueError("a vector has at least one dimension")
    return np.frombuffer(data, "<f4")


def _geometry(data: bytes) -> Geometry:
    kind, radius, srid, count = _GEOMETRY_HEAD.unpack_from(data)
    if not 1 <= kind <= len(GEOMETRY_KINDS):
        raise ValueError(f"{kind} is not a kind of geometry")
    start = _GEOMETRY_HEAD.size
    if count > (len(data) - start) // 4:
        raise ValueError(f"{count} rings do not fit")
    rings = np.frombuffer(data, "<i4", count, start)
    coords = np.frombuffer(data, "<f8", -1, start + 4 * count)
    return Geometry(GEOMETRY_KINDS[kind - 1], coords.reshape(-1, 3), radius, srid, rings)


def _identifier(data: bytes) -> Typed:
    if len(data) != 16:
        raise ValueError(f"{len(data)} bytes are no identifier")
    return Typed(UNIQUEIDENTIFIER, data)


_DECODERS: dict[int, Callable[[bytes], Any]] = {
    DECIMAL_EXT: _decimal,
    DATE_EXT: lambda d: Typed(DATE, _DAY_ZERO + timedelta(days=struct.unpack("<i", d)[0])),
    TIME_EXT: lambda d: Typed(TIME, _time(d)),
    DATETIME2_EXT: lambda d: Typed(DATETIME2, _moment(d)),
    DATETIMEOFFSET_EXT: lambda d: Typed(DATETIMEOFFSET, _moment(d)),
    IDENTIFIER_EXT: _identifier,
    VECTOR_EXT: _vector,
    GEOMETRY_EXT: _geometry,
    JSON_EXT: lambda d: Typed(JSON, d.decode()),
    TINYINT_EXT: lambda d: Typed(TINYINT, struct.unpack("<b", d)[0]),
    SMALLINT_EXT: lambda d: Typed(SMALLINT, struct.unpack("<h", d)[0]),
    INT_EXT: lambda d: Typed(INT, struct.unpack("<i", d)[0]),
    BIGINT_EXT: lambda d: Typed(BIGINT, struct.unpack("<q", d)[0]),
    REAL_EXT: lambda d: Typed(REAL, struct.unpack("<f", d)[0]),
    TABLE_EXT: lambda d: TableBytes(d),
    UPLOAD_EXT: lambda d: Uploaded(struct.unpack("<I", d)[0]),
}


@frozen
class TableBytes:
    """A table that came with the statement, not read yet."""

    data: bytes


def read_table(name: str, data: bytes) -> pa.Table:
    """The table of an Arrow IPC stream from outside. Everything in it is checked, as Arrow believes
    what offsets and lengths say. Raises ParameterFault."""
    import pyarrow as pa

    from hartonomous.server.arrow_bytes import is_compressed

    try:
        if is_compressed(data):
            raise ParameterFault(
                f"@{name}: compressed Arrow buffers are not taken",
                hint="write the stream without compression",
            )
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            batches, rows = [], 0
            for batch in reader:
                rows += batch.num_rows
                if rows > _ROWS_PER_BYTE * len(data):
                    raise ParameterFault(f"@{name}: {rows:,} rows in {len(data):,} bytes")
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
            table.validate(full=True)
            return table
    except (pa.ArrowException, ValueError, OSError, struct.error) as fault:
        raise ParameterFault(f"@{name} is not an Arrow IPC stream: {fault}") from fault
