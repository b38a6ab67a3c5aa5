"""What every plan goes through before rules look at it: wide values made explicit.

- Operators and casts on wide values become the native calls they stand for.
- Where a wide value takes part in equality it is interned, so that equal values have equal
  handles: `=` and its kin, IN, DISTINCT, GROUP BY, PARTITION BY, set operations, COUNT(DISTINCT).
- An aggregate of wide values becomes its kernel over the collected handles of each group.

This is meaning, not optimisation; it cannot be switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hartonomous.hql import functions
from hartonomous.hql import plan as p
from hartonomous.hql.ast import Span
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.native_form import native_form
from hartonomous.hql.functions.vectors import INTERN
from hartonomous.hql.rules.tree import rebuild, substitute
from hartonomous.hql.types import BIGINT, BIT, Type


def _collect(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    *values, inside, behind = args
    return f"list({', '.join(values)}{inside}){behind}"


def _unresolved(types: Sequence[Type], constants: Sequence[Any]) -> Any:
    raise AssertionError("__collect is not called by name")


#: the handles of a group as a list, for the kernel of an aggregate
COLLECT = Function("__collect", "aggregate", _unresolved, _collect)

_EQUALITIES = frozenset(["=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"])


def normalise(plan: p.Plan) -> p.Plan:
    """The plan with its wide values explicit; the same plan if it has none."""

    def change(node: Any) -> Any:
        node = rebuild(node, change)
        if isinstance(node, p.Expr):
            return _expression(node)
        if isinstance(node, p.Plan):
            return _plan(node)
        return node

    return change(plan)  # type: ignore[no-any-return]


def intern(expr: p.Expr) -> p.Expr:
    """The expression with equal values as equal handles; itself if it is not wide."""
    if not expr.type.is_wide or (isinstance(expr, p.Call) and expr.function is INTERN):
        return expr
    return p.Call(type=expr.type, span=expr.span, function=INTERN, arguments=(expr,))


def _intern_all(exprs: tuple[p.Expr, ...]) -> tuple[p.Expr, ...]:
    return tuple(map(intern, exprs))


def _expression(expr: p.Expr) -> p.Expr:
    native = native_form(expr)
    if native is not None:
        return native
    match expr:
        case p.Call() if expr.function.name in _EQUALITIES and expr.arguments[0].type.is_wide:
            return replace(expr, arguments=_intern_all(expr.arguments))
        case p.InList() if expr.operand.type.is_wide:
            return replace(expr, operand=intern(expr.operand), values=_intern_all(expr.values))
        case p.InQuery() if expr.operand.type.is_wide:
            return replace(expr, operand=intern(expr.operand), query=_intern_outputs(expr.query))
        case p.Quantified() if expr.left.type.is_wide:
            return replace(expr, left=intern(expr.left), query=_intern_outputs(expr.query))
        case p.Aggregate() | p.Window():
            return _aggregate(expr)
    return expr


def _aggregate(expr: p.Aggregate | p.Window) -> p.Expr:
    arguments = _intern_all(expr.arguments) if expr.distinct else expr.arguments
    if isinstance(expr, p.Window):
        expr = replace(expr, partition_by=_intern_all(expr.partition_by))
    expr = replace(expr, arguments=arguments)
    if expr.function.kernel is None:
        return expr
    present = functions.operator("IS NOT NULL")
    condition: p.Expr = p.Call(type=BIT, span=expr.span, function=present, arguments=arguments[:1])
    if expr.filter is not None:
        both = functions.operator("AND")
        condition = p.Call(
            type=BIT, span=expr.span, function=both, arguments=(condition, expr.filter)
        )
    first, *others = arguments
    # the type is the elements'; the engine's list never leaves the call
    elements = BIGINT if first.type.is_wide else first.type
    values = replace(expr, type=elements, function=COLLECT, filter=condition, arguments=(first,))
    given: tuple[p.Expr, ...] = (values, *others)
    if isinstance(expr, p.Aggregate) and expr.order_by:
        given += (p.Constant(type=BIT, span=expr.span, value=True),)  # the order is meant
    return p.Call(type=expr.type, span=expr.span, function=expr.function, arguments=given)


def _plan(plan: p.Plan) -> p.Plan:
    body = plan.body
    if isinstance(body, p.SetBlock) and not (body.all and body.op == "UNION"):
        if any(f.type.is_wide for f in body.left.fields):
            left, right = _intern_outputs(body.left), _intern_outputs(body.right)
            return replace(plan, body=replace(body, left=left, right=right))
        return plan
    if not isinstance(body, p.SelectBlock):
        return plan
    if body.distinct and any(o.expr.type.is_wide for o in body.outputs):
        plan = _intern_outputs(plan)
        assert isinstance(plan.body, p.SelectBlock)
        body = plan.body
    wide = {g: intern(g) for g in body.group_by or () if g.type.is_wide}
    if not wide:
        return plan
    having = None if body.having is None else substitute(body.having, wide)
    body = replace(
        body,
        outputs=tuple(substitute(o, wide) for o in body.outputs),
        group_by=tuple(wide.get(g, g) for g in body.group_by or ()),
        having=having,
    )
    return replace(plan, body=body, order_by=tuple(substitute(o, wide) for o in plan.order_by))


def _intern_outputs(plan: p.Plan) -> p.Plan:
    """The plan with its wide columns interned."""
    match plan.body:
        case p.SelectBlock():
            outputs = tuple(replace(o, expr=intern(o.expr)) for o in plan.body.outputs)
            return replace(plan, body=replace(plan.body, outputs=outputs))
        case p.ValuesBlock():
            rows = tuple(_intern_all(row) for row in plan.body.rows)
            return replace(plan, body=p.ValuesBlock(rows))
        case p.SetBlock():
            left, right = _intern_outputs(plan.body.left), _intern_outputs(plan.body.right)
            return replace(plan, body=replace(plan.body, left=left, right=right))
        case p.Plan():
            return replace(plan, body=_intern_outputs(plan.body))
