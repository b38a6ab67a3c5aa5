"""Ties of a top-k by distance break by row id: not a rule that can be switched off, but meaning.

    TOP (10) … ORDER BY VECTOR_DISTANCE(m, t.v, @q)
        →  TOP (10) … ORDER BY VECTOR_DISTANCE(m, t.v, @q), t.__row_id

so that every access path, and the plain sort too, gives the same rows. Does nothing for WITH TIES
(ties are wanted), DISTINCT and grouped blocks (their rows are not rows of a table).
"""

from __future__ import annotations

from dataclasses import replace

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import (
    any_of,
    columns_in,
    map_sources,
    sources,
    transform_plans,
    walk_block,
)
from hartonomous.hql.types import BIGINT

ROW_ID = "__row_id"


def break_ties(plan: p.Plan) -> p.Plan:
    return transform_plans(plan, _break)


def _break(plan: p.Plan) -> p.Plan:
    block = plan.body
    if plan.limit is None or plan.limit_ties or not isinstance(block, p.SelectBlock):
        return plan
    if block.distinct or block.group_by is not None or not _orders_by_distance(plan, block):
        return plan
    if any_of(walk_block(block), p.Aggregate):
        return plan
    direct = [s for s in sources(block.source) if isinstance(s, p.Scan)]
    wanted = {c.relation for o in plan.order_by for c in columns_in(order_expr(o, block))}
    chosen = {s.relation for s in direct if s.relation in wanted}
    if not chosen:
        return plan

    def mark(source: p.Source) -> p.Source:
        if isinstance(source, p.Scan) and source.relation in chosen:
            return replace(source, row_id=True)
        return source

    keys = tuple(p.Order(p.Column(type=BIGINT, relation=r, name=ROW_ID)) for r in sorted(chosen))
    body = replace(block, source=map_sources(block.source, mark))
    return replace(plan, body=body, order_by=(*plan.order_by, *keys))


def order_expr(order: p.Order, block: p.SelectBlock) -> p.Expr:
    """The expression a sort key means, seen through a reference to an output."""
    if isinstance(order.expr, p.OutputColumn):
        return block.outputs[order.expr.index].expr
    return order.expr


def is_distance(expr: p.Expr) -> bool:
    """Whether it is a distance of the registry: VECTOR_DISTANCE, STDistance."""
    return isinstance(expr, p.Call) and expr.function.is_distance


def _orders_by_distance(plan: p.Plan, block: p.SelectBlock) -> bool:
    return any(is_distance(order_expr(o, block)) for o in plan.order_by)
