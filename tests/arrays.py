"""Random Arrow arrays of every stored type, and other layouts of the same values. For tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

SIMPLE = [
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.bool_(),
    pa.string(),
    pa.binary(),
    pa.binary(16),
    pa.decimal128(20, 3),
    pa.date32(),
    pa.time64("us"),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
    pa.null(),
]
NESTED = [
    pa.list_(pa.float32(), 3),
    pa.list_(pa.int32()),
    pa.list_(pa.string()),
    pa.list_(pa.list_(pa.float64(), 2)),
    pa.list_(pa.bool_(), 5),
    pa.struct([("a", pa.int8()), ("b", pa.string())]),
    pa.struct([("kind", pa.int8()), ("coords", pa.list_(pa.list_(pa.float64(), 3)))]),
]
TYPES = SIMPLE + NESTED

types = st.sampled_from(TYPES)


def values(kind: pa.DataType, nulls: bool = True) -> st.SearchStrategy[Any]:
    """Python values of a type, NULL and NaN among them."""
    value = _values(kind)
    return st.none() | value if nulls else value


def _values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    t = pa.types
    if t.is_null(kind):
        return st.none()
    if t.is_boolean(kind):
        return st.booleans()
    if t.is_integer(kind):
        bound = 1 << (kind.bit_width - 1)
        return st.integers(-bound, bound - 1)
    if t.is_floating(kind):
        return st.floats(width=kind.bit_width)
    if t.is_string(kind):
        return st.text(max_size=40)
    if t.is_binary(kind):
        return st.binary(max_size=40)
    if t.is_fixed_size_binary(kind):
        return st.binary(min_size=kind.byte_width, max_size=kind.byte_width)
    if t.is_decimal(kind):
        return st.decimals(-(10**16), 10**16, places=kind.scale, allow_nan=False)
    if t.is_date(kind):
        return st.dates()
    if t.is_time(kind):
        return st.times()
    if t.is_timestamp(kind):
        return st.integers(-(2**50), 2**50)  # microseconds
    if t.is_fixed_size_list(kind):
        return st.lists(values(kind.value_type), min_size=kind.list_size, max_size=kind.list_size)
    if t.is_list(kind):
        return st.lists(values(kind.value_type), max_size=4)
    assert t.is_struct(kind), kind
    return st.fixed_dictionaries({f.name: values(f.type) for f in kind})


@st.composite
def arrays(draw: st.DrawFn, kind: pa.DataType | None = None, rows: int | None = None) -> pa.Array:
    """An array of up to 40 rows, or of `rows` rows."""
    kind = draw(types) if kind is None else kind
    low, high = (1, 40) if rows is None else (rows, rows)
    return pa.array(draw(st.lists(values(kind), min_size=low, max_size=high)), kind)


def layouts(array: pa.Array, before: pa.Array, after: pa.Array) -> list[pa.Array]:
    """The same values laid out in memory in other ways."""
    n = len(array)
    out = [
        pa.concat_arrays([before, array, after]).slice(len(before), n),
        pa.chunked_array([array.slice(0, n // 2), array.slice(n // 2)], array.type),
        with_garbage(array),
        with_garbage(pa.concat_arrays([before, array])).slice(len(before)),
    ]
    if pa.types.is_string(array.type):
        out += [array.cast(pa.large_string()), array.dictionary_encode()]
        out += [array.cast(pa.string_view())]
    if pa.types.is_binary(array.type):
        out += [array.cast(pa.large_binary())]
    return out


def with_garbage(array: pa.Array) -> pa.Array:
    """The same values with other bytes under NULLs, in padding, and for NaN."""
    kind, n = array.type, len(array)
    if n == 0 or pa.types.is_null(kind):
        return array
    chance = np.random.default_rng(n)
    valid = np.array(array.is_valid())
    padding = chance.integers(0, 2, -n % 8 + 64).astype(bool)
    bitmap = pa.py_buffer(np.packbits(np.concatenate([valid, padding]), bitorder="little"))
    if pa.types.is_boolean(kind):
        bits = np.where(valid, np.array(array.fill_null(False)), chance.integers(0, 2, n) == 1)
        data = np.packbits(np.concatenate([bits, padding]), bitorder="little")
        return pa.Array.from_buffers(kind, n, [bitmap, pa.py_buffer(data)])
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        pieces = [b"??" if v is None else _bytes(v) for v in array.to_pylist()]
        places = np.concatenate(([3], 3 + np.cumsum([len(p) for p in pieces]))).astype(np.int32)
        data = pa.py_buffer(b"xyz" + b"".join(pieces) + b"end")
        return pa.Array.from_buffers(kind, n, [bitmap, pa.py_buffer(places), data])
    if pa.types.is_list(kind):
        pieces = [[None, None] if v is None else v for v in array.to_pylist()]
        places = np.concatenate(([1], 1 + np.cumsum([len(p) for p in pieces]))).astype(np.int32)
        child = pa.array([None, *(x for p in pieces for x in p), None], kind.value_type)
        return pa.Array.from_buffers(
            kind, n, [bitmap, pa.py_buffer(places)], children=[with_garbage(child)]
        )
    if pa.types.is_fixed_size_list(kind):
        lists = array.to_pylist()
        filler = next((v for v in lists if v is not None), [None] * kind.list_size)
        child = pa.array([x for v in lists for x in (filler if v is None else v)], kind.value_type)
        return pa.Array.from_buffers(kind, n, [bitmap], children=[with_garbage(child)])
    if pa.types.is_struct(kind):
        structs = array.to_pylist()
        filler = next((v for v in structs if v is not None), dict.fromkeys(f.name for f in kind))
        children = [
            pa.array([(filler if v is None else v)[f.name] for v in structs], f.type) for f in kind
        ]
        return pa.Array.from_buffers(
            kind, n, [bitmap], children=[with_garbage(c) for c in children]
        )
    return _fixed_with_garbage(array, bitmap, valid, chance)


def _fixed_with_garbage(
    array: pa.Array, bitmap: pa.Buffer, valid: Any, chance: np.random.Generator
) -> pa.Array:
    kind, n = array.type, len(array)
    width = kind.bit_width // 8
    start = array.offset * width
    data = np.frombuffer(array.buffers()[1], np.uint8, n * width, start).reshape(n, width).copy()
    data[~valid] = chance.integers(0, 256, ((~valid).sum(), width), dtype=np.uint8)
    if pa.types.is_floating(kind):
        words = data.view(f"<u{width}").reshape(n)
        is_nan = valid & np.isnan(data.view(f"<f{width}").reshape(n))
        words[is_nan] ^= 5  # another NaN
    return pa.Array.from_buffers(kind, n, [bitmap, pa.py_buffer(data)])


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
