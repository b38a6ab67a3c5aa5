"""Tensors' stored numbers to float32 and back, for every dtype of blocks.py.

    uint8[N, row bytes] <-> float32[N, length]

Quantised dtypes are ggml's blocks; quantize_reference.py defines them, and the compiled form gives
the same bits. Numbers that float32 cannot hold (of F64, I32, I64 …) are rounded to nearest.
Estimate, compiled: one read of the blocks, one write of 4 bytes an element, about 10 elements a
nanosecond; NumPy takes 0.1 to 0.3 of blocks and 0.5 to 1 of halves, which is what importing numba
must win back. Writing blocks is left to NumPy: 0.1 to 0.4 elements a nanosecond.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.kernels import quantize_reference as reference
from hartonomous.kernels.blocks import BLOCKS, row_bytes
from hartonomous.kernels.quantize_reference import Bytes, Matrix

#: elements from which the compiled form is worth importing numba (0.35 s, once per process)
COMPILE_ELEMENTS: Final = 1 << 24
#: elements that the reference widens at once: its temporaries stay below 32 MiB
_PIECE_ELEMENTS: Final = 1 << 20

#: dtypes that NumPy knows
_PLAIN: Final[dict[str, str]] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I8": "|i1",
    "U8": "|u1",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
    "BOOL": "|u1",
}

#: dtypes of which numba widens rows
COMPILED: Final = ("F16", "BF16", *reference.DEQUANTISE)
QUANTISABLE: Final = ("F32", "F16", "BF16", *reference.QUANTISE)


def dequantise(dtype: str, data: Bytes, length: int) -> Matrix:
    """float32[N, length] of uint8[N, row bytes]; the result never shares memory with `data`."""
    _check(dtype, data, length)
    elements = len(data) * length
    if dtype in COMPILED and elements >= 1 << 12:
        is_loaded = "hartonomous.kernels.quantize_compiled" in sys.modules
        if is_loaded or (dtype in reference.DEQUANTISE and elements >= COMPILE_ELEMENTS):
            return dequantise_compiled(dtype, data, length)
    return dequantise_reference(dtype, data, length)


def dequantise_compiled(dtype: str, data: Bytes, length: int) -> Matrix:
    """As dequantise, for dtypes of COMPILED, by numba."""
    _check(dtype, data, length)
    assert dtype in COMPILED, dtype
    import hartonomous.kernels.quantize_compiled as compiled

    out = np.empty((len(data), length), np.float32)
    compiled.dequantise(dtype, data, out)
    return out


def dequantise_reference(dtype: str, data: Bytes, length: int) -> Matrix:
    """As dequantise, in NumPy alone."""
    _check(dtype, data, length)
    if dtype not in reference.DEQUANTISE:
        return _widen_plain(dtype, data, length)
    elements, size = BLOCKS[dtype]
    out = np.empty((len(data), length), np.float32)
    step = max(1, _PIECE_ELEMENTS // max(1, length))
    with np.errstate(all="ignore"):
        for start in range(0, len(data), step):
            blocks = np.ascontiguousarray(data[start : start + step]).reshape(-1, size)
            rows = reference.DEQUANTISE[dtype](blocks)
            assert rows.shape[1] == elements and rows.dtype == np.float32, (rows.shape, rows.dtype)
            out[start : start + step] = rows.reshape(-1, length)
    return out


def quantise(dtype: str, rows: Matrix) -> Bytes:
    """uint8[N, row bytes] of float32[N, length] in F32, F16, BF16, Q8_0, Q4_0 or Q4_1 (the dtypes
    of QUANTISABLE), rounded as ggml's reference does. Raises ValueError for another dtype or if the
    length is no multiple of its block.
    """
    if dtype not in QUANTISABLE:
        raise ValueError(f"rows cannot be written as {dtype}, only as {', '.join(QUANTISABLE)}")
    count, length = rows.shape
    out = np.empty((count, row_bytes(dtype, length)), np.uint8)
    step = max(1, _PIECE_ELEMENTS // max(1, length))
    with np.errstate(all="ignore"):
        for start in range(0, count, step):
            piece = np.ascontiguousarray(rows[start : start + step], dtype=np.float32)
            out[start : start + step] = _narrow(dtype, piece).reshape(len(piece), -1)
    return out


def _narrow(dtype: str, rows: Matrix) -> Bytes:
    if dtype in reference.QUANTISE:
        return reference.QUANTISE[dtype](rows.reshape(-1, BLOCKS[dtype][0]))
    if dtype == "BF16":
        bits = rows.view(np.uint32)
        rounded = (bits.astype(np.uint64) + 0x7FFF + (bits >> 16 & 1)) >> 16
        quiet = bits >> 16 | 0x40  # a NaN stays one, whichever bits are cut off
        return np.where(np.isnan(rows), quiet, rounded).astype("<u2").view(np.uint8)
    return rows.astype(_PLAIN[dtype]).view(np.uint8)


def _widen_plain(dtype: str, data: Bytes, length: int) -> Matrix:
    """Dtypes with one element a block."""
    flat = np.ascontiguousarray(data)
    with np.errstate(all="ignore"):
        if dtype == "BF16":
            bits: npt.NDArray[Any] = flat.view("<u2").astype(np.uint32) << 16
            return bits.view(np.float32).reshape(len(data), length)
        return flat.view(_PLAIN[dtype]).astype(np.float32).reshape(len(data), length)


def _check(dtype: str, data: Bytes, length: int) -> None:
    """Compiled code does not look whether a block is outside the data."""
    expected = row_bytes(dtype, length)
    assert data.dtype == np.uint8 and data.ndim == 2, (data.dtype, data.shape)
    assert data.shape[1] == expected, (dtype, data.shape, length, expected)
