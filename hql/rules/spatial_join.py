"""Rule spatial_join: rows of two tables that lie near each other are found through an index.

    a JOIN b ON a.g.STDistance(b.g) < 5
        →  a JOIN (pairs JOIN b ON b.ordinal = pairs.right)
             ON a.ordinal = pairs.left AND a.g.STDistance(b.g) < 5

    a CROSS APPLY (SELECT TOP (3) … FROM b ORDER BY b.g.STDistance(a.g))
        →  a CROSS APPLY (SELECT TOP (3) … FROM pairs JOIN b ON b.ordinal = pairs.right
                          WHERE pairs.left = a.ordinal ORDER BY b.g.STDistance(a.g))

The pairs (operators/pairs.py) are a superset, found for all left rows in batches; the test and the
order stay where they were, so that only the number of rows they see changes. Without the rule the
engine would compare every row with every row.

Applies to INNER and LEFT joins, to commas with the test in WHERE, and to APPLY of a plain TOP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.rules.break_ties import ROW_ID, order_expr
from hartonomous.hql.rules.simple import is_simple
from hartonomous.hql.rules.tree import (
    any_of,
    call,
    conjuncts,
    map_sources,
    null_supplied,
    relations_defined,
    sources,
    transform_plans,
    walk_block,
)
from hartonomous.hql.rules.use_index import find_index, pair_tests, wanted_index
from hartonomous.hql.types import BIGINT
from hartonomous.storage.access.base import NEAREST, OVERLAP
from hartonomous.storage.catalog import fold

ORDINAL, LEFT, RIGHT = "__ordinal", "__left", "__right"
_FIELDS = (p.Field(LEFT, BIGINT), p.Field(RIGHT, BIGINT))


@frozen
class _Match:
    """A column of a scan on the left, and an indexed one of the scan on the right."""

    left: p.Column
    right: p.Column
    index: p.Index
    distance: p.Expr | None
    empties: bool = False


def spatial_join(plan: p.Plan) -> p.Plan:
    if "NO INDEX" in dict(plan.options):
        return plan
    numbers = count(max(relations_defined(plan), default=0) + 1)
    wanted = wanted_index(plan)

    def change(inner: p.Plan) -> p.Plan:
        block = inner.body
        if not isinstance(block, p.SelectBlock) or not isinstance(block.source, p.Joined):
            return inner
        source = _rewritten(block.source, conjuncts(block.where), numbers, wanted)
        if source is block.source:
            return inner
        return replace(inner, body=replace(block, source=source))

    return transform_plans(plan, change)


def _rewritten(
    joined: p.Joined | p.Source,
    where: tuple[p.Expr, ...],
    numbers: Iterator[int],
    wanted: str | None,
) -> p.Joined | p.Source:
    """`where`: conjuncts that all rows of this join pass in the end; `wanted`: the only index that
    may be used, by name."""
    if not isinstance(joined, p.Joined):
        return joined
    inner = joined.kind in ("INNER", "CROSS")
    left = _rewritten(joined.left, where if inner else (), numbers, wanted)
    joined = joined if left is joined.left else replace(joined, left=left)
    if isinstance(joined.right, p.Scan) and joined.kind in ("INNER", "CROSS", "LEFT"):
        tests = (*conjuncts(joined.on), *(where if inner else ()))
        match = _find(joined, joined.right, tests, wanted)
        return joined if match is None else _join(joined, joined.right, match, numbers)
    if isinstance(joined.right, p.Derived) and joined.right.lateral:
        return _apply(joined, joined.right, numbers, wanted)
    return joined


# --- joins ---------------------------------------------------------------------------------------


def _find(
    joined: p.Joined, right: p.Scan, tests: tuple[p.Expr, ...], wanted: str | None
) -> _Match | None:
    left = {s.relation: s for s in sources(joined.left) if _is_plain(s)}
    if not _is_plain(right):
        return None
    for test in tests:
        for pair in pair_tests(test):
            if pair.left.relation in left and pair.right.relation == right.relation:
                index = _usable(right, pair.right.name, OVERLAP, wanted)
                if index is not None:
                    return _Match(pair.left, pair.right, index, pair.distance, pair.empties)
    return None


def _usable(scan: p.Scan, column: str, capability: str, wanted: str | None) -> p.Index | None:
    index = find_index(scan, column, capability, wanted)
    return index if index is None or wanted in (None, fold(index.title)) else None


def _is_plain(source: p.Source) -> bool:
    return isinstance(source, p.Scan) and source.nearest is None and source.limit is None


def _join(joined: p.Joined, right: p.Scan, match: _Match, numbers: Iterator[int]) -> p.Joined:
    pairs = _pairs(match, next(numbers), None)
    near = p.Joined("INNER", pairs, _with_ordinal(right), _equal(right.relation, pairs, RIGHT))
    met = _equal(match.left.relation, pairs, LEFT)
    on = met if joined.on is None else call("AND", met, joined.on)
    kind = "INNER" if joined.kind == "CROSS" else joined.kind
    return p.Joined(kind, _marked(joined.left, match.left.relation), near, on)


# --- APPLY ---------------------------------------------------------------------------------------


def _apply(
    joined: p.Joined, derived: p.Derived, numbers: Iterator[int], wanted: str | None
) -> p.Joined:
    plan = derived.plan
    match = _nearest(joined, plan, wanted)
    if match is None:
        return joined
    block = plan.body
    assert isinstance(block, p.SelectBlock) and isinstance(block.source, p.Scan)
    scan = block.source
    pairs = _pairs(match, next(numbers), plan.limit)
    source = p.Joined("INNER", pairs, _with_ordinal(scan), _equal(scan.relation, pairs, RIGHT))
    inner = replace(block, source=source, where=_equal(match.left.relation, pairs, LEFT))
    right = replace(derived, plan=replace(plan, body=inner))
    return replace(joined, left=_marked(joined.left, match.left.relation), right=right)


def _nearest(joined: p.Joined, plan: p.Plan, wanted: str | None) -> _Match | None:
    """TOP (k) … FROM one indexed table ORDER BY its distance from a column on the left: all rows of
    the table take part, so that the nearest of all are the nearest. Rows that an outer join makes
    of NULLs have no ordinal, and yet k nearest: those by row id."""
    block = plan.body
    if not isinstance(block, p.SelectBlock) or not isinstance(block.source, p.Scan):
        return None
    plain = block.where is None and block.group_by is None and not block.distinct
    counted = plan.limit is not None and is_simple(plan.limit) and plan.offset is None
    if not plain or not counted or plan.limit_ties or plan.limit_percent or plan.ctes:
        return None
    if any_of(walk_block(block), p.Aggregate, p.Window) or not _is_plain(block.source):
        return None
    if block.source.lookup is not None or len(plan.order_by) != 2:
        return None
    first, second = plan.order_by
    if first.descending or not first.nulls_first:
        return None
    if not (isinstance(second.expr, p.Column) and second.expr.name == ROW_ID):
        return None
    call = order_expr(first, block)
    if not isinstance(call, p.Call) or call.function.name.upper() != "STDISTANCE":
        return None
    left = {s.relation for s in sources(joined.left) if _is_plain(s)} - null_supplied(joined.left)
    for one, other in (call.arguments, call.arguments[::-1]):
        if isinstance(one, p.Column) and isinstance(other, p.Column):
            index = _usable(block.source, other.name, NEAREST, wanted)
            is_own = other.relation == block.source.relation
            if one.relation in left and is_own and index is not None:
                return _Match(one, other, index, None)
    return None


# --- pieces --------------------------------------------------------------------------------------


def _pairs(match: _Match, relation: int, nearest: p.Expr | None) -> p.Pairs:
    return p.Pairs(
        relation=relation,
        alias="pairs",
        fields=_FIELDS,
        left=match.left.relation,
        left_column=match.left.name,
        right=match.right.relation,
        right_column=match.right.name,
        index=match.index,
        distance=match.distance,
        nearest=nearest,
        empties=match.empties,
    )


def _with_ordinal(source: p.Source) -> p.Source:
    assert isinstance(source, p.Scan)
    return replace(source, ordinal=True)


def _marked(joined: p.Joined | p.Source, relation: int) -> p.Joined | p.Source:
    def mark(source: p.Source) -> p.Source:
        return _with_ordinal(source) if source.relation == relation else source

    found = map_sources(joined, mark)
    assert found is not None
    return found


def _equal(relation: int, pairs: p.Pairs, name: str) -> p.Call:
    return call(
        "=",
        p.Column(type=BIGINT, relation=relation, name=ORDINAL),
        p.Column(type=BIGINT, relation=pairs.relation, name=name),
    )
