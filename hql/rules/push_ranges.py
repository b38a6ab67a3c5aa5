"""Rule push_ranges: tell scans which stretch of a column a statement needs.

    SELECT … FROM t WHERE a >= @low AND a < 9   →   t[ranges: @low <= a < 9], same WHERE above

Taken are comparisons of a column with a simple value, BETWEEN, IN, IS NULL and LIKE, of the column
or of it in lower case (COLLATE NOCASE), that stand in AND with the rest of a WHERE, or in the ON of
a join whose other side does not keep the rows that fail it. They go down through derived tables and
set operations to the scans. A range only leaves rows out that cannot reach the result: the test
itself stays where it was.

Why a test on the null-supplying side of an outer join may go down: the rows it leaves out turn
into rows of NULLs, which fail the same test above. IS NULL would let them pass, so it stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.rules.simple import column_of, is_simple, strip_casts
from hartonomous.hql.rules.tree import (
    any_of,
    conjuncts,
    null_supplied,
    sources,
    transform,
    walk_block,
)

_FOLDED = "__nocase"
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@frozen
class Bound:
    """A range about a column of some block; `range.column` is filled in at the scan."""

    column: p.Column
    range: p.Range


def push_ranges(plan: p.Plan) -> p.Plan:
    found: dict[int, list[p.Range]] = {}
    _visit_plan(plan, {}, found)

    def change(node: Any) -> Any:
        if isinstance(node, (p.Scan, p.Coefficients)) and node.relation in found:
            return replace(node, ranges=tuple(dict.fromkeys(found[node.relation])))
        return node

    return transform(plan, change) if found else plan


def _visit_plan(
    plan: p.Plan, wanted: dict[int, list[p.Range]], found: dict[int, list[p.Range]]
) -> None:
    """`wanted`: ranges that the query around this plan wants of its outputs, by position."""
    for cte in plan.ctes:
        _visit_plan(cte.plan, {}, found)
    if plan.limit is not None or plan.offset is not None or plan.json is not None:
        wanted = {}
    match plan.body:
        case p.SelectBlock():
            _visit_block(plan.body, wanted, found)
        case p.SetBlock():
            _visit_plan(plan.body.left, wanted, found)
            _visit_plan(plan.body.right, wanted, found)
        case p.Plan():
            _visit_plan(plan.body, wanted, found)
        case p.ValuesBlock():
            pass
    for order in plan.order_by:
        _visit_subqueries(order, found)


def _visit_block(
    block: p.SelectBlock, wanted: dict[int, list[p.Range]], found: dict[int, list[p.Range]]
) -> None:
    relations = {s.relation: s for s in sources(block.source)}
    outer = null_supplied(block.source)
    bounds = [*_from_conjuncts(block.where, relations), *_from_joins(block.source)]
    if block.group_by is None and not any_of(walk_block(block), p.Window, p.Aggregate):
        for index, ranges in wanted.items():
            column = column_of(block.outputs[index].expr, relations)
            if column is not None:
                bounds.extend(Bound(column, r) for r in ranges)
    by_relation: dict[int, list[Bound]] = {}
    for bound in bounds:
        if not (bound.range.is_null and bound.column.relation in outer):
            by_relation.setdefault(bound.column.relation, []).append(bound)
    for number, source in relations.items():
        mine = by_relation.get(number, [])
        if isinstance(source, (p.Scan, p.Coefficients)) and mine:
            found[number] = [replace(b.range, column=b.column.name) for b in mine]
        elif isinstance(source, p.Derived):
            _visit_plan(source.plan, _by_place(source, mine), found)
    for child in walk_block(block):
        if isinstance(child, p.Expr):
            _visit_subqueries(child, found, deep=False)


def _by_place(source: p.Source, bounds: list[Bound]) -> dict[int, list[p.Range]]:
    wanted: dict[int, list[p.Range]] = {}
    for bound in bounds:
        place = next(i for i, f in enumerate(source.fields) if f.name == bound.column.name)
        wanted.setdefault(place, []).append(bound.range)
    return wanted


def _visit_subqueries(node: Any, found: dict[int, list[p.Range]], deep: bool = True) -> None:
    for child in walk_block(node) if deep else (node,):
        query = getattr(child, "query", None)
        if isinstance(query, p.Plan):
            _visit_plan(query, {}, found)


def _from_joins(joined: p.Joined | p.Source | None) -> Iterator[Bound]:
    if not isinstance(joined, p.Joined):
        return
    yield from _from_joins(joined.left)
    yield from _from_joins(joined.right)
    sides = {"INNER": (joined.left, joined.right), "LEFT": (joined.right,), "RIGHT": (joined.left,)}
    for side in sides.get(joined.kind, ()):
        relations = {s.relation: s for s in sources(side)}
        nulls = null_supplied(side)
        for bound in _from_conjuncts(joined.on, relations):
            if not (bound.range.is_null and bound.column.relation in nulls):
                yield bound


def _from_conjuncts(expr: p.Expr | None, relations: dict[int, Any]) -> Iterator[Bound]:
    for part in conjuncts(expr):
        bound = bound_of(part, relations)
        if bound is not None:
            yield bound


def exact_range(expr: p.Expr, scan: p.Scan) -> p.Range | None:
    """A conjunct as a range of a column of the scan that is true where it is, and nowhere else;
    None if it is none. A range whose values are not the column's says nothing."""
    bound = bound_of(expr, {scan.relation: scan})
    if bound is None or bound.range.folds or bound.range.like is not None:
        return None
    return replace(bound.range, column=bound.column.name)


def bound_of(expr: p.Expr, relations: dict[int, Any]) -> Bound | None:
    """The range of a column of `relations` that a conjunct is; None if it is something else."""
    match expr:
        case p.InList() if not expr.negated:
            return _bound(expr.operand, relations, values=expr.values)
        case p.Call() if expr.function.name == "IS NULL":
            return _bound(expr.arguments[0], relations, is_null=True)
        case p.Call() if expr.function.name == "BETWEEN" and len(expr.arguments) == 3:
            operand, low, high = expr.arguments
            return _bound(operand, relations, low=low, high=high)
        case p.Call() if expr.function.name == "LIKE":
            return _bound(expr.arguments[0], relations, like=expr.arguments[1:])
        case p.Call() if expr.function.name in _TURNED:
            return _comparison(expr, relations)
    return None


def _comparison(expr: p.Call, relations: dict[int, Any]) -> Bound | None:
    op, (left, right) = expr.function.name, expr.arguments
    if is_simple(unfolded(left)):
        op, left, right = _TURNED[op], right, left
    if op == "=":
        return _bound(left, relations, low=right, high=right)
    if op in ("<", "<="):
        return _bound(left, relations, high=right, high_open=op == "<")
    return _bound(left, relations, low=right, low_open=op == ">")


def _bound(subject: p.Expr, relations: dict[int, Any], **ends: Any) -> Bound | None:
    """A range of the column that `subject` is, or that it is under COLLATE NOCASE, if all ends are
    simple values."""
    bare = unfolded(subject)
    column = column_of(bare, relations)
    # a wide value has no order; a zone map knows nothing about it
    if column is None or column.type.is_wide:
        return None
    for name, end in ends.items():
        given = end if isinstance(end, tuple) else (end,)
        if isinstance(end, bool):
            continue
        values = tuple(strip_casts(unfolded(e)) for e in given)
        if not all(map(is_simple, values)):
            return None
        ends[name] = values if isinstance(end, tuple) else values[0]
    return Bound(column, p.Range("", **ends, folds=bare is not subject))


def unfolded(expr: p.Expr) -> p.Expr:
    """What stands under COLLATE NOCASE."""
    if isinstance(expr, p.Call) and expr.function.name == _FOLDED:
        return expr.arguments[0]
    return expr
