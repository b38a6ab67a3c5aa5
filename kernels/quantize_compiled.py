"""The compiled form of quantize.py: the same bits for every dtype. Importing it imports numba.

Each dtype has its function, compiled when first asked for. No `fastmath`: nothing may be fused or
reordered, as the reference rounds every product and every sum.

    data: uint8[blocks x block bytes], out: float32[blocks x block elements]
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

from hartonomous.kernels.options import OPTIONS
from hartonomous.kernels.quantize_reference import Bytes, Matrix

#: half's exponent is moved to single's by a product, which is exact, also of subnormal numbers
_REBIAS = np.float32(2.0**112)


@numba.njit(**OPTIONS)
def half(low, high):  # type: ignore[no-untyped-def]
    """float32 of the two bytes of a float16."""
    bits = np.int32(low) | np.int32(high) << 8
    magnitude = np.int32((bits & 0x7FFF) << 13)
    value = magnitude.view(np.float32) * _REBIAS
    if bits & 0x7C00 == 0x7C00:  # infinite or NaN
        value = np.int32(magnitude | 0x7F800000).view(np.float32)
    return -value if bits & 0x8000 else value


@numba.njit(**OPTIONS)
def _q4_0(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 32):
        block, out = data[18 * b : 18 * b + 18], numbers[32 * b : 32 * b + 32]
        scale = half(block[0], block[1])
        for i in range(16):
            q = block[2 + i]
            out[i] = scale * np.float32(np.int32(q & 15) - 8)
            out[16 + i] = scale * np.float32(np.int32(q >> 4) - 8)


@numba.njit(**OPTIONS)
def _q4_1(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 32):
        block, out = data[20 * b : 20 * b + 20], numbers[32 * b : 32 * b + 32]
        scale, offset = half(block[0], block[1]), half(block[2], block[3])
        for i in range(16):
            q = block[4 + i]
            out[i] = scale * np.float32(q & 15) + offset
            out[16 + i] = scale * np.float32(q >> 4) + offset


@numba.njit(**OPTIONS)
def _q5_0(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 32):
        block, out = data[22 * b : 22 * b + 22], numbers[32 * b : 32 * b + 32]
        scale = half(block[0], block[1])
        for i in range(16):
            q = np.int32(block[6 + i])
            low = np.int32(block[2 + (i >> 3)]) >> (i & 7) & 1
            high = np.int32(block[4 + (i >> 3)]) >> (i & 7) & 1
            out[i] = scale * np.float32((q & 15 | low << 4) - 16)
            out[16 + i] = scale * np.float32((q >> 4 | high << 4) - 16)


@numba.njit(**OPTIONS)
def _q5_1(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 32):
        block, out = data[24 * b : 24 * b + 24], numbers[32 * b : 32 * b + 32]
        scale, offset = half(block[0], block[1]), half(block[2], block[3])
        for i in range(16):
            q = np.int32(block[8 + i])
            low = np.int32(block[4 + (i >> 3)]) >> (i & 7) & 1
            high = np.int32(block[6 + (i >> 3)]) >> (i & 7) & 1
            out[i] = scale * np.float32(q & 15 | low << 4) + offset
            out[16 + i] = scale * np.float32(q >> 4 | high << 4) + offset


@numba.njit(**OPTIONS)
def _q8_0(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 32):
        block, out = data[34 * b : 34 * b + 34], numbers[32 * b : 32 * b + 32]
        scale = half(block[0], block[1])
        for i in range(32):
            out[i] = scale * np.float32(np.int8(block[2 + i]))


@numba.njit(**OPTIONS)
def _pair(scales, j):  # type: ignore[no-untyped-def]
    """s and t of 32 elements; see quantize_reference._scales."""
    if j < 4:
        return np.float32(scales[j] & 63), np.float32(scales[4 + j] & 63)
    packed = scales[4 + j]
    s = packed & 15 | scales[j - 4] >> 2 & 48
    t = packed >> 4 | scales[j] >> 2 & 48
    return np.float32(s), np.float32(t)


@numba.njit(**OPTIONS)
def _q4_k(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 256):
        block, out = data[144 * b : 144 * b + 144], numbers[256 * b : 256 * b + 256]
        d, m = half(block[0], block[1]), half(block[2], block[3])
        for j in range(8):
            s, t = _pair(block[4:16], j)
            scale, offset = d * s, m * t
            shift = np.uint8(4 * (j & 1))
            for i in range(32):
                q = block[16 + 32 * (j >> 1) + i] >> shift & 15
                out[32 * j + i] = scale * np.float32(q) - offset


@numba.njit(**OPTIONS)
def _q5_k(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 256):
        block, out = data[176 * b : 176 * b + 176], numbers[256 * b : 256 * b + 256]
        d, m = half(block[0], block[1]), half(block[2], block[3])
        for j in range(8):
            s, t = _pair(block[4:16], j)
            scale, offset = d * s, m * t
            shift = np.uint8(4 * (j & 1))
            for i in range(32):
                low = block[48 + 32 * (j >> 1) + i] >> shift & 15
                fifth = block[16 + i] >> np.uint8(j) & 1
                out[32 * j + i] = scale * np.float32(low | fifth << 4) - offset


@numba.njit(**OPTIONS)
def _q6_k(data, numbers):  # type: ignore[no-untyped-def]
    for b in range(len(numbers) // 256):
        block, out = data[210 * b : 210 * b + 210], numbers[256 * b : 256 * b + 256]
        d = half(block[208], block[209])
        for j in range(16):
            scale = d * np.float32(np.int8(block[192 + j]))
            part = j >> 3  # 128 elements have 64 bytes of low halves and 32 of high bits
            first = 64 * part + 16 * (j & 3)
            shift, shift_high = np.uint8(4 * (j >> 2 & 1)), np.uint8(2 * (j >> 1 & 3))
            for i in range(16):
                low = block[first + i] >> shift & 15
                high = block[128 + 32 * part + 16 * (j & 1) + i] >> shift_high & 3
                out[16 * j + i] = scale * np.float32(np.int32(low | high << 4) - 32)


_FUNCTIONS: Final[dict[str, Any]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}


def dequantise(dtype: str, data: Bytes, out: Matrix) -> None:
    """As quantize.dequantise, into `out`."""
    _FUNCTIONS[dtype](np.ascontiguousarray(data).reshape(-1), out.reshape(-1))
