"""Rule prune_columns: read only the columns that something uses.

    SELECT a FROM (SELECT a, b, v FROM t) d   →   SELECT a FROM (SELECT a FROM t[a]) d

Outputs of derived tables and common tables that nobody refers to are dropped, until nothing
changes, and each scan's `fields` become what is referred to. Not touched: outputs under DISTINCT
and under UNION, INTERSECT, EXCEPT without ALL (they decide which rows there are), and recursive
common tables.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import rebuild, transform, walk


def prune_columns(plan: p.Plan) -> p.Plan:
    while True:
        pruned = _prune_outputs(plan)
        if pruned is plan:
            break
        plan = pruned
    used = _used(plan)

    def narrow(node: Any) -> Any:
        if not isinstance(node, (p.Scan, p.ArrowSource, p.Coefficients)):
            return node
        kept = tuple(f for f in node.fields if (node.relation, f.name) in used)
        return node if len(kept) == len(node.fields) else replace(node, fields=kept)

    return transform(plan, narrow)


def _used(plan: p.Plan) -> set[tuple[int, str]]:
    return {(n.relation, n.name) for n in walk(plan) if isinstance(n, p.Column)}


def _prune_outputs(plan: p.Plan) -> p.Plan:
    used = _used(plan)
    needed: dict[int, set[int]] = {}  # CTE number -> places of the fields that are used
    for node in walk(plan):
        if isinstance(node, p.CteReference):
            needed.setdefault(node.cte, set()).update(_places(node, used))
    kept_of = {
        n.number: _keep(n.plan, needed.get(n.number, set()))
        for n in walk(plan)
        if isinstance(n, p.Cte) and not n.recursive
    }

    def change(node: Any) -> Any:
        node = rebuild(node, change)
        match node:
            case p.Derived():
                kept = _keep(node.plan, _places(node, used))
                if kept is not None:
                    fields = _pick(node.fields, kept)
                    return replace(node, fields=fields, plan=_project(node.plan, kept))
            case p.Cte() if (kept := kept_of.get(node.number)) is not None:
                fields = _pick(node.fields, kept)
                return replace(node, fields=fields, plan=_project(node.plan, kept))
            case p.CteReference() if (kept := kept_of.get(node.cte)) is not None:
                return replace(node, fields=_pick(node.fields, kept))
        return node

    return change(plan)  # type: ignore[no-any-return]


def _places(source: p.Source, used: set[tuple[int, str]]) -> set[int]:
    return {i for i, f in enumerate(source.fields) if (source.relation, f.name) in used}


def _keep(plan: p.Plan, needed: set[int]) -> tuple[int, ...] | None:
    """The outputs to keep, in order; None if none can be dropped."""
    if plan.json is not None or not _droppable(plan):
        return None
    names = [f.name for f in plan.fields]
    if len(set(names)) != len(names):
        return None  # positions could not be told apart by name above
    kept = sorted(needed | _ordered_by(plan)) or [0]
    if len(kept) == len(plan.fields):
        return None
    return tuple(kept)


def _droppable(plan: p.Plan) -> bool:
    match plan.body:
        case p.SelectBlock():
            return not plan.body.distinct
        case p.SetBlock():
            both = _droppable(plan.body.left) and _droppable(plan.body.right)
            no_order = not (_ordered_by(plan.body.left) | _ordered_by(plan.body.right))
            return plan.body.op == "UNION" and plan.body.all and both and no_order
        case p.ValuesBlock():
            return True
        case p.Plan():
            return _droppable(plan.body) and not _ordered_by(plan.body)


def _ordered_by(plan: p.Plan) -> set[int]:
    return {n.index for o in plan.order_by for n in walk(o) if isinstance(n, p.OutputColumn)}


def _project(plan: p.Plan, kept: tuple[int, ...]) -> p.Plan:
    """The plan with only these outputs."""
    moved = {old: new for new, old in enumerate(kept)}

    def renumber(node: Any) -> Any:
        if isinstance(node, p.OutputColumn):
            return replace(node, index=moved[node.index])
        return node

    order = tuple(transform(o, renumber) for o in plan.order_by)
    body: Any
    match plan.body:
        case p.SelectBlock():
            body = replace(plan.body, outputs=_pick(plan.body.outputs, kept))
        case p.SetBlock():
            left, right = _project(plan.body.left, kept), _project(plan.body.right, kept)
            body = replace(plan.body, left=left, right=right)
        case p.ValuesBlock():
            body = replace(plan.body, rows=tuple(_pick(row, kept) for row in plan.body.rows))
        case p.Plan():
            body = _project(plan.body, kept)
    return replace(plan, fields=_pick(plan.fields, kept), body=body, order_by=order)


def _pick(items: tuple[Any, ...], kept: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(items[i] for i in kept)
