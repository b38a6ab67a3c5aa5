"""Values of a column as int64 words in the order of the values: what an ordered index is sorted by.

NULL is the least word, and nothing else has it. Whole numbers, dates and times are themselves;
floats the usual turning of their bits, with -0 as 0 and every NaN above all numbers; decimals their
unscaled value; texts and binaries the eight bytes after those that all values of the chunk begin
with. Values that a word cannot tell apart (long texts, numbers at the ends of what 64 bits hold)
have the same one, never one in the wrong order: whoever finds equal words that are not `is_exact`
compares the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hartonomous.storage.keyhash import integers, raw

Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NULL_WORD = -(1 << 63)
#: words of all others lie within these, which several values may share
LEAST, GREATEST = NULL_WORD + 1, (1 << 63) - 1
_SIGN = np.uint64(1 << 63)


def can_order(type_: pa.DataType) -> bool:
    """Whether values of the type have words."""
    return bool(
        is_bytes(type_)
        or pa.types.is_integer(type_)
        or pa.types.is_temporal(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_boolean(type_)
        or pa.types.is_decimal128(type_)
    )


def is_bytes(type_: pa.DataType) -> bool:
    """Whether values are compared byte by byte."""
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_fixed_size_binary(type_)
    )


def is_exact(words: Int64, type_: pa.DataType) -> Mask:
    """bool[N]: whether equal words mean equal values."""
    if is_bytes(type_):
        return np.equal(words, NULL_WORD)
    return np.not_equal(words, LEAST) & np.not_equal(words, GREATEST)


def may_mislead(words: Int64, type_: pa.DataType) -> bool:
    """Whether equal words of a column may stand for values that differ."""
    return is_bytes(type_) or not bool(is_exact(words, type_).all())


def common_start(columns: Iterable[pa.Array]) -> bytes:
    """The bytes that all values but NULL of these arrays begin with; of other types none."""
    import pyarrow.compute as pc

    found: list[bytes] = []
    for column in columns:
        if not is_bytes(column.type):
            return b""
        if len(column) > column.null_count:
            if pa.types.is_fixed_size_binary(column.type):
                column = column.cast(pa.binary())
            ends = pc.min_max(column)
            found += [_bytes(ends["min"].as_py()), _bytes(ends["max"].as_py())]
    if not found:
        return b""
    low, high = min(found), max(found)
    shared = 0
    while shared < min(len(low), len(high)) and low[shared] == high[shared]:
        shared += 1
    return low[:shared]


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def words_of(column: pa.Array, start: bytes = b"") -> Int64:
    """int64[N]; `start` is what all texts and binaries among them begin with."""
    type_ = column.type
    if is_bytes(type_):
        words = _of_bytes(column, start)
    elif pa.types.is_boolean(type_):
        words = np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), np.int64)
    elif pa.types.is_floating(type_):
        words = _of_floats(raw(column, f"<f{type_.bit_width // 8}"))
    elif pa.types.is_decimal128(type_):
        words = _of_decimals(raw(column, "<i8", 2).reshape(-1, 2).astype(np.int64, copy=False))
    else:
        whole = integers(column)
        assert whole is not None, type_
        words = whole if type_.bit_width < 64 else np.maximum(whole, LEAST)
    if column.null_count:
        words = np.where(column.is_valid().to_numpy(zero_copy_only=False), words, NULL_WORD)
    return words


def _word_sought(value: bytes, start: bytes) -> int:
    if not value.startswith(start):
        return LEAST if value < start else GREATEST
    word = int.from_bytes(value[len(start) : len(start) + 8].ljust(8, b"\0"), "big")
    return max(word - (1 << 63), LEAST)


def _of_floats(values: npt.NDArray[np.generic]) -> Int64:
    numbers = values.astype(np.float64)
    numbers += 0.0  # -0.0 becomes 0.0
    numbers[np.isnan(numbers)] = np.nan
    bits = numbers.view(np.int64)
    return bits ^ ((bits >> 63) & GREATEST)


def _of_decimals(pairs: Int64) -> Int64:
    """Of the unscaled values, int64[N, 2] of low and high halves."""
    low, high = pairs[:, 0], pairs[:, 1]
    fits = high == low >> 63
    return np.where(fits, np.maximum(low, LEAST), np.where(high < 0, LEAST, GREATEST))


def _of_bytes(column: pa.Array, start: bytes) -> Int64:
    data, edges = _buffers(column)
    lengths = np.diff(edges)
    firsts = edges[:-1] + len(start)
    rest = lengths - len(start)
    windows: npt.NDArray[np.uint64] = np.ndarray((len(data) - 7,), ">u8", data.data, strides=(1,))
    words = windows[np.minimum(firsts, len(windows) - 1)].astype(np.uint64)
    short = rest < 8
    if short.any():
        bits = (8 - np.maximum(rest[short], 1)).astype(np.uint64) * np.uint64(8)
        words[short] = words[short] >> bits << bits
        words[rest <= 0] = 0
    out: Int64 = (words ^ _SIGN).view(np.int64)
    return np.maximum(out, LEAST)


def words_sought(column: pa.Array, start: bytes) -> Int64:
    """int64[N]: words of values that are looked for among those of an index. Where they do not
    begin with its `start`, they lie below or above all that the index has."""
    if len(column) == 1 and is_bytes(column.type):
        only = column[0].as_py()
        return np.array([NULL_WORD if only is None else _word_sought(_bytes(only), start)])
    words = words_of(column, start)
    if not start:
        return words
    data, edges = _buffers(column)
    valid = np.flatnonzero(words != NULL_WORD)
    for place, byte in enumerate(start):
        at = edges[valid] + place
        ended, here = at >= edges[valid + 1], data[np.minimum(at, len(data) - 1)]
        words[valid[ended | (here < byte)]] = LEAST
        words[valid[~ended & (here > byte)]] = GREATEST
        valid = valid[~ended & (here == byte)]
        if not len(valid):
            break
    return words


def _buffers(column: pa.Array) -> tuple[npt.NDArray[np.uint8], Int64]:
    """The bytes of a column, eight zeros after them, and int64[N + 1] where its values begin."""
    count, buffers = len(column), column.buffers()
    if pa.types.is_fixed_size_binary(column.type):
        width = column.type.byte_width
        edges = np.arange(count + 1, dtype=np.int64) * width
        first, last, values = column.offset * width, (column.offset + count) * width, buffers[1]
    elif not count:
        return np.zeros(8, np.uint8), np.zeros(1, np.int64)
    else:
        edges = np.frombuffer(buffers[1], "<i4", column.offset + count + 1)[column.offset :]
        edges = edges.astype(np.int64)
        first, last, values = int(edges[0]), int(edges[-1]), buffers[2]
        edges = edges - first
    data = np.zeros(last - first + 8, np.uint8)
    if last > first:
        data[:-8] = np.frombuffer(values, np.uint8, last)[first:]
    return data, edges


def ranks(parts: Sequence[pa.Array]) -> Int64:
    """int64[N]: places of the values among all different ones, by which equal words are told
    apart; 0 for NULL."""
    import pyarrow.compute as pc

    type_ = parts[0].type
    if pa.types.is_fixed_size_binary(type_):
        parts, type_ = [p.cast(pa.binary()) for p in parts], pa.binary()
    whole = pa.chunked_array(parts, type_).dictionary_encode().unify_dictionaries()
    values = whole.chunk(0).dictionary
    places = np.zeros(len(values) + 1, np.int64)  # NULL has the index -1, which is the first place
    places[1:] = pc.rank(values, tiebreaker="dense").to_numpy()
    indices = [c.indices.fill_null(-1).to_numpy().astype(np.int64) for c in whole.chunks]
    found: Int64 = places[np.concatenate(indices) + 1]
    return found
