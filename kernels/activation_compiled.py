"""The compiled form of activation.py: same arguments, within its tolerance. It imports numba."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from hartonomous.kernels.activation import KINDS, Floats
from hartonomous.kernels.elementary_compiled import erf32, exp32, tanh32
from hartonomous.kernels.options import OPTIONS

_SILU: Final = KINDS["silu"]
_GELU: Final = KINDS["gelu"]
_GELU_TANH: Final = KINDS["gelu_tanh"]
_TANH: Final = KINDS["tanh"]
_SIGMOID: Final = KINDS["sigmoid"]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_ROOT_HALF = np.float32(0.7071067811865476)
_ROOT_2_PI = np.float32(0.7978845608028654)
_CUBIC = np.float32(0.044715)


@numba.njit(fastmath={"contract"}, **OPTIONS)
def _apply(row, kind):  # type: ignore[no-untyped-def]
    """In place; one loop for each kind, so that each is vectorised."""
    if kind == _SILU:
        for i in range(len(row)):
            row[i] = row[i] / (_ONE + exp32(-row[i]))
    elif kind == _GELU:
        for i in range(len(row)):
            row[i] = _HALF * row[i] * (_ONE + erf32(row[i] * _ROOT_HALF))
    elif kind == _GELU_TANH:
        for i in range(len(row)):
            x = row[i]
            row[i] = _HALF * x * (_ONE + tanh32(_ROOT_2_PI * (x + _CUBIC * x * x * x)))
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
