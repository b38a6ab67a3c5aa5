"""Laws of values: the engine agrees with the registry's types, with format_value, and with the
casts of constants that are made without it."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hartonomous.hql import plan, types
from hartonomous.hql.engine.relational import engine
from hartonomous.hql.engine.render import render
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions import operator
from hartonomous.hql.functions.coerce import can_convert
from hartonomous.hql.types import Type, parse_type
from hartonomous.hql.values import coerce_constant, format_value, parameter_value, to_python


def evaluate(expr: plan.Expr) -> tuple[Any, str]:
    """An expression without columns: its value in Python's plain form, the engine's type."""
    sql = render(expr, lambda c: c.name, lambda p: "", lambda c, a: "NULL")
    with engine().cursor() as cursor:
        table = cursor.stream(f"SELECT {sql} AS x, typeof({sql}) AS t").read_all()
    return table["x"][0].as_py(), str(table["t"][0])


def decimals(precision: int, scale: int) -> SearchStrategy[Decimal]:
    bound = 10**precision - 1
    return st.integers(-bound, bound).map(lambda n: Decimal(f"{n}E-{scale}"))


shapes = st.integers(1, 38).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p)))


@settings(max_examples=150, deadline=None)
@given(shapes, shapes, st.sampled_from("+-*%"))
def test_decimal_arithmetic_has_the_engines_precision(
    left: tuple[int, int], right: tuple[int, int], sign: str
) -> None:
    function = operator(sign)
    given_types = [Type("DECIMAL", *left), Type("DECIMAL", *right)]
    if sign == "*" and left[1] + right[1] > 38:
        return
    result, casts = function.resolve(given_types, [None, None])
    operands = [plan.Constant(type=t, value=Decimal(f"1E-{t.b}")) for t in casts]
    call = plan.Call(type=result, function=function, arguments=tuple(operands))
    assert evaluate(call)[1] == result.relational


VALUES: dict[str, SearchStrategy[Any]] = {
    "BIT": st.booleans(),
    "TINYINT": st.integers(-(2**7), 2**7 - 1),
    "INT": st.integers(-(2**31), 2**31 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DECIMAL(9,3)": decimals(9, 3),
    "DECIMAL(38,10)": decimals(38, 10),
    "FLOAT": st.floats(allow_nan=False) | st.integers(-1000, 1000).map(lambda n: n / 4),
    "REAL": st.floats(width=32, allow_nan=False),
    "NVARCHAR": st.text(max_size=8)
    | st.integers(-300, 300).map(str)
    | st.sampled_from(
        [
            *("1.5", "-2.50", "1e3", "+7", "007", "1_0", "0x1", "nan", "inf", "½", "٣", "1٣"),
            *("true", "false", "1", "0", "2026-11-22", "2026-02-30", "2026-11-22T10:30:00"),
            *("10:30:00", "10:30:00.5", "24:00:00", "2026-11-22+10:30", "9999-12-31"),
            *("0000-01-01", "9999-12-31 23:59:59", "2026-11-22 10:30:00.123"),
        ]
    ),
    "VARBINARY": st.binary(max_size=20),
    "DATE": st.dates(),
    "TIME": st.times(),
    "DATETIME2": st.datetimes(),
    "DATETIMEOFFSET": st.datetimes(),
    "UNIQUEIDENTIFIER": st.binary(min_size=16, max_size=16),
}
NAMES = sorted([*VALUES, "SMALLINT", "DECIMAL(5,1)", "NVARCHAR(3)", "VARBINARY(2)"])


@st.composite
def casts(draw: st.DrawFn) -> tuple[Any, Type, Type]:
    source = parse_type(draw(st.sampled_from(sorted(VALUES))))
    target = parse_type(draw(st.sampled_from(NAMES)))
    return draw(VALUES[str(source)]), source, target


@settings(max_examples=600, deadline=None)
@given(casts())
def test_casts_of_constants_are_the_engines(case: tuple[Any, Type, Type]) -> None:
    value, source, target = case
    if not can_convert(source, target):
        return
    ours = coerce_constant(value, target, source)
    constant = plan.Constant(type=source, value=value)
    if ours is NotImplemented:
        return
    theirs, _ = evaluate(plan.Cast(type=target, operand=constant))
    assert same(theirs, ours), (value, str(source), str(target), theirs, ours)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    if type(a) is not type(b) and not isinstance(a, (int, Decimal)):
        return False
    return bool(a == b) and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(VALUES.keys() - {"VARBINARY"})).flatmap(
    lambda name: st.tuples(st.just(name), VALUES[name])
))  # fmt: skip
def test_texts_are_the_engines(case: tuple[str, Any]) -> None:
    name, value = case
    type_ = parse_type(name)
    constant = plan.Constant(type=type_, value=value)
    theirs, _ = evaluate(plan.Cast(type=types.NVARCHAR, operand=constant))
    assert theirs == format_value(value, type_)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.none() | VALUES[name], max_size=5))
))  # fmt: skip
def test_columns_become_python_and_are_parameters_again(case: tuple[str, list[Any]]) -> None:
    import pyarrow as pa

    name, values = case
    type_ = parse_type(name)
    if name == "DATETIMEOFFSET":
        column = pa.array(values, pa.timestamp("us")).cast(type_.arrow)
    else:
        column = pa.array(values, type_.arrow)
    found = to_python(column, type_)
    assert len(found) == len(values)
    for before, after in zip(values, found, strict=True):
        assert (before is None) == (after is None)
        if after is not None:
            again_type, again = parameter_value("p", after)
            assert again == before
            assert again_type.kind == type_.kind or type_.is_numeric


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=6))
def test_vectors_print_as_the_engine_does_and_parse_back(numbers: list[float]) -> None:
    import pyarrow as pa

    from hartonomous.hql.functions.vector_kernels import from_vector, to_vector

    type_ = types.vector(len(numbers))
    column = pa.array([numbers], type_.arrow)
    text = from_vector(column)[0].as_py()
    assert text == format_value(np.array(numbers, np.float32), type_)
    if all(map(math.isfinite, numbers)):
        back = to_vector(pa.array([text]), pa.scalar(len(numbers)), pa.scalar(False))
        assert back[0].as_py() == column[0].as_py()
        assert coerce_constant(text, type_).tolist() == column[0].as_py()


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["TINYINT", "SMALLINT", "INT", "BIGINT"]),
    st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200),
    st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200),
    st.sampled_from("+-*/%"),
)
def test_integer_arithmetic_is_exact_or_an_error(kind: str, a: int, b: int, sign: str) -> None:
    type_ = Type(kind)
    bound = 1 << (types.BITS[kind] - 1)
    a, b = (n % (2 * bound) - bound for n in (a, b))
    operands = tuple(plan.Constant(type=type_, value=n) for n in (a, b))
    call = plan.Call(type=type_, function=operator(sign), arguments=operands)
    try:
        found: Any = evaluate(call)[0]
    except ExecutionFault as fault:
        found = fault.code
    if sign in "/%" and b == 0:
        assert found == "DIVISION_BY_ZERO"
        return
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0
    exact = {"+": a + b, "-": a - b, "*": a * b, "/": quotient, "%": a - quotient * b}[sign]
    if sign == "%" and (a, b) == (-bound, -1):
        exact = bound  # the division overflows
    assert found == (exact if -bound <= exact < bound else "OVERFLOW")
