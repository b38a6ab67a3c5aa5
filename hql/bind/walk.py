"""Looking through bound expressions: what stands directly inside one, which columns it reads.

Subqueries are gone into (their correlated columns count), by the generic walk of rules/tree.py; for
plain expressions a table by class is several times faster, and binding looks at every one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hartonomous.hql import plan


def _none(_: Any) -> tuple[plan.Expr, ...]:
    return ()


def _aggregate(e: plan.Aggregate) -> tuple[plan.Expr, ...]:
    rest = (e.filter,) if e.filter is not None else ()
    return (*e.arguments, *rest, *[o.expr for o in e.order_by])


def _case(e: plan.Case) -> tuple[plan.Expr, ...]:
    branches = [part for when in e.whens for part in when]
    return (*branches, e.otherwise) if e.otherwise is not None else tuple(branches)


def _window(e: plan.Window) -> tuple[plan.Expr, ...]:
    found = [*e.arguments, *e.partition_by, *[o.expr for o in e.order_by]]
    if e.filter is not None:
        found.append(e.filter)
    for edge in e.frame[1:3] if e.frame else ():
        if isinstance(edge, plan.FrameEdge) and edge.offset is not None:
            found.append(edge.offset)
    return tuple(found)


_OPERANDS: dict[type, Callable[[Any], tuple[plan.Expr, ...]]] = {
    plan.Column: _none,
    plan.Constant: _none,
    plan.Parameter: _none,
    plan.OutputColumn: _none,
    plan.Call: lambda e: e.arguments,
    plan.Cast: lambda e: (e.operand,),
    plan.Case: _case,
    plan.InList: lambda e: (e.operand, *e.values),
    plan.InQuery: lambda e: (e.operand,),
    plan.Quantified: lambda e: (e.left,),
    plan.Exists: _none,
    plan.ScalarQuery: _none,
    plan.Aggregate: _aggregate,
    plan.Window: _window,
}

_QUERIES = (plan.InQuery, plan.Quantified, plan.Exists, plan.ScalarQuery)


def operands(expr: plan.Expr) -> tuple[plan.Expr, ...]:
    """The expressions directly inside one, without those of a subquery."""
    return _OPERANDS[expr.__class__](expr)


def subquery(expr: plan.Expr) -> plan.Plan | None:
    """The query that an expression holds."""
    return expr.query if isinstance(expr, _QUERIES) else None


def columns_of(expr: plan.Expr) -> Iterator[plan.Column]:
    """All columns read by an expression, those inside its subqueries included."""
    if expr.__class__ is plan.Column:
        yield expr
        return
    for operand in operands(expr):
        yield from columns_of(operand)
    query = subquery(expr)
    if query is not None:
        yield from (n for n in nodes_of(query) if isinstance(n, plan.Column))


def nodes_of(query: plan.Plan) -> Iterator[Any]:
    """Every node of a query, from the top."""
    from hartonomous.hql.rules.tree import walk

    return walk(query)


def has(expr: plan.Expr, *kinds: type) -> bool:
    """Whether an expression of one of the kinds stands in this one (not in its subqueries)."""
    return isinstance(expr, kinds) or any(has(o, *kinds) for o in operands(expr))
