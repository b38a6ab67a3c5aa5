"""Rule fold_limits: TOP (n) without ORDER BY reads n rows of its table, not all of them.

TOP (10) a, v FROM t   →   TOP (10) a, v FROM t[limit 10]
"""

from __future__ import annotations

from dataclasses import replace

from hartonomous.hql import plan as p
from hartonomous.hql.rules.simple import is_simple
from hartonomous.hql.rules.tree import any_of, transform_plans, walk_block


def fold_limits(plan: p.Plan) -> p.Plan:
    return transform_plans(plan, _fold)


def _fold(plan: p.Plan) -> p.Plan:
    block = plan.body
    if not isinstance(block, p.SelectBlock) or not isinstance(block.source, p.Scan):
        return plan
    scan = block.source
    if plan.limit is None or not is_simple(plan.limit) or plan.offset is not None:
        return plan
    if plan.order_by or plan.limit_percent or block.where is not None or block.distinct:
        return plan
    if block.group_by is not None or any_of(walk_block(block), p.Aggregate, p.Window):
        return plan
    if scan.lookup is not None or scan.nearest is not None:
        return plan
    return replace(plan, body=replace(block, source=replace(scan, limit=plan.limit)))
