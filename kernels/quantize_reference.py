"""The definition of ggml's blocks in NumPy: blocks to numbers, numbers to blocks.

    uint8[N, block bytes] -> float32[N, block elements], and back

The layouts are those of ggml (ggml-common.h, ggml-quants.c: `dequantize_row_*` and
`quantize_row_*_ref`), all little-endian; d and m are float16, q a number of a few bits:

    Q4_0  d, 16 bytes of q               (q - 8) d
    Q4_1  d, m, 16 bytes of q            q d + m
    Q5_0  d, 4 bytes of fifth bits, q    (q - 16) d
    Q5_1  d, m, 4 bytes, q               q d + m
    Q8_0  d, int8 q[32]                  q d
    Q4_K  d, m, 12 bytes of scales, 128 bytes of q          q (s d) - t m
    Q5_K  d, m, 12 bytes, 32 of fifth bits, 128 of q        q (s d) - t m
    Q6_K  128 bytes of low bits, 64 of high, int8 s[16], d  (q - 32) (s d)

In a block of 32 the low halves of the 16 bytes are elements 0 to 15, the high halves 16 to 31. In
one of 256, 32 bytes hold 64 elements the same way; s and t (6 bits each) belong to 32 elements, in
Q6_K to 16. Products and sums are rounded to float32 one by one, in the order written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float32]


def _half(data: Bytes) -> Matrix:
    """float32[N,1] from two bytes each."""
    return np.ascontiguousarray(data).view("<f2").astype(np.float32)


def _nibbles(data: Bytes, group: int) -> Bytes:
    """uint8[N, 2 x bytes]: of each `group` bytes the low halves, then the high halves."""
    parts = data.reshape(len(data), -1, group)
    return np.concatenate([parts & 15, parts >> 4], axis=2).reshape(len(data), -1)


def _bits(data: Bytes) -> Bytes:
    """uint8[N, 8 x bytes]: each bit, lowest first."""
    return np.unpackbits(data, axis=1, bitorder="little")


def _q4_0(data: Bytes) -> Matrix:
    return _half(data[:, :2]) * (_nibbles(data[:, 2:], 16).astype(np.float32) - 8)


def _q4_1(data: Bytes) -> Matrix:
    return _half(data[:, :2]) * _nibbles(data[:, 4:], 16).astype(np.float32) + _half(data[:, 2:4])


def _q5_0(data: Bytes) -> Matrix:
    q = _nibbles(data[:, 6:], 16) | _bits(data[:, 2:6]) << 4
    return _half(data[:, :2]) * (q.astype(np.float32) - 16)


def _q5_1(data: Bytes) -> Matrix:
    q = _nibbles(data[:, 8:], 16) | _bits(data[:, 4:8]) << 4
    return _half(data[:, :2]) * q.astype(np.float32) + _half(data[:, 2:4])


def _q8_0(data: Bytes) -> Matrix:
    return _half(data[:, :2]) * data[:, 2:].view(np.int8).astype(np.float32)


def _scales(data: Bytes) -> tuple[Matrix, Matrix]:
    """s and t, float32[N,8] each: the first four in 6 bits, the low halves of the others in the
    last four bytes, their high bits in what the first eight bytes have left."""
    first, second, third = data[:, :4], data[:, 4:8], data[:, 8:]
    s = np.concatenate([first & 63, third & 15 | first >> 2 & 48], axis=1)
    t = np.concatenate([second & 63, third >> 4 | second >> 2 & 48], axis=1)
    return s.astype(np.float32), t.astype(np.float32)


def _k(data: Bytes, q: Bytes) -> Matrix:
    """What Q4_K and Q5_K make of their q: uint8[N,256]."""
    s, t = _scales(data[:, 4:16])
    scale, offset = _half(data[:, :2]) * s, _half(data[:, 2:4]) * t
    parts = q.reshape(len(data), 8, 32).astype(np.float32)
    return (scale[:, :, None] * parts - offset[:, :, None]).reshape(len(data), 256)


def _q4_k(data: Bytes) -> Matrix:
    return _k(data, _nibbles(data[:, 16:], 32))


def _q5_k(data: Bytes) -> Matrix:
    # bit i of byte j is the fifth bit of element 32 i + j
    fifth = _bits(data[:, 16:48]).reshape(len(data), 32, 8).transpose(0, 2, 1)
    q = np.bitwise_or(_nibbles(data[:, 48:], 32), fifth.reshape(len(data), 256) << 4)
    return _k(data, q)


def _q6_k(data: Bytes) -> Matrix:
    low = _nibbles(data[:, :128], 64)
    # 32 bytes have the high bits of 128 elements: two bits of byte j for each of j, j + 32 …
    pairs = (
        data[:, 128:192].reshape(len(data), 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None]
    )
    q = low | (pairs & 3).reshape(len(data), 256) << 4
    scale = _half(data[:, 208:]) * data[:, 192:208].view(np.int8).astype(np.float32)
    parts = (q.astype(np.float32) - 32).reshape(len(data), 16, 16)
    return (scale[:, :, None] * parts).reshape(len(data), 256)


DEQUANTISE: Final[dict[str, Callable[[Bytes], Matrix]]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}


def _inverse(scale: Matrix) -> Matrix:
    return np.where(scale == 0, np.float32(0), 1 / scale)


def _packed(q: Matrix) -> Bytes:
    """uint8[N,16]: float32[N,32] cut off and held to 0 … 15."""
    whole = np.nan_to_num(q, nan=0).clip(0, 15).astype(np.uint8)
    packed: Bytes = np.bitwise_or(whole[:, :16], whole[:, 16:] << 4)
    return packed


def _to_half(scale: Matrix) -> Bytes:
    return scale.astype("<f2").view(np.uint8)


def _to_q4_0(blocks: Matrix) -> Bytes:
    place = np.abs(blocks).argmax(axis=1, keepdims=True)
    scale: Matrix = np.take_along_axis(blocks, place, axis=1) / np.float32(-8)
    return np.hstack([_to_half(scale), _packed(blocks * _inverse(scale) + np.float32(8.5))])


def _to_q4_1(blocks: Matrix) -> Bytes:
    low = blocks.min(axis=1, keepdims=True)
    scale = (blocks.max(axis=1, keepdims=True) - low) / 15
    q = (blocks - low) * _inverse(scale) + np.float32(0.5)
    return np.hstack([_to_half(scale), _to_half(low), _packed(q)])


def _to_q8_0(blocks: Matrix) -> Bytes:
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    wide = blocks * _inverse(scale)
    whole = np.trunc(wide)
    # halves away from zero; wide - whole is exact, wide + 0.5 would not be
    whole += np.copysign(np.abs(wide - whole) >= np.float32(0.5), wide)
    q = np.nan_to_num(whole, nan=0).clip(-128, 127).astype(np.int8)
    return np.hstack([_to_half(scale), q.view(np.uint8)])


#: float32[N,32] -> blocks; numbers that are not finite give a block whose scale is not
QUANTISE: Final[dict[str, Callable[[Matrix], Bytes]]] = {
    "Q4_0": _to_q4_0,
    "Q4_1": _to_q4_1,
    "Q8_0": _to_q8_0,
}
