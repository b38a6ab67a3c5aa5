"""Comparisons of coefficients with known values, as bounds that a scan can apply.

Coefficient and Magnitude are float32 and are compared exactly with numbers of any type, NaN being
greater than all others and equal to itself: `x < 0.1` asks for x up to the greatest float32 below
0.1. Position is a whole number. A comparison with NULL lets nothing pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hartonomous.hql.frozen import frozen
from hartonomous.hql.models.relations.coefficients import Positions
from hartonomous.kernels.coefficients import Passing

#: a row has fewer elements
_POSITION_MAX: Final = 2**31 - 1

Floats = npt.NDArray[np.float32]


@frozen
class Comparison:
    """`column` op values. op: = <> < <= > >= IN, NOT IN, BETWEEN."""

    column: str
    op: str
    values: tuple[Any, ...]


def bounds_of(tests: Sequence[Comparison]) -> tuple[Positions, Passing] | None:
    """What passes all of them; None if nothing can."""
    positions, passing = Positions(), Passing()
    for test in tests:
        narrowed = _narrowed(test, positions, passing)
        if narrowed is None:
            return None
        positions, passing = narrowed
    return positions, passing


def _narrowed(
    test: Comparison, positions: Positions, passing: Passing
) -> tuple[Positions, Passing] | None:
    values = test.values
    if test.op == "IN":
        values = tuple(v for v in values if v is not None)
    elif any(v is None for v in values):
        return None
    if test.op == "BETWEEN":
        low, high = values
        first = _narrowed(Comparison(test.column, ">=", (low,)), positions, passing)
        return first and _narrowed(Comparison(test.column, "<=", (high,)), *first)
    if test.column == "Position":
        return _position(test.op, values, positions), passing
    return positions, _number(test.op, values, test.column == "Magnitude", passing)


# --- whole numbers -------------------------------------------------------------------------------


def _position(op: str, values: tuple[Any, ...], given: Positions) -> Positions:
    if op in ("=", "IN", "<>", "NOT IN"):
        whole = [int(v) for v in values if _is_position(v)]
        listed = np.unique(np.array(whole, np.int64))
        if op in ("=", "IN"):
            if given.members is not None:
                listed = np.intersect1d(listed, given.members)
            return replace(given, members=listed)
        if given.excluded is not None:
            listed = np.union1d(listed, given.excluded)
        return replace(given, excluded=listed)
    value = values[0]
    is_below = op in ("<", "<=")
    if value != value or value in (math.inf, -math.inf):
        # a position is below NaN and infinity, and above minus infinity
        holds = is_below == (value != value or value > 0)
        return given if holds else replace(given, last=-1)
    if is_below:
        last = math.floor(value) if op == "<=" else math.ceil(value) - 1
        last = max(-1, min(last, _POSITION_MAX))
        return replace(given, last=last if given.last is None else min(last, given.last))
    first = math.ceil(value) if op == ">=" else math.floor(value) + 1
    return replace(given, first=max(given.first, min(first, _POSITION_MAX)))


def _is_position(value: Any) -> bool:
    return bool(value == value and 0 <= value <= _POSITION_MAX and int(value) == value)


# --- float32 -------------------------------------------------------------------------------------


def _number(op: str, values: tuple[Any, ...], is_magnitude: bool, given: Passing) -> Passing:
    numbers = [float(v) for v in values]
    has_nan = any(math.isnan(n) for n in numbers)
    if op in ("=", "IN"):
        listed = _listed(numbers, is_magnitude)
        if given.members is not None:
            listed = np.intersect1d(listed, given.members)
        return replace(given, members=listed, nan=given.nan and has_nan)
    if op in ("<>", "NOT IN"):
        listed = _listed(numbers, is_magnitude)
        if given.excluded is not None:
            listed = np.union1d(listed, given.excluded)
        return replace(given, excluded=listed, nan=given.nan and not has_nan)
    low, high, nan = _interval(op, numbers[0])
    nan = nan and given.nan
    if is_magnitude:
        low, high = max(low, given.magnitude_low), min(high, given.magnitude_high)
        return replace(given, magnitude_low=low, magnitude_high=high, nan=nan)
    return replace(given, low=max(low, given.low), high=min(high, given.high), nan=nan)


def _listed(numbers: list[float], is_magnitude: bool) -> Floats:
    """Ascending, those of the numbers that are float32; of magnitudes, with either sign."""
    if is_magnitude:
        numbers = [s * n for n in numbers if n >= 0 for s in (1.0, -1.0)]
    exact = [n for n in numbers if not math.isnan(n) and float(_single(n)) == n]
    return np.unique(np.array(exact, np.float32))


def _interval(op: str, number: float) -> tuple[float, float, bool]:
    """Least and greatest float32 that compare so with a number, and whether NaN does."""
    if math.isnan(number):
        # everything is at most NaN, and NaN alone is at least NaN
        everything, nothing = (-math.inf, math.inf), (math.inf, -math.inf)
        low, high = everything if op in ("<", "<=") else nothing
        return low, high, op in ("<=", ">=")
    near = _single(number)
    if op in ("<", "<="):
        if float(near) > number or (op == "<" and float(near) == number):
            if near == -np.inf:
                return math.inf, -math.inf, False
            near = _next(near, -np.inf)
        return -math.inf, float(near), False
    if float(near) < number or (op == ">" and float(near) == number):
        if near == np.inf:
            return math.inf, -math.inf, True
        near = _next(near, np.inf)
    return float(near), math.inf, True


def _next(number: np.float32, towards: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(np.nextafter(number, np.float32(towards)))


def _single(number: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(number)
