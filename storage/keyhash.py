"""Hashes of key columns: 64 bits a row, the same for equal keys whatever chunk they lie in.

Each value becomes 64-bit words: numbers one (their two's complement or IEEE 754 bits), decimals
and 16-byte binaries two, strings and binaries ceil(length / 8) little-endian words padded with
zeros and then their length. The state starts at SEED and takes word after word:

    h = (h ^ word) * M1;  h ^= h >> 32;  h *= M2;  h ^= h >> 29        (mod 2^64)

-0.0 counts as 0.0 and every NaN as one NaN, so equality of words is equality of keys. NumPy alone:
four operations a word are close to memory bandwidth, and nothing has to be compiled before a first
INSERT. Rows with a NULL have no hash; callers leave them out by `valid`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.errors import Error

UInt64 = npt.NDArray[np.uint64]
Bool = npt.NDArray[np.bool_]

SEED = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
_32, _29 = np.uint64(32), np.uint64(29)


def _mix(state: UInt64, words: UInt64) -> UInt64:
    out = state ^ words
    out *= M1
    out ^= out >> _32
    out *= M2
    out ^= out >> _29
    return out


def hash_rows(columns: Sequence[pa.Array]) -> UInt64:
    """One hash per row of the key columns, uint64[N]."""
    state = np.full(len(columns[0]), SEED, np.uint64)
    for column in columns:
        if _is_bytes(column.type):
            state = _mix_bytes(state, column)
        else:
            for words in fixed_words(column):
                state = _mix(state, words)
    return state


def valid_rows(columns: Sequence[pa.Array]) -> Bool | None:
    """Which rows have no NULL in any column; None when all of them."""
    out: Bool | None = None
    for column in columns:
        if column.null_count:
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            out = valid if out is None else out & valid
    return out


def equal_rows(left: Sequence[pa.Array], right: Sequence[pa.Array]) -> Bool:
    """Row-wise equality of two sets of key columns without NULLs, bool[N]."""
    out = np.ones(len(left[0]), np.bool_)
    for a, b in zip(left, right, strict=True):
        if _is_bytes(a.type):
            import pyarrow.compute as pc

            out &= pc.equal(a, b).to_numpy(zero_copy_only=False)
        else:
            for x, y in zip(fixed_words(a), fixed_words(b), strict=True):
                out &= x == y
    return out


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_large_binary(type_)
    )


def raw(array: pa.Array, dtype: str, per_value: int = 1) -> npt.NDArray[np.generic]:
    """The values' buffer as NumPy, NULLs holding whatever lies there. No copy."""
    buffer = array.buffers()[1]
    start, stop = array.offset * per_value, (array.offset + len(array)) * per_value
    if buffer is None:
        return np.zeros(stop - start, dtype)
    return np.frombuffer(buffer, dtype, stop)[start:]


def integers(array: pa.Array) -> npt.NDArray[np.int64] | None:
    """Whole numbers, dates and times as int64[N]; None for other types."""
    type_ = array.type
    if not (pa.types.is_integer(type_) or pa.types.is_temporal(type_)):
        return None
    sign = "u" if pa.types.is_unsigned_integer(type_) else "i"
    return raw(array, f"<{sign}{type_.bit_width // 8}").astype(np.int64, copy=False)


def fixed_words(array: pa.Array) -> list[UInt64]:
    """A column of fixed width as words, normalised so that equal values have equal words."""
    type_ = array.type
    whole = integers(array)
    if whole is not None:
        return [whole.view(np.uint64)]
    if pa.types.is_floating(type_):
        values = raw(array, f"<f{type_.bit_width // 8}").astype(np.float64)
        values += 0.0  # -0.0 becomes 0.0
        values[np.isnan(values)] = np.nan
        return [values.view(np.uint64)]
    if pa.types.is_boolean(type_):
        bits = np.frombuffer(array.buffers()[1], np.uint8) if len(array) else np.empty(0, np.uint8)
        flags = np.unpackbits(bits, bitorder="little")[array.offset : array.offset + len(array)]
        return [flags.astype(np.uint64)]
    if pa.types.is_decimal128(type_) or (
        pa.types.is_fixed_size_binary(type_) and type_.byte_width == 16
    ):
        pairs = raw(array, "<u8", 2).reshape(-1, 2)
        return [np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])]
    raise Error(f"a key over a column of type {type_} is not supported yet", code="NOT_SUPPORTED")


def _mix_bytes(state: UInt64, array: pa.Array) -> UInt64:
    """Words of 8 bytes, a round for each word that some row still has."""
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    buffers = array.buffers()
    count = len(array)
    if count == 0:
        return state
    edges = np.frombuffer(buffers[1], "<i8" if wide else "<i4", array.offset + count + 1)
    edges = edges[array.offset :].astype(np.int64)
    lengths = np.diff(edges)
    first, last = int(edges[0]), int(edges[-1])
    data = np.zeros(last - first + 8, np.uint8)
    if last > first:
        data[:-8] = np.frombuffer(buffers[2], np.uint8, last)[first:]
    windows: UInt64 = np.ndarray((len(data) - 7,), "<u8", data.data, strides=(1,))
    starts = edges[:-1] - first
    rest, active = lengths, np.arange(count)
    while True:
        more = rest > 0
        if not more.all():
            active, rest, starts = active[more], rest[more], starts[more]
        if not len(active):
            return _mix(state, lengths.view(np.uint64))
        words = windows[starts]
        short = rest < 8
        if short.any():
            bits = (rest[short] * 8).astype(np.uint64)
            words[short] &= (np.uint64(1) << bits) - np.uint64(1)
        state[active] = _mix(state[active], words)
        rest, starts = rest - 8, starts + 8
