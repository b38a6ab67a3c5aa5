"""The compiled form of norm.py: same arguments, within its tolerance. It imports numba."""

from __future__ import annotations

import numba
import numpy as np

from hartonomous.kernels.norm import Floats
from hartonomous.kernels.options import OPTIONS


@numba.njit(fastmath={"reassoc", "contract"}, **OPTIONS)
def _normalise_row(row, weight, bias, epsilon, is_rms, out):  # type: ignore[no-untyped-def]
    width = len(row)
    mean = np.float32(0)
    if not is_rms:
        for i in range(width):
            mean += row[i]
        mean /= np.float32(width)
    square = np.float32(0)
    for i in range(width):
        square += (row[i] - mean) * (row[i] - mean)
    factor = np.float32(1) / np.sqrt(square / np.float32(width) + np.float32(epsilon))
    if len(bias):
        for i in range(width):
            out[i] = (row[i] - mean) * factor * weight[i] + bias[i]
    else:
        for i in range(width):
            out[i] = (row[i] - mean) * factor * weight[i]


@numba.njit(**OPTIONS)
def _add_normalise(x, delta, delta_bias, weight, bias, epsilon, is_rms):  # type: ignore[no-untyped-def]
    out = np.empty_like(x)
    for n in range(len(x)):
        row = x[n]
        if len(delta):
            more = delta[n]
            for i in range(len(row)):
                row[i] += more[i]
            if len(delta_bias):
                for i in range(len(row)):
                    row[i] += delta_bias[i]
        _normalise_row(row, weight, bias, epsilon, is_rms, out[n])
    return out


def add_normalise(
    x: Floats,
    delta: Floats,
    delta_bias: Floats,
    weight: Floats,
    bias: Floats,
    epsilon: float,
    is_rms: bool,
) -> Floats:
    """As norm.add_normalise_reference."""
    out: Floats = _add_normalise(x, delta, delta_bias, weight, bias, epsilon, is_rms)
    return out
