"""Plain values (plain_values.py) as Arrow columns, decided once for each column of a statement.

`pa.array` looks for pandas objects and copies by way of a builder, which for the single value of a
one-row INSERT takes 4 µs; putting its bytes into a buffer takes 1.6.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from hartonomous.hql.geometry_value import array_of_values

#: from the values of a column to the column
Maker = Callable[[Sequence[Any]], pa.Array]

_CODES = {8: "<b", 16: "<h", 32: "<i", 64: "<q"}
_EDGES = struct.Struct("<ii")


def array_maker(type_: pa.DataType) -> Maker:
    """What makes columns of an Arrow type; the values are as `plain` of their type gives them."""
    if t.is_signed_integer(type_):
        return _integers(type_)
    if t.is_string(type_):
        return _texts
    if t.is_fixed_size_list(type_):
        return lambda values: _vectors(values, type_)
    if t.is_struct(type_):
        return lambda values: array_of_values(list(values))
    return lambda values: pa.array(values, type_)


def _integers(type_: pa.DataType) -> Maker:
    pack = struct.Struct(_CODES[type_.bit_width]).pack

    def make(values: Sequence[Any]) -> pa.Array:
        if len(values) == 1 and values[0] is not None:
            return pa.Array.from_buffers(type_, 1, [None, pa.py_buffer(pack(values[0]))], 0)
        return pa.array(values, type_)

    return make


def _texts(values: Sequence[Any]) -> pa.Array:
    if len(values) == 1 and values[0] is not None:
        data = values[0].encode()
        buffers = [None, pa.py_buffer(_EDGES.pack(0, len(data))), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.string(), 1, buffers, 0)
    return pa.array(values, pa.string())


def _vectors(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if all(v is not None for v in values):
        numbers = np.concatenate(values) if values else np.empty(0, np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=type_)
    return pa.array(values, type_)
