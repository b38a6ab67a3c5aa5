"""Functions of numbers.

Outside a function's domain (`SQRT(-1)`, `LOG(0)`) is an error, as in T-SQL; a FLOAT result that is
too large is an infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.operators import REMAINDER
from hartonomous.hql.functions.resolve import (
    P,
    approximate,
    check_count,
    number,
    raise_sql,
    resolver,
    scalar,
    whole,
)
from hartonomous.hql.types import FLOAT, INT, Type, decimal

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

_PAIR = (P("left", number), P("right", number))
_X = (P("number", number),)
_F = (P("number", approximate),)


def _whole_part(types: Sequence[Type]) -> Type:
    """A DECIMAL without its fraction: one digit more, for 9.5 -> 10."""
    given = types[0]
    if given.kind != "DECIMAL":
        return given
    assert given.a is not None and given.b is not None
    return decimal(max(1, min(38, given.a - given.b + 1)), 0)


def _sign(types: Sequence[Type]) -> Type:
    """Of a DECIMAL, which may have no digit before the point, one digit."""
    return decimal(1, 0) if types[0].kind == "DECIMAL" else types[0]


def _rounded(types: Sequence[Type]) -> Type:
    """ROUND keeps the type; a DECIMAL gets a digit more, for 9.99 -> 10.00."""
    given = types[0]
    if given.kind != "DECIMAL":
        return given
    assert given.a is not None and given.b is not None
    return decimal(min(38, given.a + 1), given.b)


def _resolve_round(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    """The engine rounds a DECIMAL to a constant number of digits only; else it is a FLOAT."""
    result, casts = _ROUND(types, constants)
    casts = (casts[0], *[INT] * (len(casts) - 1))
    if result.kind == "DECIMAL" and len(types) > 1 and constants[1] is None:
        return FLOAT, (FLOAT, *casts[1:])
    return result, casts


def _render_round(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    digits = args[1] if len(args) > 1 else "0"
    value = f"round({args[0]}, {digits})"
    if len(args) > 2:  # T-SQL's third argument: other than 0 it cuts off
        value = f"(CASE WHEN {args[2]} = 0 THEN {value} ELSE trunc({args[0]}, {digits}) END)"
    return f"CAST({value} AS {result.relational})"


def _render_log(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    if len(args) == 1:
        return f"ln({args[0]})"
    wrong = raise_sql("BAD_VALUE", span, "LOG: there is no logarithm to base 1", "DOUBLE")
    return f"(CASE WHEN {args[1]} = 1 THEN {wrong} ELSE ln({args[0]}) / ln({args[1]}) END)"


def _resolve_remainder(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    check_count("MOD", _PAIR, len(types), 2, 2)
    return REMAINDER(types, constants)


def _render_power(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    """The engine gives NaN for a power that is no real number."""
    base, exponent = args
    wrong = raise_sql("BAD_VALUE", span, "a negative number has whole powers only", "DOUBLE")
    is_none = f"{base} < 0 AND isfinite({exponent}) AND {exponent} <> trunc({exponent})"
    return f"(CASE WHEN {is_none} THEN {wrong} ELSE power({base}, {exponent}) END)"


_ROUND_PARAMETERS = (
    P("number", number),
    P("digits", whole, optional=True),
    P("cut", whole, optional=True),
)
_ROUND = resolver("ROUND", _ROUND_PARAMETERS, _rounded)


def _float(name: str, sql: str, doc: str, example: str) -> Function:
    return scalar(name, _F, FLOAT, sql, doc, example)


MATH: tuple[Function, ...] = (
    scalar("ABS", _X, 0, "abs({0})", "Without its sign.", "ABS(-3)"),
    scalar("CEILING", _X, _whole_part, "ceil({0})", "The least whole number not below.",
           "CEILING(1.2)", cast=True),
    scalar("FLOOR", _X, _whole_part, "floor({0})", "The greatest whole number not above.",
           "FLOOR(-1.2)", cast=True),
    scalar("ROUND", _ROUND_PARAMETERS, _rounded, _render_round,
           "Rounded to `digits` after the point (negative: before it), halves away from zero; "
           "`cut` other than 0 cuts off. A DECIMAL with digits that are no constant gives FLOAT.",
           "ROUND(2.345, 2)", resolve=_resolve_round),
    scalar("SIGN", _X, _sign, "sign({0})", "-1, 0 or 1.", "SIGN(-3)", cast=True),
    scalar("MOD", _PAIR, 0, "({0} % {1})",
           "The remainder, as the operator %.", "MOD(7, 3)", resolve=_resolve_remainder),
    scalar("POWER", (P("base", approximate), P("exponent", approximate)), FLOAT,
           _render_power, "base to the power of exponent.", "POWER(2, 10)"),
    _float("SQRT", "sqrt({0})", "The square root.", "SQRT(2)"),
    _float("SQUARE", "power({0}, CAST(2 AS DOUBLE))", "The square.", "SQUARE(3)"),
    _float("EXP", "exp({0})", "e to the power of the number.", "EXP(1)"),
    scalar("LOG", (P("number", approximate), P("base", approximate, optional=True)), FLOAT,
           _render_log, "The natural logarithm, or that to a base.", "LOG(8, 2)"),
    _float("LOG10", "log10({0})", "The logarithm to base 10.", "LOG10(1000)"),
    _float("LOG2", "log2({0})", "The logarithm to base 2.", "LOG2(8)"),
    _float("SIN", "sin({0})", "The sine of an angle in radians.", "SIN(1)"),
    _float("COS", "cos({0})", "The cosine of an angle in radians.", "COS(1)"),
    _float("TAN", "tan({0})", "The tangent of an angle in radians.", "TAN(1)"),
    _float("COT", "cot({0})", "The cotangent of an angle in radians.", "COT(1)"),
    _float("ASIN", "asin({0})", "The angle in radians whose sine it is.", "ASIN(1)"),
    _float("ACOS", "acos({0})", "The angle in radians whose cosine it is.", "ACOS(0)"),
    _float("ATAN", "atan({0})", "The angle in radians whose tangent it is.", "ATAN(1)"),
    scalar("ATN2", (P("y", approximate), P("x", approximate)), FLOAT, "atan2({0}, {1})",
           "The angle in radians of the point (x, y).", "ATN2(1, 2)"),
    _float("DEGREES", "degrees({0})", "Radians as degrees.", "DEGREES(PI())"),
    _float("RADIANS", "radians({0})", "Degrees as radians.", "RADIANS(180)"),
    scalar("PI", (), FLOAT, "pi()", "The circle's number.", "PI()"),
    scalar("RAND", (), FLOAT, "random()", "A random number in [0, 1), another for each row.",
           "FLOOR(RAND())", volatile=True),
)  # fmt: skip
