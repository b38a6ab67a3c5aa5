"""The compiled form of quantize.py: the same bits for every dtype. Importing it imports numba."""

from __future__ import annotations

import numpy as np

from hartonomous.kernels.matvec_compiled import widen
from hartonomous.kernels.quantize_reference import Bytes, Matrix


def dequantise(dtype: str, data: Bytes, out: Matrix) -> None:
    """As quantize.dequantise, into `out`: float32[N, length], contiguous."""
    assert out.flags.c_contiguous, out.strides
    data = np.ascontiguousarray(data)
    rows, length = out.shape
    widen(dtype).ctypes(data.ctypes.data, out.ctypes.data, length, rows)
