"""Record batches as DataRow messages: whole columns at once, no loop over rows.

A DataRow is `D`, an int32 length of itself and the rest, an int16 count, and for each column an
int32 length (-1: NULL) and so many bytes. Each column becomes an array of byte strings, in text or
in PostgreSQL's binary form; one call of Arrow's then joins the lengths and the columns row by row,
and the joined array's data are the messages.

The binary form of a number is big-endian. Dates and times count from 2000-01-01: int32 days, int64
microseconds. A numeric is its digits in base 10,000, an array its dimensions and elements.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hartonomous.server.postgres.replies import spread
from hartonomous.server.postgres.types import BY_OID, Column, Kind

TEXT, BINARY = 0, 1
#: what is encoded on the event loop itself: half a millisecond's work
CELLS_AT_ONCE, BYTES_AT_ONCE = 2_000, 64 << 10
#: from 1970-01-01 to 2000-01-01
_DAYS, _MICROSECONDS = 10_957, 946_684_800_000_000
_BYTES = pa.large_binary()
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
#: where the digits of a uuid stand in its text
_UUID_DIGITS = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])


def data_rows(batch: pa.RecordBatch, columns: Sequence[Column], formats: Sequence[int]) -> bytes:
    """All rows of a batch as DataRow messages, `formats` as Bind has them."""
    if batch.num_rows == 0:
        return b""
    rows = batch.num_rows
    total = np.full(rows, 6, np.int64)
    parts: list[Any] = []
    for array, column, format_ in zip(
        batch.columns, columns, spread(formats, len(columns)), strict=True
    ):
        data = encode(array, column, format_)
        lengths = pc.binary_length(data).fill_null(-1).to_numpy(zero_copy_only=False)
        total += 4 + np.maximum(lengths, 0)
        parts += [_fixed(lengths.astype(">i4").view(np.uint8).reshape(rows, 4)), data]
    head = np.empty((rows, 7), np.uint8)
    head[:, 0] = ord("D")
    head[:, 1:5] = total.astype(">i4").view(np.uint8).reshape(rows, 4)
    head[:, 5:7] = divmod(len(columns), 256)
    return _data_of(_join(_fixed(head), *parts))


async def encoded(
    batch: pa.RecordBatch, columns: Sequence[Column], formats: Sequence[int]
) -> bytes:
    """The same for an event loop: what takes longer than a moment is made on a thread."""
    if batch.num_rows * len(columns) <= CELLS_AT_ONCE and batch.nbytes <= BYTES_AT_ONCE:
        return data_rows(batch, columns, formats)
    return await asyncio.to_thread(data_rows, batch, columns, formats)


def encode(array: pa.Array, column: Column, format_: int) -> pa.Array:
    """One column as byte strings (large_binary, NULL where it is NULL)."""
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), _BYTES)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if column.type is None:
        data = _lists(array, column, format_)
    else:
        form = (_BINARY if format_ == BINARY else _TEXT).get(column.type.kind)
        data = form(array) if form is not None else array
    return data if data.type == _BYTES else pc.cast(data, _BYTES)


# --- text ----------------------------------------------------------------------------------------


def _plain(array: pa.Array) -> pa.Array:
    return pc.cast(array, pa.large_string())


def _truth(array: pa.Array) -> pa.Array:
    return pc.if_else(array, "t", "f")


def _floats(array: pa.Array) -> pa.Array:
    words = _plain(array)
    for ours, theirs in (("nan", "NaN"), ("-nan", "NaN"), ("inf", "Infinity")):
        words = pc.if_else(pc.equal(words, ours), theirs, words)
    return pc.if_else(pc.equal(words, "-inf"), "-Infinity", words)


def _decimals(array: pa.Array) -> pa.Array:
    """Digits and a point, never an exponent."""
    scale = array.type.scale
    digits = _digits(array)
    if scale == 0:
        return digits
    sign = pc.if_else(pc.starts_with(digits, "-"), "-", "")
    padded = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), scale + 1, "0")
    whole = pc.utf8_slice_codeunits(padded, 0, -scale)
    return _joined(sign, whole, ".", pc.utf8_slice_codeunits(padded, -scale))


def _digits(array: pa.Array) -> pa.Array:
    """Decimals without their point."""
    if array.type.bit_width != 128:
        array = pc.cast(array, pa.decimal128(array.type.precision, array.type.scale))
    return _plain(array.view(pa.decimal128(38, 0)))


def _bytes(array: pa.Array) -> pa.Array:
    r"""`\x` and two digits a byte."""
    lists = pc.cast(array, _BYTES)
    raw = np.frombuffer(_data_of(lists), np.uint8)
    pairs = np.stack([_HEX[raw >> 4], _HEX[raw & 15]], axis=1)
    offsets = _offsets(lists) * 2
    hexadecimal = _array(offsets, pairs.tobytes(), _validity(array))
    return _join(pa.scalar(b"\\x", _BYTES), hexadecimal, nulls="emit_null")


def _dates(array: pa.Array) -> pa.Array:
    return _plain(array)


def _times(array: pa.Array) -> pa.Array:
    """Microseconds without zeros at their end."""
    return pc.utf8_rtrim(pc.utf8_rtrim(_plain(array), "0"), ".")


def _moments(array: pa.Array) -> pa.Array:
    return _times(pc.cast(array, pa.timestamp("us")))


def _zoned(array: pa.Array) -> pa.Array:
    return _joined(_moments(array), "+00")


def _identifiers(array: pa.Array) -> pa.Array:
    raw = np.frombuffer(_data_of(pc.cast(array.fill_null(bytes(16)), _BYTES)), np.uint8)
    out = np.full((len(array), 36), ord("-"), np.uint8)
    out[:, _UUID_DIGITS] = np.stack([_HEX[raw >> 4], _HEX[raw & 15]], axis=1).reshape(-1, 32)
    return _fixed(out, _validity(array))


def _vectors(array: pa.Array) -> pa.Array:
    """`{0.1,0.2}`"""
    lists = pc.cast(array, pa.list_(pa.float32()))
    words = pa.ListArray.from_arrays(
        lists.offsets,
        pc.cast(_floats(lists.values), pa.string()),
        mask=lists.is_null() if lists.null_count else None,
    )
    return _joined("{", pc.binary_join(words, ","), "}")


def _geometries(array: pa.Array) -> pa.Array:
    from hartonomous.hql.functions.geometry_forms import to_text

    return _plain(to_text(array))


# --- binary --------------------------------------------------------------------------------------


def _big_endian(dtype: str, base: int = 0) -> Callable[[pa.Array], pa.Array]:
    """Numbers of a width, counted from `base`."""

    def form(array: pa.Array) -> pa.Array:
        numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
        wide = (numbers - base if base else numbers).astype(dtype)
        return _fixed(wide.view(np.uint8).reshape(len(array), -1), _validity(array))

    return form


def _counted(number: pa.DataType, dtype: str, base: int) -> Callable[[pa.Array], pa.Array]:
    """Dates and times, which are numbers underneath."""
    form = _big_endian(dtype, base)
    return lambda array: form(array.view(number))


def _truth_bytes(array: pa.Array) -> pa.Array:
    return _big_endian("u1")(pc.cast(array, pa.uint8()))


def _decimal_bytes(array: pa.Array) -> pa.Array:
    """int16 count of digits, weight of the first, sign (0x4000: negative), scale, and the digits
    in base 10,000, without zeros before and after."""
    rows, scale = len(array), array.type.scale
    digits = _digits(array).fill_null("0")
    negative = pc.starts_with(digits, "-").to_numpy(zero_copy_only=False)
    behind = -scale % 4  # zeros that fill the last digit
    groups = (38 + behind + 3) // 4 + 1
    padded = _joined(
        pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), groups * 4 - behind, "0"), "0" * behind
    )
    characters = np.frombuffer(_data_of(pc.cast(padded, _BYTES)), np.uint8)
    values = (characters.reshape(rows, groups, 4) - np.uint8(ord("0"))) @ np.array(
        [1000, 100, 10, 1], np.int16
    )
    is_kept = (values != 0).cumsum(axis=1) > 0
    is_kept &= (values[:, ::-1] != 0).cumsum(axis=1)[:, ::-1] > 0
    count = is_kept.sum(axis=1)
    weight = groups - (scale + behind) // 4 - 1 - is_kept.argmax(axis=1)
    head = np.zeros((rows, 4), ">i2")
    head[:, 0], head[:, 3] = count, scale
    head[:, 1] = np.where(count > 0, weight, 0)
    head[:, 2] = np.where(negative, 0x4000, 0)
    offsets = np.concatenate([[0], np.cumsum(count * 2)])
    tail = _array(offsets, values[is_kept].astype(">i2").tobytes(), None)
    return _join(_fixed(head.view(np.uint8), _validity(array)), tail, nulls="emit_null")


def _vector_bytes(array: pa.Array) -> pa.Array:
    """int32 dimensions (1), whether there are NULLs, the elements' OID, their number, the first
    index (1), then each element with its length."""
    lists = pc.cast(array, pa.large_list(pa.float32()))
    offsets = lists.offsets.to_numpy()
    values = lists.values.to_numpy(zero_copy_only=False)
    elements = np.empty((len(values), 2), ">u4")
    elements[:, 0], elements[:, 1] = 4, values.view(np.uint32)
    head = np.zeros((len(array), 5), ">i4")
    head[:] = (1, 0, 700, 0, 1)
    head[:, 3] = np.diff(offsets)
    tail = _array(offsets * 8, elements.tobytes(), None)
    parts = _fixed(head.view(np.uint8).reshape(len(array), 20), _validity(array))
    return _join(parts, tail, nulls="emit_null")


# --- lists, of a catalog's few rows --------------------------------------------------------------


def _lists(array: pa.Array, column: Column, format_: int) -> pa.Array:
    """Lists of numbers or texts, as PostgreSQL writes arrays."""
    element = BY_OID[column.kind.element]
    rows = array.to_pylist()
    if format_ == TEXT:
        texts = [None if row is None else _list_text(row) for row in rows]
        return pa.array(texts, pa.large_string())
    return pa.array([None if row is None else _list_bytes(row, element) for row in rows], _BYTES)


def _list_text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "{" + ",".join(map(_list_text, value)) + "}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def _list_bytes(values: list[Any], element: Kind) -> bytes:
    """As `_vector_bytes` says; a NULL has length -1. An empty one has no dimensions."""
    if not values:
        return struct.pack("!iiI", 0, 0, element.oid)
    parts = [struct.pack("!iiIii", 1, int(None in values), element.oid, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(struct.pack("!i", -1))
            continue
        raw = (
            value.encode() if isinstance(value, str) else value.to_bytes(element.size, signed=True)
        )
        parts += [struct.pack("!i", len(raw)), raw]
    return b"".join(parts)


# --- arrays of byte strings ----------------------------------------------------------------------


def _join(*parts: Any, nulls: str = "replace") -> pa.Array:
    return pc.binary_join_element_wise(
        *parts, pa.scalar(b"", _BYTES), null_handling=nulls, null_replacement=b""
    )


def _joined(*parts: Any) -> pa.Array:
    string = pa.large_string()
    words = [pa.scalar(p, string) if isinstance(p, str) else pc.cast(p, string) for p in parts]
    return pc.binary_join_element_wise(*words, pa.scalar("", pa.large_string()))


def _fixed(rows: np.ndarray[Any, Any], validity: pa.Buffer | None = None) -> pa.Array:
    """uint8[N, width] as N byte strings."""
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int64) * width
    return _array(offsets, np.ascontiguousarray(rows).tobytes(), validity)


def _array(offsets: np.ndarray[Any, Any], data: bytes, validity: pa.Buffer | None) -> pa.Array:
    buffers = [validity, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)]
    return pa.Array.from_buffers(_BYTES, len(offsets) - 1, buffers)


def _validity(array: pa.Array) -> pa.Buffer | None:
    """Which values are not NULL, as Arrow's bits from the array's own beginning."""
    if array.null_count == 0:
        return None
    return pa.array(array.is_valid().to_numpy(zero_copy_only=False)).buffers()[1]


def _offsets(array: pa.Array) -> np.ndarray[Any, Any]:
    """Where each string of a large_binary begins, from 0."""
    raw = np.frombuffer(array.buffers()[1], np.int64)
    offsets: np.ndarray[Any, Any] = raw[array.offset : array.offset + len(array) + 1]
    from_first: np.ndarray[Any, Any] = offsets - offsets[0]
    return from_first


def _data_of(array: pa.Array) -> bytes:
    """The bytes of all strings of a large_binary, one after the other."""
    raw = np.frombuffer(array.buffers()[1], np.int64)
    first, last = raw[array.offset], raw[array.offset + len(array)]
    data = array.buffers()[2]
    return b"" if data is None else data.slice(first, last - first).to_pybytes()


_TEXT: dict[str, Callable[[pa.Array], pa.Array]] = {
    "BIT": _truth,
    "TINYINT": _plain,
    "SMALLINT": _plain,
    "INT": _plain,
    "BIGINT": _plain,
    "REAL": _floats,
    "FLOAT": _floats,
    "DECIMAL": _decimals,
    "VARBINARY": _bytes,
    "DATE": _dates,
    "TIME": _times,
    "DATETIME2": _moments,
    "DATETIMEOFFSET": _zoned,
    "UNIQUEIDENTIFIER": _identifiers,
    "VECTOR": _vectors,
    "GEOMETRY": _geometries,
}
_BINARY: dict[str, Callable[[pa.Array], pa.Array]] = {
    "BIT": _truth_bytes,
    "TINYINT": _big_endian(">i2"),
    "SMALLINT": _big_endian(">i2"),
    "INT": _big_endian(">i4"),
    "BIGINT": _big_endian(">i8"),
    "REAL": _big_endian(">f4"),
    "FLOAT": _big_endian(">f8"),
    "DECIMAL": _decimal_bytes,
    "DATE": _counted(pa.int32(), ">i4", _DAYS),
    "TIME": _counted(pa.int64(), ">i8", 0),
    "DATETIME2": _counted(pa.int64(), ">i8", _MICROSECONDS),
    "DATETIMEOFFSET": _counted(pa.int64(), ">i8", _MICROSECONDS),
    "VECTOR": _vector_bytes,
    "GEOMETRY": _geometries,
}
