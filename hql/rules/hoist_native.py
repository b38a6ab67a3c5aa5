"""Rule hoist_native: a native function of one scan's columns is computed before the fragment.

    SELECT VECTOR_NORM(t.v) FROM t   →   SELECT t.n1 FROM t[n1 := VECTOR_NORM(v)]

One kernel call then works on whole batches of the scan in place, and the vectors never become
handles. Inside the fragment the same call would gather copies, 2,048 rows at a time; but there it
sees only rows that are still wanted. So a call stays inside where the block's WHERE tests anything
else than native functions, and inside CASE, which may keep a row from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.simple import is_simple
from hartonomous.hql.rules.tree import (
    children,
    columns_in,
    conditions,
    conjuncts,
    map_conditions,
    map_sources,
    sources,
    substitute,
    transform_plans,
    walk_block,
)


def hoist_native(plan: p.Plan) -> p.Plan:
    numbers = count(1)
    return transform_plans(plan, lambda query: _hoist(query, numbers))


def _hoist(plan: p.Plan, numbers: Iterator[int]) -> p.Plan:
    block = plan.body
    if not isinstance(block, p.SelectBlock) or block.source is None:
        return plan
    scans = {s.relation: s for s in sources(block.source) if isinstance(s, p.Scan)}
    if not scans or _is_selective(block):
        return plan
    replacements: dict[p.Expr, p.Expr] = {}
    added: dict[int, list[p.Output]] = {}
    bare = replace(block, source=None)
    for call in _calls(_by_row(plan, block)):
        relation = _only_scan(call, scans)
        if relation is None or call in replacements:
            continue
        name = f"__native{next(numbers)}"
        added.setdefault(relation, []).append(p.Output(name, call))
        replacements[call] = p.Column(type=call.type, span=call.span, relation=relation, name=name)
    if not replacements:
        return plan
    above = _by_group(plan, block, replacements)
    where = None if block.where is None else substitute(block.where, replacements)
    body = replace(substitute(bare, above), where=where)
    order = tuple(substitute(o, above) for o in plan.order_by)
    source = map_conditions(block.source, lambda on: substitute(on, replacements))
    lateral = tuple(s for s in sources(source) if not isinstance(s, p.Scan))
    reading = (body, *order, *conditions(source), *lateral)
    used = {(c.relation, c.name) for c in columns_in(reading)}

    def extend(source: p.Source) -> p.Source:
        if not isinstance(source, p.Scan) or source.relation not in added:
            return source
        # a vector that only hoisted calls read needs no handle
        fields = tuple(
            f for f in source.fields if not f.type.is_wide or (source.relation, f.name) in used
        )
        computed = (*source.computed, *added[source.relation])
        return replace(source, fields=fields, computed=computed)

    body = replace(body, source=map_sources(source, extend))
    return replace(plan, body=body, order_by=order)


def _by_row(plan: p.Plan, block: p.SelectBlock) -> tuple[Any, ...]:
    """The parts of a block that are computed for each row, not for each group."""
    below = conditions(block.source)
    if block.group_by is None:
        return (replace(block, source=None), *plan.order_by, *below)
    where = () if block.where is None else (block.where,)
    return (*where, *block.group_by, *_aggregates(plan, block), *below)


def _by_group(
    plan: p.Plan, block: p.SelectBlock, replacements: dict[p.Expr, p.Expr]
) -> dict[p.Expr, p.Expr]:
    """What may be replaced above the grouping: what the groups are made by, and inside aggregates
    everything. A call on a grouping column stays, as its hoisted column is not grouped by."""
    if block.group_by is None:
        return replacements
    kept = {c: replacements[c] for c in _calls(block.group_by) if c in replacements}
    return kept | {a: substitute(a, replacements) for a in _aggregates(plan, block)}


def _aggregates(plan: p.Plan, block: p.SelectBlock) -> list[p.Aggregate]:
    above = (*block.outputs, *plan.order_by)
    having = () if block.having is None else (block.having,)
    return [n for n in walk_block((*above, *having)) if isinstance(n, p.Aggregate)]


def is_native(expr: Any) -> bool:
    return isinstance(expr, p.Call) and expr.function.kernel is not None


def _is_selective(block: p.SelectBlock) -> bool:
    """Whether the WHERE leaves rows out by something cheaper than a native function."""
    return any(not any(_calls((part,))) for part in conjuncts(block.where))


def _calls(nodes: tuple[Any, ...]) -> Iterator[p.Call]:
    """The native calls of a block, outer ones first, those inside CASE and subqueries aside."""
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if is_native(node):
            yield node
        if not isinstance(node, (p.Case, p.Plan)):
            stack.extend(reversed(children(node)))


def _only_scan(call: p.Call, scans: dict[int, p.Scan]) -> int | None:
    """The one scan that a call reads, if nothing relational has to be computed for it."""
    found: set[int] = set()
    if call.function.volatile or not _leaves(call, found) or len(found) != 1:
        return None
    relation = found.pop()
    return relation if relation in scans else None


def _leaves(expr: p.Expr, found: set[int]) -> bool:
    if isinstance(expr, p.Column):
        found.add(expr.relation)
        return True
    if is_simple(expr):
        return True
    # an outer join's NULLs must make NULL, as the column computed before the join will be
    if isinstance(expr, p.Call) and is_native(expr) and expr.function.null_on_null:
        return all(_leaves(a, found) for a in expr.arguments)
    return False
