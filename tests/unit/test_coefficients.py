"""Tests and figures of coefficients: the kernels against plain Python, comparisons as bounds."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hartonomous.hql.models.relations.coefficient_tests import Comparison, bounds_of
from hartonomous.kernels import coefficients as kernel
from hartonomous.kernels.coefficients import Passing

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 1e-45, 3.4028235e38, np.inf, -np.inf, np.nan]
ALL = kernel.SUMS | kernel.ENDS | kernel.POSITIONS

singles = st.one_of(st.sampled_from(SPECIAL), st.floats(-4, 4, width=32))
numbers = st.one_of(
    st.sampled_from([*SPECIAL, 0.1, 1e300, -1e300, 1e-300]),
    st.floats(-4, 4),
    st.integers(-3, 3),
    st.decimals(-3, 3, places=2),
)


def order(x: Any) -> tuple[bool, float]:
    """The place of a number where NaN is the greatest."""
    return (True, 0.0) if x != x else (False, float(x))


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(x: float, op: str, values: tuple[Any, ...]) -> bool:
    """What SQL says, UNKNOWN being false."""
    known = [order(v) for v in values if v is not None]
    if op == "IN":
        return order(x) in known
    if len(known) < len(values):
        return False
    if op == "NOT IN":
        return order(x) not in known
    if op == "BETWEEN":
        return known[0] <= order(x) <= known[1]
    return OPERATORS[op](order(x), known[0])


def comparisons(column: str) -> st.SearchStrategy[Comparison]:
    value = st.one_of(st.none(), numbers)
    one = st.tuples(st.sampled_from(sorted(OPERATORS)), st.tuples(value))
    two = st.tuples(st.just("BETWEEN"), st.tuples(value, value))
    some = st.tuples(
        st.sampled_from(["IN", "NOT IN"]), st.lists(value, min_size=1, max_size=4).map(tuple)
    )
    return st.one_of(one, two, some).map(lambda t: Comparison(column, *t))


@given(
    st.lists(singles, min_size=1, max_size=12),
    st.lists(st.one_of(*map(comparisons, ("Coefficient", "Magnitude", "Position"))), max_size=3),
)
def test_bounds_pass_what_the_comparisons_do(values: list[float], tests: list[Comparison]) -> None:
    row = np.array([values], np.float32)
    expected = [
        all(
            holds({"Coefficient": x, "Magnitude": abs(x), "Position": i}[t.column], t.op, t.values)
            for t in tests
        )
        for i, x in enumerate(row[0].tolist())
    ]
    bounds = bounds_of(tests)
    if bounds is None:
        assert not any(expected)
        return
    positions, passing = bounds
    found = kernel.test(row, passing, False)[0]
    for i in range(len(values)):
        inside = positions.first <= i and (positions.last is None or i <= positions.last)
        if positions.members is not None:
            inside &= i in positions.members
        if positions.excluded is not None:
            inside &= i not in positions.excluded
        assert (inside and found[i]) == expected[i], (i, values[i], tests)


@st.composite
def passings(draw: st.DrawFn, length: int) -> Passing:
    listed = st.lists(singles.filter(lambda x: x == x), max_size=4).map(
        lambda v: np.unique(np.array(v, np.float32))
    )
    low, high = draw(st.tuples(singles, singles).filter(lambda t: t[0] == t[0] and t[1] == t[1]))
    return Passing(
        low=low if draw(st.booleans()) else -math.inf,
        high=high if draw(st.booleans()) else math.inf,
        magnitude_low=abs(low) if draw(st.booleans()) else 0.0,
        magnitude_high=abs(high) if draw(st.booleans()) else math.inf,
        nan=draw(st.booleans()),
        members=draw(st.none() | listed),
        excluded=draw(st.none() | listed),
        columns=draw(
            st.none()
            | st.lists(st.booleans(), min_size=length, max_size=length).map(
                lambda v: np.array(v, np.bool_)
            )
        ),
    )


@given(st.data(), st.integers(1, 4), st.integers(1, 9))
def test_reference_figures(data: st.DataObject, rows: int, length: int) -> None:
    values = data.draw(st.lists(singles, min_size=rows * length, max_size=rows * length))
    tile = np.array(values, np.float32).reshape(rows, length)
    passing = data.draw(passings(length))
    kept = kernel.test(tile, passing, False)
    found = kernel.reduce(tile, passing, ALL, False)
    for k in range(rows):
        passed = tile[k][kept[k]].astype(np.float64)
        places = np.flatnonzero(kept[k])
        assert found.counts[k] == len(passed)
        if not len(passed):
            continue
        with np.errstate(invalid="ignore"):
            np.testing.assert_equal(found.sums[k] + 0.0, passed.sum() + 0.0)
            np.testing.assert_equal(found.magnitude_sums[k], np.abs(passed).sum())
        for ends, given_ in (
            ((found.least[k], found.greatest[k]), passed),
            ((found.magnitude_least[k], found.magnitude_greatest[k]), np.abs(passed)),
        ):
            np.testing.assert_equal(ends[0] + 0.0, min(given_, key=order) + 0.0)
            np.testing.assert_equal(ends[1] + 0.0, max(given_, key=order) + 0.0)
        assert found.position_sums[k] == places.sum()
        assert (found.position_least[k], found.position_greatest[k]) == (places[0], places[-1])


def random_tile(random: np.random.Generator) -> npt.NDArray[np.float32]:
    tile = random.standard_normal((7, 101)).astype(np.float32)
    tile[random.random(tile.shape) < 0.1] = 0
    tile[2, 5:9] = SPECIAL[-4:]
    tile[3] = np.nan
    return tile


@pytest.mark.parametrize(
    "passing",
    [
        Passing(),
        Passing(low=-0.5, high=0.25, nan=False),
        Passing(magnitude_low=0.5, magnitude_high=1.5),
        Passing(members=np.array([0, np.inf], np.float32), nan=False),
        Passing(excluded=np.array([0], np.float32), columns=np.arange(101) % 3 == 0),
        Passing(low=np.inf, high=-np.inf, nan=False),
    ],
)
def test_compiled_is_the_reference(passing: Passing) -> None:
    tile = random_tile(np.random.default_rng(3))
    np.testing.assert_array_equal(
        kernel.test(tile, passing, True), kernel.test(tile, passing, False)
    )
    found, expected = (kernel.reduce(tile, passing, ALL, c) for c in (True, False))
    some = expected.counts > 0
    for name in kernel.Figures.__slots__:
        one, other = getattr(found, name), getattr(expected, name)
        if "sums" in name:
            np.testing.assert_allclose(one[some], other[some], rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(one[some], other[some])
            assert one.dtype == other.dtype


def test_decimals_compare_exactly() -> None:
    tests = [Comparison("Coefficient", "<", (Decimal("0.1"),))]
    bounds = bounds_of(tests)
    assert bounds is not None
    tenth = np.float32(0.1)  # a little more than 0.1
    row = np.array([[tenth, np.nextafter(tenth, np.float32(0))]], np.float32)
    assert kernel.test(row, bounds[1], False).tolist() == [[False, True]]
