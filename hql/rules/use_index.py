"""Rule use_index: a test about where a geometry lies may be answered through an index.

    t WHERE t.g.STDistance(@p) < 5          →   t[index ix: within 5 of @p], same WHERE above
    t[nearest k by t.g.STDistance(@p)]      →   t[index ix: nearest k by …]

Taken are STDistance below a known number, STIntersects, STWithin, STContains and STEquals between
an indexed column and a known geometry (one that needs no row), in AND with the rest of a WHERE or
of an inner join's ON. The column may stand below methods whose result lies within the geometry's
box, as in Path.STEndPoint(). The index gives a superset, and only where that costs less than
reading all rows (decided when the statement runs, from what the index finds); the test stays above.

A row that the index leaves out is not compared at all. So SRID_MISMATCH is raised where the boxes
of two geometries meet, not for every row of a table that mixes spaces: as with any AND, which test
sees a row first is not promised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.frozen import frozen
from hartonomous.hql.rules.simple import is_known
from hartonomous.hql.rules.tree import conjuncts, map_sources, sources, transform
from hartonomous.storage.access import METHODS
from hartonomous.storage.access.base import NEAREST, OVERLAP
from hartonomous.storage.catalog import fold

#: predicates that hold only where the two geometries have a point in common
_MEETS = frozenset({"STINTERSECTS", "STWITHIN", "STCONTAINS", "STEQUALS"})
#: methods whose result lies inside the box of the geometry they are called on
_INSIDE = frozenset({"STSTARTPOINT", "STENDPOINT", "STPOINTN", "STCENTROID", "STENVELOPE"})
_TURNED = (">", ">=")

#: a test: relation, column, the geometry it is about, and the distance up to which it can hold
_Test = tuple[int, str, p.Expr, p.Expr | None]


def use_index(plan: p.Plan) -> p.Plan:
    """Regions; they are looked for before top_k copies scans into filters."""

    wanted = wanted_index(plan)

    def change(node: Any) -> Any:
        return _mark_regions(node, wanted) if isinstance(node, p.SelectBlock) else node

    return transform(plan, change)


def use_index_for_nearest(plan: p.Plan) -> p.Plan:
    """Nearest rows, once top_k has found them."""
    wanted = wanted_index(plan)

    def change(node: Any) -> Any:
        if not isinstance(node, p.Scan) or node.nearest is None or node.region is not None:
            return node
        by = node.nearest.by
        expr = next(c.expr for c in node.computed if c.name == by)
        if not isinstance(expr, p.Call) or expr.function.name.upper() != "STDISTANCE":
            return node
        for column in expr.arguments:
            if not isinstance(column, p.Column):
                continue
            index = find_index(node, column.name, NEAREST, wanted)
            if index is not None:
                return replace(node, nearest=replace(node.nearest, index=index))
        return node

    return transform(plan, change)


def _mark_regions(block: p.SelectBlock, wanted: str | None) -> p.SelectBlock:
    scans = {
        s.relation: s
        for s in sources(block.source)
        if isinstance(s, p.Scan) and s.table.indexes and s.lookup is None
    }
    if not scans:
        return block
    regions: dict[int, p.Region] = {}
    for part in (*conjuncts(block.where), *_inner_conditions(block.source)):
        for relation, column, geometry, distance in _tests(part):
            scan = scans.get(relation)
            index = None if scan is None else find_index(scan, column, OVERLAP, wanted)
            if index is not None and relation not in regions:
                regions[relation] = p.Region(index, geometry, distance)
    if not regions:
        return block

    def mark(source: p.Source) -> p.Source:
        if isinstance(source, p.Scan) and source.relation in regions:
            return replace(source, region=regions[source.relation])
        return source

    return replace(block, source=map_sources(block.source, mark))


def wanted_index(plan: p.Plan) -> str | None:
    """The name that OPTION (USE INDEX (…)) gives, folded."""
    name = dict(plan.options).get("USE INDEX")
    return None if name is None else fold(name.value)


def find_index(scan: p.Scan, column: str, capability: str, wanted: str | None) -> p.Index | None:
    """An index over a column of a scanned table whose method has the capability (OVERLAP,
    NEAREST); that of the `wanted` name if there is one."""
    entry = scan.table.find_column(column)
    if entry is None:
        return None
    own = [
        p.Index(i.id, i.name)
        for i in scan.table.indexes
        if i.columns[0] == entry.id and capability in METHODS[i.method].capabilities
    ]
    named = (i for i in own if fold(i.title) == wanted)
    return next(named, own[0] if own else None)


def _inner_conditions(joined: p.Joined | p.Source | None) -> Iterator[p.Expr]:
    if isinstance(joined, p.Joined) and joined.kind in ("INNER", "CROSS"):
        yield from conjuncts(joined.on)
        yield from _inner_conditions(joined.left)
        yield from _inner_conditions(joined.right)


def _tests(expr: p.Expr) -> Iterator[_Test]:
    """What a conjunct says about columns and known geometries; nothing, if it is of no use."""
    call, distance = _near(expr)
    if call is None:
        return
    a, b = call.arguments
    for subject, geometry in ((_inside(a), b), (_inside(b), a)):
        if isinstance(subject, p.Column) and is_known(geometry):
            yield subject.relation, subject.name, geometry, distance


@frozen
class PairTest:
    """What a conjunct says about two columns: they lie within a known distance (None: 0) of each
    other, or both are empty (`empties`)."""

    left: p.Column
    right: p.Column
    distance: p.Expr | None
    empties: bool


def pair_tests(expr: p.Expr) -> Iterator[PairTest]:
    """In both orders; nothing, if the conjunct is of no use."""
    call, distance = _near(expr)
    if call is None:
        return
    a, b = map(_inside, call.arguments)
    if isinstance(a, p.Column) and isinstance(b, p.Column):
        empties = call.function.name.upper() == "STEQUALS"
        yield PairTest(a, b, distance, empties)
        yield PairTest(b, a, distance, empties)


def _near(expr: p.Expr) -> tuple[p.Call | None, p.Expr | None]:
    """The method that a conjunct calls and the distance up to which it can hold: `distance < r`,
    either way round; a predicate, or `predicate = 1`."""
    if not isinstance(expr, p.Call):
        return None, None
    op, arguments = expr.function.name.upper(), expr.arguments
    if op in _MEETS:
        return expr, None
    if op == "=" and len(arguments) == 2:
        for call, value in (arguments, arguments[::-1]):
            inner = _uncast(call, "BIT")
            if isinstance(value, p.Constant) and value.value and isinstance(inner, p.Call):
                return (inner, None) if inner.function.name.upper() in _MEETS else (None, None)
    if op in ("<", "<=", *_TURNED):
        left, right = arguments if op not in _TURNED else arguments[::-1]
        distance = _uncast(right, "")
        is_distance = isinstance(left, p.Call) and left.function.name.upper() == "STDISTANCE"
        if is_distance and is_known(distance):
            assert isinstance(left, p.Call)
            return left, distance
    return None, None


def _inside(expr: p.Expr) -> p.Expr:
    """Below methods whose result lies inside the box of what they are called on."""
    while isinstance(expr, p.Call) and expr.function.name.upper() in _INSIDE:
        expr = expr.arguments[0]
    return expr


def _uncast(expr: p.Expr, kind: str) -> p.Expr:
    """Below casts from `kind`, or from any number to FLOAT, which is what distances are."""
    while isinstance(expr, p.Cast) and (
        expr.operand.type.kind == kind
        or (expr.operand.type.is_numeric and expr.type.kind == "FLOAT")
    ):
        expr = expr.operand
    return expr
