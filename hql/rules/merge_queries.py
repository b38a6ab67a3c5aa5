"""Plain queries in FROM become part of the query around them: meaning, as `break_ties` is.

    SELECT d.x FROM (SELECT a + 1 AS x, v FROM t WHERE b > 0) d WHERE d.x < 9
        →  SELECT t.a + 1 FROM t WHERE t.b > 0 AND t.a + 1 < 9

so that views, common tables that are used once, and tables with computed columns are searched
through the same indexes and break ties of a top-k by row id, as the tables below them do. Plain is
a SELECT that neither groups, sorts, limits nor makes rows distinct. Left alone: what would be
computed more often than it was, or change where an outer join supplies NULLs, or stand as a bare
constant where the engine reads a number as the place of a column.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import (
    all_of,
    any_of,
    columns_in,
    conjuncts,
    map_sources,
    null_supplied,
    rebuild,
    sources,
    transform,
    transform_plans,
    walk,
    walk_block,
)

_QUERIES = (p.InQuery, p.Quantified, p.Exists, p.ScalarQuery)
_OF_GROUPS = (p.Aggregate, p.Window)


def merge_queries(plan: p.Plan) -> p.Plan:
    return transform_plans(_inline_common_tables(plan), _merge)


# --- common tables -------------------------------------------------------------------------------


def _inline_common_tables(plan: p.Plan) -> p.Plan:
    """Plain common tables that are named once become derived tables where they are named."""
    uses = Counter(n.cte for n in walk(plan) if isinstance(n, p.CteReference))
    once = {
        n.number: n
        for n in walk(plan)
        if isinstance(n, p.Cte) and uses[n.number] == 1 and not n.recursive and _is_plain(n.plan)
    }
    if not once:
        return plan

    def change(node: Any) -> Any:
        if isinstance(node, p.CteReference) and node.cte in once:
            query = change(once[node.cte].plan)
            return p.Derived(
                relation=node.relation, alias=node.alias, fields=node.fields, plan=query
            )
        if isinstance(node, p.Plan) and any(c.number in once for c in node.ctes):
            node = replace(node, ctes=tuple(c for c in node.ctes if c.number not in once))
        return rebuild(node, change)

    return change(plan)  # type: ignore[no-any-return]


# --- derived tables ------------------------------------------------------------------------------


def _merge(plan: p.Plan) -> p.Plan:
    while isinstance(block := plan.body, p.SelectBlock):
        derived = (s for s in sources(block.source) if isinstance(s, p.Derived))
        found = next((d for d in derived if _can_merge(d, plan, block)), None)
        if found is None:
            break
        plan = _merged(found, plan)
    return plan


def _is_plain(plan: p.Plan) -> bool:
    body = plan.body
    if not isinstance(body, p.SelectBlock) or body.source is None:
        return False
    if plan.ctes or plan.order_by or plan.options or plan.json is not None:
        return False
    if plan.limit is not None or plan.offset is not None:
        return False
    if body.distinct or body.group_by is not None or body.having is not None:
        return False
    inside = list(walk_block(body.outputs))
    return not any_of(inside, *_OF_GROUPS, *_QUERIES) and not _is_volatile(inside)


def _is_volatile(nodes: list[Any]) -> bool:
    return any(isinstance(n, p.Call) and n.function.volatile for n in nodes)


def _can_merge(source: p.Derived, plan: p.Plan, block: p.SelectBlock) -> bool:
    if source.lateral or not _is_plain(source.plan):
        return False
    inner = source.plan.body
    assert isinstance(inner, p.SelectBlock)
    uses = Counter(c.name for c in columns_in(plan) if c.relation == source.relation)
    used = [
        (uses[f.name], o.expr)
        for f, o in zip(source.fields, inner.outputs, strict=True)
        if uses[f.name]
    ]
    if all(isinstance(expr, p.Column) for _, expr in used):
        is_supplied = source.relation in null_supplied(block.source)
        return not is_supplied or (inner.where is None and isinstance(inner.source, p.Source))
    if source.relation in null_supplied(block.source) or _is_grouped(plan, block):
        return False
    return all(_may_stand(expr, count) for count, expr in used)


def _is_grouped(plan: p.Plan, block: p.SelectBlock) -> bool:
    if block.group_by is not None or block.having is not None:
        return True
    return any_of(walk_block((*block.outputs, *plan.order_by)), *_OF_GROUPS)


def _may_stand(expr: p.Expr, count: int) -> bool:
    """Whether an output may stand wherever it is named."""
    inside = list(walk_block((expr,)))
    if not any_of(inside, p.Column):
        return False
    is_native = any(isinstance(n, p.Call) and n.function.is_native for n in inside)
    return count == 1 or not is_native


def _merged(source: p.Derived, plan: p.Plan) -> p.Plan:
    inner, block = source.plan.body, plan.body
    assert isinstance(inner, p.SelectBlock) and isinstance(block, p.SelectBlock)
    assert inner.source is not None
    below: Any = inner.source
    meant = {f.name: o.expr for f, o in zip(source.fields, inner.outputs, strict=True)}

    def change(node: Any) -> Any:
        if isinstance(node, p.Column) and node.relation == source.relation:
            return replace(meant[node.name], span=node.span)
        return node

    joined = map_sources(block.source, lambda s: below if s is source else s)
    plan = transform(replace(plan, body=replace(block, source=joined)), change)
    block = plan.body
    assert isinstance(block, p.SelectBlock)
    tests = (*conjuncts(inner.where), *conjuncts(block.where))
    return replace(plan, body=replace(block, where=all_of(tests)))
