"""Values of plain expressions without the engine: loops count, compare and join texts.

An expression of whole numbers, truth values and strings becomes a Python function of the
parameters' values. Where that might differ from the engine (overflow, division by zero, a very long
text) it raises Unsure, and the caller asks the engine, which gives the value or says what is wrong.
The engine is the definition: tests/unit/test_quick.py compares the two.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from hartonomous.hql import plan as p
from hartonomous.hql.types import BITS, Type

#: the value of an expression, by the values of the parameters
Quick = Callable[[Mapping[str, Any]], Any]

#: longer texts are the engine's, which heeds the memory limit
CHARACTERS_MAX: Final = 1 << 16


class Unsure(Exception):
    """The engine is to be asked."""


def compile_plan(plan: p.Plan) -> Quick | None:
    """The only value of a plan of one row and one column, if its expression is plain."""
    body = plan.body
    if not isinstance(body, p.ValuesBlock) or len(body.rows) != 1 or len(body.rows[0]) != 1:
        return None
    if plan.ctes or plan.order_by or plan.limit is not None or plan.offset is not None:
        return None
    if plan.json is not None or plan.options:
        return None
    return compile_expression(body.rows[0][0])


def compile_expression(expr: p.Expr) -> Quick | None:
    """The value of a plain expression of constants and parameters, else None."""
    if not (expr.type.is_integer or expr.type.kind in ("BIT", "NVARCHAR", "NULL")):
        return None
    if isinstance(expr, p.Constant):
        value = expr.value
        return lambda values: value
    if isinstance(expr, p.Parameter):
        return operator.itemgetter(expr.name)
    if isinstance(expr, p.Cast):
        return _compile_cast(expr)
    if isinstance(expr, p.Case):
        return _compile_case(expr)
    if isinstance(expr, p.Call):
        return _compile_call(expr)
    return None


def _compile_cast(expr: p.Cast) -> Quick | None:
    operand, source, target = compile_expression(expr.operand), expr.operand.type, expr.type
    if operand is None or expr.try_:
        return None
    if source.is_integer and target.is_integer:
        return _bounded(operand, target)
    if source.is_integer and target.kind == "BIT":
        return _unless_null(bool, operand)
    if source.kind == "BIT" and target.is_integer:
        return _unless_null(int, operand)
    if source.kind == "NVARCHAR" and target.kind == "NVARCHAR" and target.a is None:
        return operand
    return operand if source.kind == "NULL" else None


def _compile_case(expr: p.Case) -> Quick | None:
    whens = [
        (compile_expression(condition), compile_expression(value))
        for condition, value in expr.whens
    ]
    otherwise = (
        compile_expression(expr.otherwise) if expr.otherwise is not None else lambda values: None
    )
    if otherwise is None or any(c is None or v is None for c, v in whens):
        return None

    def choose(values: Mapping[str, Any]) -> Any:
        for condition, value in whens:
            assert condition is not None and value is not None
            if condition(values):
                return value(values)
        return otherwise(values)

    return choose


def _compile_call(expr: p.Call) -> Quick | None:
    name, types = expr.function.name, [a.type for a in expr.arguments]
    compiled = [compile_expression(a) for a in expr.arguments]
    arguments = [a for a in compiled if a is not None]
    if len(arguments) < len(compiled) or name not in _ARITIES.get(len(arguments), ()):
        return None
    if len(arguments) == 1:
        return _unary(name, arguments[0])
    left, right = arguments
    if name in ("AND", "OR"):
        return _logical(name == "OR", left, right)
    if name in _COMPARISONS:
        return _both(_COMPARISONS[name], left, right) if _comparable(*types) else None
    if all(t.is_integer for t in types) and expr.type.is_integer:
        return _bounded(_both(_ARITHMETIC[name], left, right), expr.type)
    if name == "+" and all(t.kind == "NVARCHAR" for t in types):
        return _both(_join, left, right)
    return None


def _unary(name: str, operand: Quick) -> Quick:
    if name == "IS NULL":
        return lambda values: operand(values) is None
    if name == "IS NOT NULL":
        return lambda values: operand(values) is not None
    return _unless_null(operator.not_, operand)


def _comparable(left: Type, right: Type) -> bool:
    """Whether Python compares them as HQL does: by number, by code point."""
    if left.is_integer and right.is_integer:
        return True
    return left.kind == right.kind and left.kind in ("NVARCHAR", "BIT")


def _logical(decided: bool, left: Quick, right: Quick) -> Quick:
    """AND or OR in three-valued logic: `decided` on either side decides."""

    def combine(values: Mapping[str, Any]) -> Any:
        first = left(values)
        if first is decided:
            return decided
        second = right(values)
        if second is decided:
            return decided
        return None if first is None or second is None else not decided

    return combine


def _unless_null(work: Callable[[Any], Any], operand: Quick) -> Quick:
    def apply(values: Mapping[str, Any]) -> Any:
        value = operand(values)
        return None if value is None else work(value)

    return apply


def _both(work: Callable[[Any, Any], Any], left: Quick, right: Quick) -> Quick:
    def apply(values: Mapping[str, Any]) -> Any:
        first, second = left(values), right(values)
        return None if first is None or second is None else work(first, second)

    return apply


def _bounded(number: Quick, type_: Type) -> Quick:
    """The number if it fits its type."""
    limit = 1 << (BITS[type_.kind] - 1)

    def check(values: Mapping[str, Any]) -> Any:
        value = number(values)
        if value is not None and not -limit <= value < limit:
            raise Unsure
        return value

    return check


def _quotient(left: int, right: int) -> int:
    """Truncated toward zero."""
    if right == 0:
        raise Unsure
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _rest(left: int, right: int) -> int:
    """With the sign of the dividend."""
    return left - right * _quotient(left, right)


def _join(left: str, right: str) -> str:
    if len(left) + len(right) > CHARACTERS_MAX:
        raise Unsure
    return left + right


_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _rest,
}
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: functions that are known here, by the number of their arguments
_ARITIES: Final = {
    1: frozenset(["IS NULL", "IS NOT NULL", "NOT"]),
    2: frozenset(["AND", "OR", *_ARITHMETIC, *_COMPARISONS]),
}
