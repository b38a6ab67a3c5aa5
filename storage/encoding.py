"""The canonical encoding of rows: what a row *is*, for hashing.

A leaf of a table's log is a run of at most 65,536 rows that one commit inserted, in row-id
order, or the row ids that one commit deleted. Its hash is SHA-256 over a byte string that
depends on the values only, never on how Arrow lays them out: not on slices, offsets, chunks,
bytes under NULLs, dictionaries, or 64-bit offsets. docs/FORMAT.md has it byte by byte.

Where a buffer is canonical already (no NULL, no NaN) it goes to the hash as it is.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as t

from hartonomous.storage import physical
from hartonomous.storage.disk import Data
from hartonomous.storage.errors import FormatFault

INSERTED: Final = b"HRTM\x01I\0\0"
DELETED: Final = b"HRTM\x01D\0\0"
#: what RFC 6962 puts before a leaf
LEAF_PREFIX: Final = b"\0"
LEAF_ROWS: Final = 65_536


def leaf_hash(rows: pa.RecordBatch | pa.Table, row_ids: int | np.ndarray) -> bytes:
    """The Merkle leaf of a run of inserted rows.

    rows: the stored columns under their physical names (`c1`, `c2` …), at most LEAF_ROWS rows;
    row_ids: int64[rows], ascending, or the first of consecutive ones.
    """
    return _digest(encode_rows(rows, row_ids))


def deletion_leaf_hash(row_ids: np.ndarray) -> bytes:
    """The Merkle leaf of the row ids (any order, no duplicates) that one commit deleted."""
    return _digest(encode_deletions(row_ids))


def _digest(pieces: Iterator[Data]) -> bytes:
    sha = hashlib.sha256(LEAF_PREFIX)
    for piece in pieces:
        sha.update(piece)
    return sha.digest()


def encode_rows(rows: pa.RecordBatch | pa.Table, row_ids: int | np.ndarray) -> Iterator[Data]:
    """The canonical bytes of inserted rows, in pieces."""
    n = rows.num_rows
    assert 0 < n <= LEAF_ROWS, n
    columns = [
        (name, physical.plain(column))
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    ]
    kept = [(name, column) for name, column in columns if column.null_count < n]
    yield INSERTED
    yield struct.pack("<II", n, len(kept))
    yield encode_ids(row_ids if isinstance(row_ids, np.ndarray) else (row_ids, n))
    for name, column in kept:
        label = name.encode()
        yield struct.pack("<I", len(label)) + label + type_tag(column.type)
        yield from encode_values(column)


def encode_deletions(row_ids: np.ndarray) -> Iterator[Data]:
    """The canonical bytes of deleted row ids."""
    yield DELETED
    yield encode_ids(np.sort(row_ids))


def encode_ids(row_ids: np.ndarray | tuple[int, int]) -> bytes:
    """Ascending ids as maximal runs of consecutive ones: u64 number of runs, then (u64 first,
    u64 length) for each."""
    if isinstance(row_ids, tuple):
        return struct.pack("<QQQ", 1, *row_ids)
    ids = np.asarray(row_ids, np.int64)
    breaks = np.flatnonzero(ids[1:] != ids[:-1] + 1) + 1
    assert bool((ids[1:] > ids[:-1]).all()), "row ids ascend"
    starts = np.concatenate(([0], breaks)).astype(np.int64)
    lengths = np.diff(np.append(starts, len(ids)))
    runs = np.stack((ids[starts], lengths), axis=1).astype("<u8")
    return struct.pack("<Q", len(runs)) + runs.tobytes()


_NUMBERS: Final = {
    pa.int8(): b"\x01",
    pa.int16(): b"\x02",
    pa.int32(): b"\x03",
    pa.int64(): b"\x04",
    pa.uint8(): b"\x05",
    pa.uint16(): b"\x06",
    pa.uint32(): b"\x07",
    pa.uint64(): b"\x08",
    pa.float16(): b"\x09",
    pa.float32(): b"\x0a",
    pa.float64(): b"\x0b",
    pa.bool_(): b"\x10",
    pa.string(): b"\x11",
    pa.binary(): b"\x12",
    pa.date32(): b"\x20",
    pa.date64(): b"\x21",
    pa.null(): b"\x50",
}
_UNITS: Final = {"s": 0, "ms": 1, "us": 2, "ns": 3}


def type_tag(kind: pa.DataType) -> bytes:
    """The bytes that stand for a stored type; field names of structs are part of it."""
    if kind in _NUMBERS:
        return _NUMBERS[kind]
    if t.is_time(kind):
        return struct.pack("<BBB", 0x22, kind.bit_width, _UNITS[kind.unit])
    if t.is_timestamp(kind):
        return struct.pack("<BBB", 0x23, _UNITS[kind.unit], kind.tz is not None)
    if t.is_duration(kind):
        return struct.pack("<BB", 0x24, _UNITS[kind.unit])
    if t.is_decimal128(kind):
        return struct.pack("<BBb", 0x30, kind.precision, kind.scale)
    if t.is_fixed_size_binary(kind):
        return struct.pack("<BI", 0x31, kind.byte_width)
    if t.is_list(kind):
        return b"\x40" + type_tag(kind.value_type)
    if t.is_fixed_size_list(kind):
        return struct.pack("<BI", 0x41, kind.list_size) + type_tag(kind.value_type)
    if t.is_struct(kind):
        names = [kind.field(i).name.encode() for i in range(kind.num_fields)]
        parts = [
            struct.pack("<I", len(name)) + name + type_tag(kind.field(i).type)
            for i, name in enumerate(names)
        ]
        return struct.pack("<BI", 0x42, len(parts)) + b"".join(parts)
    raise FormatFault(f"values of the Arrow type {kind} cannot be hashed")


def encode_values(array: pa.Array) -> Iterator[Data]:
    """The canonical bytes of an array of a stored type: validity, then values."""
    kind, n = array.type, len(array)
    if t.is_null(kind):
        return
    yield from _validity(array)
    if t.is_boolean(kind):
        values = physical.bits(array.buffers()[1], array.offset, n)
        if array.null_count:
            pair = (np.frombuffer(b, np.uint8) for b in (values, physical.validity(array)))
            values = pa.py_buffer(np.bitwise_and(*pair))
        yield _cleaned(values, n)
    elif physical.is_fixed(kind):
        yield _fixed(array)
    elif physical.is_variable(kind):
        yield from _variable(array)
    elif t.is_list(kind):
        yield _lengths(array)
        yield from encode_values(array.flatten() if array.null_count else _only(array))
    elif t.is_fixed_size_list(kind):  # NULL slots have no elements here
        yield from encode_values(_present(array) if array.null_count else _only(array))
    else:
        for child in array.flatten() if array.null_count else physical.children(array):
            yield from encode_values(child)


def _only(array: pa.Array) -> pa.Array:
    (child,) = physical.children(array)
    return child


def _present(array: pa.Array) -> pa.Array:
    return _only(array.drop_null())


def _validity(array: pa.Array) -> Iterator[Data]:
    """A byte: 0 if no slot is NULL, else 1 and the bitmap."""
    if array.null_count == 0:
        yield b"\0"
        return
    yield b"\1"
    yield _cleaned(physical.validity(array), len(array))


def _present_slots(array: pa.Array) -> npt.NDArray[np.bool_]:
    """bool[n]: which slots are not NULL; there are NULLs."""
    packed = np.frombuffer(physical.validity(array), np.uint8)
    return np.unpackbits(packed, count=len(array), bitorder="little").view(np.bool_)


def _cleaned(bitmap: pa.Buffer, length: int) -> Data:
    """A bitmap whose bits after the last are zero."""
    if length % 8 == 0:
        return bitmap
    data = bytearray(bitmap)
    data[-1] &= (1 << length % 8) - 1
    return data


def _fixed(array: pa.Array) -> Data:
    """Little-endian values; zeros under NULL; one NaN."""
    kind, n = array.type, len(array)
    width = kind.bit_width // 8
    data = array.buffers()[1].slice(array.offset * width, n * width)
    if t.is_floating(kind):
        data = _one_nan(data, width)
    if array.null_count == 0:
        return data
    present = _present_slots(array)
    values = np.frombuffer(data, np.uint8).reshape(n, width)
    if width in (2, 4, 8):
        words = values.view(f"<u{width}").reshape(n)
        return pa.py_buffer(words * present.astype(words.dtype))
    return pa.py_buffer(values * present[:, None])


#: dtype of the bits, dtype of the value, the NaN that stands for all
_NANS: Final = {
    2: ("<u2", "<f2", 0x7E00),
    4: ("<u4", "<f4", 0x7FC00000),
    8: ("<u8", "<f8", 0x7FF8000000000000),
}


def _one_nan(data: pa.Buffer, width: int) -> Data:
    word, number, nan = _NANS[width]
    is_nan = np.isnan(np.frombuffer(data, number))
    if not is_nan.any():
        return data
    words = np.frombuffer(data, word).copy()
    words[is_nan] = nan
    return pa.py_buffer(words)


def _variable(array: pa.Array) -> Iterator[Data]:
    """u32 lengths, 0 under NULL; then all bytes."""
    places = physical.offsets(array)
    lengths = np.diff(places)
    if array.null_count and (lengths * ~_present_slots(array)).any():  # bytes lie under NULLs
        array = array.fill_null("" if t.is_string(array.type) else b"")
        places = physical.offsets(array)
        lengths = np.diff(places)
    first, last = int(places[0]), int(places[-1])
    yield pa.py_buffer(lengths.astype("<u4"))
    data = array.buffers()[2]
    if data is not None:
        yield data.slice(first, last - first)


def _lengths(array: pa.Array) -> Data:
    lengths = np.diff(physical.offsets(array))
    if array.null_count:
        lengths = lengths * _present_slots(array)
    return pa.py_buffer(np.ascontiguousarray(lengths, "<u4"))


def digests(rows: Sequence[tuple[pa.RecordBatch, int | np.ndarray]]) -> list[bytes]:
    """Leaf hashes of many runs, on two threads (hashing releases the interpreter)."""
    from concurrent.futures import ThreadPoolExecutor

    if len(rows) < 2:
        return [leaf_hash(*pair) for pair in rows]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda pair: leaf_hash(*pair), rows))
