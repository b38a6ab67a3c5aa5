"""Explicit conversions, and calls with their arguments converted.

The registry's resolvers say what type a call has and what types its arguments must come in; here
the Casts are put in. Conversions of plain constants are done at once (constants.convert).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hartonomous.hql import functions, plan
from hartonomous.hql.ast import Span
from hartonomous.hql.bind import constants
from hartonomous.hql.bind.context import BindContext, fault, locate
from hartonomous.hql.functions import coerce
from hartonomous.hql.functions.base import Function
from hartonomous.hql.types import BIT, Type
from hartonomous.storage.errors import Error

COMPARISONS = frozenset(
    [
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "IS DISTINCT FROM",
        "IS NOT DISTINCT FROM",
    ]
)
_ORDERINGS = frozenset(["<", "<=", ">", ">="])
NOCASE = "__nocase"


def cast(expr: plan.Expr, type_: Type) -> plan.Expr:
    """`expr` as `type_`: itself, a converted constant, or a Cast. The caller knows that the
    conversion is allowed."""
    if expr.type == type_ or _same_values(expr.type, type_):
        return expr
    if isinstance(expr, plan.Constant):
        converted = constants.convert(expr, type_)
        if converted is not None:
            return converted
    elif expr.type.kind == "NULL":  # CASE … THEN NULL END, a column of NULLs: nothing but NULL
        return plan.Constant(type=type_, span=expr.span, value=None)
    return plan.Cast(type=type_, span=expr.span, operand=expr)


def _same_values(source: Type, target: Type) -> bool:
    """Whether every value of `source` is one of `target` as it is: longer strings, vectors of any
    length. A Cast would only hide a column from zone maps and keys."""
    if source.kind != target.kind or source.kind not in ("NVARCHAR", "VARBINARY", "VECTOR"):
        return False
    if target.a is None:
        return True
    return source.kind != "VECTOR" and source.a is not None and source.a <= target.a


def implicit(expr: plan.Expr, type_: Type, what: str) -> plan.Expr:
    """`expr` converted as an assignment would; TYPE_MISMATCH if the types have no conversion."""
    if expr.type == type_:
        return expr
    if not coerce.can_cast(expr.type, type_):
        raise fault(
            expr.span, f"{what} is {expr.type}, which is not {type_}", "TYPE_MISMATCH",
            f"write CAST(… AS {type_}) if there is such a conversion",
        )  # fmt: skip
    return cast(expr, type_)


def common_type(types: Sequence[Type], span: Span) -> Type:
    """The type that all of `types` are converted to; TYPE_MISMATCH naming two that do not meet."""
    first = types[0]
    if first.kind != "VECTOR" and all([t == first for t in types]):
        return first
    try:
        return coerce.common_type(types)
    except Error as error:
        locate(error, span)


def unify(exprs: Sequence[plan.Expr], span: Span) -> tuple[list[plan.Expr], Type]:
    """The expressions in their common type, and that type."""
    type_ = common_type([e.type for e in exprs], span)
    return [cast(e, type_) for e in exprs], type_


def constant_of(expr: plan.Expr) -> Any:
    return expr.value if expr.__class__ is plan.Constant else None


def call(
    function: Function,
    arguments: Sequence[plan.Expr],
    span: Span,
    context: BindContext | None = None,
) -> plan.Call:
    """A scalar call with its arguments converted; resolver errors get the call's place. What users
    call by name needs the context."""
    function, type_, wanted = resolved(function, arguments, span, context)
    return plan.Call(
        type=type_,
        span=span,
        function=function,
        arguments=tuple([cast(a, t) for a, t in zip(arguments, wanted, strict=True)]),
    )


def resolved(
    function: Function,
    arguments: Sequence[plan.Expr],
    span: Span,
    context: BindContext | None,
) -> tuple[Function, Type, tuple[Type, ...]]:
    """The function that is to be called, its result type, and the types its arguments come in."""
    types, constants = [a.type for a in arguments], [constant_of(a) for a in arguments]
    try:
        type_, wanted = function.resolve(types, constants)
        if function.in_catalog is not None:
            assert context is not None, function.name
            found = function.in_catalog(function, arguments, context)
            if found.resolve is not function.resolve:
                type_, wanted = found.resolve(types, constants)
            function = found
    except Error as error:
        locate(error, span)
    return function, type_, wanted


def operator(sign: str, arguments: Sequence[plan.Expr], span: Span) -> plan.Expr:
    """An operator's call."""
    return call(functions.operator(sign), arguments, span)


def compare(sign: str, left: plan.Expr, right: plan.Expr, span: Span) -> plan.Expr:
    """A comparison. A constant is brought to the other side's type where nothing is lost, so that
    columns stay bare; COLLATE NOCASE on one side folds both."""
    left, right = fold_alike([left, right])
    if left.type != right.type:
        left, right = fit_constant(left, right.type), fit_constant(right, left.type)
    if sign in _ORDERINGS:
        for side in (left, right):
            reject_wide(side, f"{sign} does not order {side.type}")
    return operator(sign, (left, right), span)


def fit_constant(expr: plan.Expr, type_: Type) -> plan.Expr:
    """An exact constant as `type_`, if it fits without loss; else unchanged."""
    if isinstance(expr, plan.Constant) and expr.type.is_exact and expr.value is not None:
        if type_.is_exact:
            return constants.fit(expr, type_) or expr
        if type_.kind == "BIT" and expr.value in (0, 1):
            return constants.boolean(expr.value == 1, expr.span)
    return expr


def reject_wide(expr: plan.Expr, message: str) -> None:
    if expr.type.is_wide:
        number = "VECTOR_NORM(v)" if expr.type.kind == "VECTOR" else "g.STX"
        raise fault(expr.span, message, "TYPE_MISMATCH", f"order by a number of it: {number}")


def predicate(expr: plan.Expr, what: str) -> plan.Expr:
    """`expr` where a condition must stand: BIT, or NULL; TYPE_MISMATCH for everything else."""
    kind = expr.type.kind
    if kind == "BIT":
        return expr
    if kind == "NULL":
        return cast(expr, BIT)
    raise fault(
        expr.span,
        f"{what} needs a condition, and this is {expr.type}",
        "TYPE_MISMATCH",
        "compare it: … <> 0" if expr.type.is_numeric else "compare it with something",
    )


# --- COLLATE NOCASE ------------------------------------------------------------------------------


def is_folded(expr: plan.Expr) -> bool:
    return isinstance(expr, plan.Call) and expr.function.name == NOCASE


def fold_case(expr: plan.Expr) -> plan.Expr:
    """`expr` under COLLATE NOCASE."""
    if is_folded(expr) or expr.type.kind == "NULL":
        return expr
    function = functions.find(NOCASE)
    assert function is not None
    return call(function, (expr,), expr.span)


def fold_alike(exprs: Sequence[plan.Expr]) -> list[plan.Expr]:
    """The expressions of one comparison: if one is under NOCASE, all strings are."""
    if not any(e.__class__ is plan.Call and is_folded(e) for e in exprs):
        return list(exprs)
    return [fold_case(e) if e.type.is_string else e for e in exprs]


def unfold(expr: plan.Expr) -> plan.Expr:
    """The value itself: COLLATE changes how it compares, not what it is."""
    return expr.arguments[0] if is_folded(expr) else expr  # type: ignore[attr-defined]
