"""Binding of window functions.

Windows stand in SELECT and ORDER BY only. Their arguments may hold aggregates (the window then runs
over the groups), never another window.
"""

from __future__ import annotations

from hartonomous.hql import ast, plan
from hartonomous.hql.bind import aggregates
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.conversions import cast, constant_of, predicate, unfold
from hartonomous.hql.bind.ordering import bind_order
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.functions.base import Function
from hartonomous.hql.types import BIGINT, FLOAT

_EDGES = ("UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING")


def bind_window(node: ast.FunctionCall, function: Function, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    assert node.over is not None
    if function.kind not in ("window", "aggregate"):
        raise fault(span, f"{function.name} has no OVER: it is not an aggregate", "BIND")
    if not scope.windows_allowed:
        inside = f"inside {scope.in_aggregate}" if scope.in_aggregate else f"in {scope.clause}"
        raise fault(
            span,
            f"{function.name} OVER cannot stand {inside}; windows go in SELECT and ORDER BY",
            "BIND",
            "compute it in a derived table and use its column outside",
        )
    if node.within:
        raise fault(span, f"{function.name}: WITHIN GROUP and OVER exclude each other", "BIND")
    scope.windows_allowed = False
    try:
        function, type_, arguments = aggregates.bind_call_arguments(node, function, scope)
        partition = tuple([scope.bind(e) for e in node.over.partition_by])
        order = bind_order(node.over.order_by, scope)
        frame = _bind_frame(node.over.frame, order, scope) if node.over.frame else None
        condition = predicate(scope.bind(node.filter), "FILTER") if node.filter else None
    finally:
        scope.windows_allowed = True
    return plan.Window(
        type=type_,
        span=span,
        function=function,
        arguments=arguments,
        partition_by=partition,
        order_by=order,
        frame=frame,
        distinct=node.distinct,
        filter=condition,
    )


def _bind_frame(
    frame: ast.Frame, order: tuple[plan.Order, ...], scope: Scope
) -> tuple[str, plan.FrameEdge, plan.FrameEdge | None, str | None]:
    end = frame.end or ast.FrameBound(kind="CURRENT ROW", span=frame.start.span)
    first, last = _EDGES.index(frame.start.kind), _EDGES.index(end.kind)
    span = scope.span(frame)
    if first == 4 or last == 0 or first > last:
        raise fault(
            span, f"a frame cannot reach from {frame.start.kind} to {end.kind}", "BIND",
            "the start comes first: BETWEEN 2 PRECEDING AND CURRENT ROW",
        )  # fmt: skip
    if frame.unit == "GROUPS" and not order:
        raise fault(span, "a GROUPS frame needs ORDER BY in its window", "BIND")
    return (
        frame.unit,
        _bind_edge(frame.start, frame.unit, order, scope),
        _bind_edge(end, frame.unit, order, scope),
        frame.exclude,
    )


def _bind_edge(
    bound: ast.FrameBound, unit: str, order: tuple[plan.Order, ...], scope: Scope
) -> plan.FrameEdge:
    if bound.offset is None:
        return plan.FrameEdge(bound.kind)
    offset = unfold(scope.bind(bound.offset))
    value = constant_of(offset)
    if isinstance(value, (int, float)) and value < 0:
        raise fault(offset.span, f"a frame reaches {value} rows: not less than 0", "BIND")
    if unit == "RANGE":
        return plan.FrameEdge(bound.kind, _range_offset(offset, order))
    if not offset.type.is_integer:
        raise fault(
            offset.span, f"a frame of {unit} counts in integers, not {offset.type}", "TYPE_MISMATCH"
        )
    return plan.FrameEdge(bound.kind, cast(offset, BIGINT))


def _range_offset(offset: plan.Expr, order: tuple[plan.Order, ...]) -> plan.Expr:
    if len(order) != 1 or not order[0].expr.type.is_numeric or not offset.type.is_numeric:
        raise fault(
            offset.span,
            "a RANGE frame with an offset needs one numeric ORDER BY key and a number",
            "TYPE_MISMATCH",
            "use ROWS, or order by a number",
        )
    return cast(offset, FLOAT if offset.type.is_float else order[0].expr.type)
