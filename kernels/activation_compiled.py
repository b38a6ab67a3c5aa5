"""The compiled form of activation.py: same arguments, within its tolerance. It imports numba."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from hartonomous.kernels.activation import KINDS, Floats
from hartonomous.kernels.elementary_compiled import below32, exp32, tanh32
from hartonomous.kernels.options import OPTIONS

_SILU: Final = KINDS["silu"]
_GELU: Final = KINDS["gelu"]
_GELU_TANH: Final = KINDS["gelu_tanh"]
_TANH: Final = KINDS["tanh"]
_SIGMOID: Final = KINDS["sigmoid"]
_ONE = np.float32(1)
_ROOT_HALF = np.float32(0.7071067811865476)
_MINUS_TWICE = np.float32(-2 * 0.7978845608028654)  # the root of 2 / π
_CUBIC = np.float32(0.044715)


@numba.njit(fastmath={"contract"}, **OPTIONS)
def _apply(row, kind):  # type: ignore[no-untyped-def]
    """In place; one loop for each kind, so that each is vectorised."""
    if kind == _SILU:
        for i in range(len(row)):
            row[i] = row[i] / (_ONE + exp32(-row[i]))
    elif kind == _GELU:
        for i in range(len(row)):
            row[i] = row[i] * below32(row[i] * _ROOT_HALF)
    elif kind == _GELU_TANH:
        for i in range(len(row)):
            x = row[i]
            # (1 + tanh z) / 2 = 1 / (1 + e**-2z), without cancellation
            row[i] = x / (_ONE + exp32(_MINUS_TWICE * (x + _CUBIC * x * x * x)))
    elif kind == _TANH:
        for i in range(len(row)):
            row[i] = tanh32(row[i])
    elif kind == _SIGMOID:
        for i in range(len(row)):
            row[i] = _ONE / (_ONE + exp32(-row[i]))
    else:
        for i in range(len(row)):
            row[i] = max(row[i], np.float32(0))


@numba.njit(**OPTIONS)
def _activate(x, bias, kind):  # type: ignore[no-untyped-def]
    for n in range(len(x)):
        row = x[n]
        if len(bias):
            for i in range(len(row)):
                row[i] += bias[i]
        _apply(row, kind)


@numba.njit(**OPTIONS)
def _gate(gate_up, bias, kind):  # type: ignore[no-untyped-def]
    half = gate_up.shape[1] // 2
    out = np.empty((len(gate_up), half), np.float32)
    for n in range(len(gate_up)):
        row, up = out[n], gate_up[n, half:]
        row[:] = gate_up[n, :half]
        if len(bias):
            for i in range(half):
                row[i] += bias[i]
        _apply(row, kind)
        if len(bias):
            for i in range(half):
                row[i] *= up[i] + bias[half + i]
        else:
            for i in range(half):
                row[i] *= up[i]
    return out


def activate(x: Floats, bias: Floats, kind: str) -> Floats:
    """As activation.activate_reference."""
    _activate(x, bias, KINDS[kind])
    return x


def gate(gate_up: Floats, bias: Floats, kind: str) -> Floats:
    """As activation.gate_reference."""
    out: Floats = _gate(gate_up, bias, KINDS[kind])
    return out
