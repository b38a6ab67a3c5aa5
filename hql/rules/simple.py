"""Simple values: expressions that need no row and no relational engine, only the parameters.

Constant, Parameter, and casts of these that lose nothing (an integer to a wider type, a string to
a longer one). Ranges, key lookups, limits, top-k queries and rows of VALUES are made from them at
execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.types import BITS, Type

_IDENTITIES = {"NVARCHAR", "VARBINARY"}


def is_lossless(source: Type, target: Type) -> bool:
    """Whether every value of `source` is one of `target`, with the same order and equality."""
    if source == target or source.kind == "NULL":
        return True
    if source.is_integer and target.is_integer:
        return BITS[source.kind] <= BITS[target.kind]
    if source.is_integer and target.kind == "DECIMAL":
        digits = {8: 3, 16: 5, 32: 10, 64: 19}[BITS[source.kind]]
        return (target.a or 0) - (target.b or 0) >= digits
    if source.is_integer and target.kind == "FLOAT":
        return BITS[source.kind] <= 32
    if source.kind == target.kind == "DECIMAL":
        whole = (target.a or 0) - (target.b or 0) >= (source.a or 0) - (source.b or 0)
        return whole and (target.b or 0) >= (source.b or 0)
    if source.kind == target.kind and source.kind in _IDENTITIES:
        return target.a is None or (source.a is not None and source.a <= target.a)
    return source.kind == "REAL" and target.kind == "FLOAT"


def is_simple(expr: p.Expr) -> bool:
    """Whether value_of can compute it."""
    while isinstance(expr, p.Cast) and is_lossless(expr.operand.type, expr.type):
        expr = expr.operand
    return isinstance(expr, (p.Constant, p.Parameter))


def is_known(expr: p.Expr) -> bool:
    """Whether `evaluate` can compute it without a row: a simple value, or native functions of
    such values."""
    if is_simple(expr):
        return True
    if isinstance(expr, p.Call) and expr.function.kernel is not None:
        return not expr.function.volatile and all(is_known(a) for a in expr.arguments)
    return False


def value_of(expr: p.Expr, parameters: Mapping[str, Any]) -> Any:
    """The value of a simple expression, in Constant's Python form for its type."""
    if isinstance(expr, p.Constant):
        return expr.value
    if isinstance(expr, p.Parameter):
        return parameters[expr.name]
    assert isinstance(expr, p.Cast), expr
    value = value_of(expr.operand, parameters)
    if value is None:
        return None
    if expr.type.kind == "DECIMAL":
        # text first: a wide DECIMAL must not pass through Python's 28-digit context
        return Decimal(value) if isinstance(value, int) else value
    if expr.type.kind == "FLOAT":
        return float(value)
    return value


def strip_casts(expr: p.Expr) -> p.Expr:
    """The expression below casts that keep order and equality."""
    while isinstance(expr, p.Cast) and is_lossless(expr.operand.type, expr.type):
        expr = expr.operand
    return expr


def column_of(expr: p.Expr, relations: Mapping[int, Any]) -> p.Column | None:
    """The column of one of `relations` that an expression is, order-keeping casts aside."""
    bare = strip_casts(expr)
    return bare if isinstance(bare, p.Column) and bare.relation in relations else None
