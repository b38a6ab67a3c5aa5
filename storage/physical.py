"""Arrow arrays taken apart into trimmed buffers, and put together again.

`take_apart` gives, in the order of Arrow's IPC format (depth first), one node (length, null
count) per array and its buffers, each beginning at the array's first value: slices are cut,
offsets of strings and lists begin at 0. Buffers are shared where that needs no copy.

| type | buffers |
| --- | --- |
| null | none |
| fixed width (numbers, times, decimal128, fixed-size binary) | validity, values |
| bool | validity, bits |
| string, binary | validity, offsets (n + 1), bytes |
| list | validity, offsets (n + 1); then its child |
| fixed-size list, struct | validity; then its children |

A validity buffer without nulls is empty. Dictionary arrays are decoded first; other types are
not stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from hartonomous.storage.errors import FormatFault

Node = tuple[int, int]
EMPTY: Final = pa.py_buffer(b"")


def is_variable(kind: pa.DataType) -> bool:
    """Strings and binary with 32-bit offsets."""
    return bool(t.is_string(kind) or t.is_binary(kind))


def is_moment(kind: pa.DataType) -> bool:
    """Dates, times, timestamps and durations: one whole number each."""
    return bool(t.is_date(kind) or t.is_time(kind) or t.is_timestamp(kind) or t.is_duration(kind))


def is_fixed(kind: pa.DataType) -> bool:
    """Types whose values are whole bytes, all of one width."""
    return bool(
        t.is_integer(kind)
        or t.is_floating(kind)
        or is_moment(kind)
        or t.is_decimal128(kind)
        or t.is_fixed_size_binary(kind)
    )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The stored form of a type: dictionaries decoded, 64-bit offsets made 32-bit."""
    if t.is_dictionary(kind):
        return plain_type(kind.value_type)
    if t.is_large_string(kind) or t.is_string_view(kind):
        return pa.string()
    if t.is_large_binary(kind) or t.is_binary_view(kind):
        return pa.binary()
    if t.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)))
    if t.is_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)))
    if t.is_fixed_size_list(kind):
        child = kind.value_field.with_type(plain_type(kind.value_type))
        return pa.list_(child, kind.list_size)
    if t.is_struct(kind):
        return pa.struct([f.with_type(plain_type(f.type)) for f in kind])
    if not (is_fixed(kind) or is_variable(kind) or t.is_boolean(kind) or t.is_null(kind)):
        raise FormatFault(f"values of the Arrow type {kind} cannot be stored")
    return kind


def plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of the stored form of its type."""
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    kind = plain_type(array.type)
    return array if kind == array.type else array.cast(kind)


def bits(buffer: pa.Buffer, offset: int, length: int) -> pa.Buffer:
    """Bits [offset, offset + length) of a bitmap as one that begins at bit 0; the bits after
    `length` in the last byte are anything."""
    if offset % 8 == 0:
        return buffer.slice(offset // 8, (length + 7) // 8)
    first = offset // 8
    some = np.frombuffer(buffer, np.uint8, (offset + length + 7) // 8 - first, first)
    whole = np.unpackbits(some, bitorder="little")[offset % 8 : offset % 8 + length]
    return pa.py_buffer(np.packbits(whole, bitorder="little"))


def validity(array: pa.Array) -> pa.Buffer:
    """The bitmap of an array's valid slots, empty if all are."""
    if t.is_null(array.type) or array.null_count == 0:
        return EMPTY
    return bits(array.buffers()[0], array.offset, len(array))


def offsets(array: pa.Array) -> np.ndarray:
    """int32[n + 1]: where the values of a string, binary or list array begin in its data, not
    rebased."""
    buffer = array.buffers()[1]
    if buffer is None or buffer.size == 0:
        return np.zeros(len(array) + 1, np.int32)
    return np.frombuffer(buffer, np.int32, len(array) + 1, array.offset * 4)


def children(array: pa.Array) -> list[pa.Array]:
    """The children of a nested array, cut to its own slots."""
    if t.is_list(array.type):
        first, last = (int(x) for x in offsets(array)[[0, -1]])
        return [array.values.slice(first, last - first)]
    if t.is_fixed_size_list(array.type):
        size = array.type.list_size  # .values ignores the slice
        return [array.values.slice(array.offset * size, len(array) * size)]
    return [array.field(i) for i in range(array.type.num_fields)]


def take_apart(array: pa.Array) -> tuple[list[Node], list[pa.Buffer]]:
    """Nodes and buffers of an array of a stored type."""
    nodes: list[Node] = []
    buffers: list[pa.Buffer] = []
    _take_apart(array, nodes, buffers)
    return nodes, buffers


def _take_apart(array: pa.Array, nodes: list[Node], out: list[pa.Buffer]) -> None:
    kind, n = array.type, len(array)
    nodes.append((n, array.null_count))
    if t.is_null(kind):
        return
    out.append(validity(array))
    if t.is_boolean(kind):
        out.append(bits(array.buffers()[1], array.offset, n))
    elif is_fixed(kind):
        width = kind.bit_width // 8
        out.append(array.buffers()[1].slice(array.offset * width, n * width))
    elif is_variable(kind):
        places = offsets(array)
        first, last = int(places[0]), int(places[-1])
        out.append(_rebased(places, first))
        data = array.buffers()[2]
        out.append(EMPTY if data is None else data.slice(first, last - first))
    else:
        if t.is_list(kind):
            places = offsets(array)
            out.append(_rebased(places, int(places[0])))
        for child in children(array):
            _take_apart(child, nodes, out)


def _rebased(places: np.ndarray, first: int) -> pa.Buffer:
    return pa.py_buffer(places if first == 0 else places - np.int32(first))


def counts(kind: pa.DataType) -> tuple[int, int]:
    """How many nodes and buffers an array of a stored type is taken apart into."""
    if t.is_null(kind):
        return 1, 0
    if t.is_boolean(kind) or is_fixed(kind):
        return 1, 2
    if is_variable(kind):
        return 1, 3
    inner = [kind.field(i).type for i in range(kind.num_fields)]
    pairs = [counts(k) for k in inner]
    own = 2 if t.is_list(kind) else 1
    return 1 + sum(p[0] for p in pairs), own + sum(p[1] for p in pairs)


def put_together(
    kind: pa.DataType, nodes: Iterator[Node], buffers: Iterator[pa.Buffer]
) -> pa.Array:
    """The inverse of take_apart; consumes as many nodes and buffers as the type has."""
    length, nulls = next(nodes)
    if t.is_null(kind):
        return pa.nulls(length)
    own: list[Any] = [next(buffers)]
    if own[0].size == 0:
        own[0] = None
    if not t.is_nested(kind):
        own += [next(buffers) for _ in range(2 if is_variable(kind) else 1)]
        return pa.Array.from_buffers(kind, length, own, nulls)
    if t.is_list(kind):
        own.append(next(buffers))
    inner = [put_together(kind.field(i).type, nodes, buffers) for i in range(kind.num_fields)]
    return pa.Array.from_buffers(kind, length, own, nulls, children=inner)
