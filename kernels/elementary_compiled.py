"""Exponential, hyperbolic tangent and error function in float32, in a form that loops can be
vectorised over: the library's are calls, one number at a time. Importing this imports numba.

exp: x = k ln 2 + r, |r| <= ln 2 / 2; a polynomial of degree 7 in r, times 2**k put together from
bits (Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter 6; coefficients
of the series, the last one bent to spread the error). Relative error below 2e-7. Arguments are cut
to -87 … 88, so that neither a subnormal nor an infinity appears: what should be below 1.6e-38 is
1.6e-38. erf: Abramowitz and Stegun 7.1.26, error below 1e-7 of (1 + erf) / 2.

They are functions of their own, not inlined by numba: so that a caller's `reassoc` does not reach
the additions here, whose order is the point. LLVM inlines them all the same.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types as nt
from numba.extending import intrinsic

from hartonomous.kernels.options import OPTIONS

#: adding it and taking it away rounds to a whole number
_ROUNDER = np.float32(12582912.0)
_LOG2_E = np.float32(1.44269504)
#: ln 2 in two parts, the first of few bits, so that k times it is exact
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P7, _P6, _P5 = np.float32(1.0 / 5040), np.float32(1.0 / 720), np.float32(1.0 / 120)
_P4, _P3, _P2 = np.float32(1.0 / 24), np.float32(1.0 / 6), np.float32(0.5)
_ONE, _HALF = np.float32(1), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-87.0), np.float32(88.0)
_EXPONENT_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)

_A1, _A2, _A3 = np.float32(0.254829592), np.float32(-0.284496736), np.float32(1.421413741)
_A4, _A5, _T = np.float32(-1.453152027), np.float32(1.061405429), np.float32(0.3275911)


def _as_float(typing_context, bits):  # type: ignore[no-untyped-def]
    """The float32 that these 32 bits are."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.FloatType())

    return nt.float32(nt.int32), generate


_float_of_bits: Any = intrinsic(_as_float)


@numba.njit(fastmath={"contract"}, **OPTIONS)
def exp32(x):  # type: ignore[no-untyped-def]
    x = min(max(x, _LOWEST), _HIGHEST)
    k = (x * _LOG2_E + _ROUNDER) - _ROUNDER
    r = x - k * _LN2_HIGH - k * _LN2_LOW
    p = _P7
    p = p * r + _P6
    p = p * r + _P5
    p = p * r + _P4
    p = p * r + _P3
    p = p * r + _P2
    p = p * r * r + r + _ONE
    return p * _float_of_bits(np.int32((np.int32(k) + _EXPONENT_BIAS) << _MANTISSA_BITS))


@numba.njit(fastmath={"contract"}, **OPTIONS)
def tanh32(x):  # type: ignore[no-untyped-def]
    """Absolute error below 3e-7: 1 - 2 / (e**2x + 1)."""
    return _ONE - np.float32(2) / (exp32(np.float32(2) * x) + _ONE)


@numba.njit(fastmath={"contract"}, **OPTIONS)
def below32(x):  # type: ignore[no-untyped-def]
    """(1 + erf(x)) / 2: of a normal distribution with variance 1/2, what lies below x."""
    size = abs(x)
    t = _ONE / (_ONE + _T * size)
    p = ((((_A5 * t + _A4) * t + _A3) * t + _A2) * t + _A1) * t
    tail = _HALF * p * exp32(-size * size)  # of its own, so that nothing cancels below zero
    return _ONE - tail if x >= np.float32(0) else tail
