"""Rule top_k: the k rows nearest to a value come from a native operator over the scan.

    TOP (k) … FROM t WHERE w ORDER BY VECTOR_DISTANCE(m, t.v, @q)
        →  TOP (k) … FROM t[nearest k by d := VECTOR_DISTANCE(m, v, @q) where w] ORDER BY d

Any function that the registry calls a distance is taken: `ORDER BY t.g.STDistance(@p)` too.
The scan then gives k rows (and their distances as a computed column), all of them right: distances
are computed by the function's own kernel, ties break by row id, NULLs stand where the ORDER BY
puts them. A WHERE becomes a plan of its own over the same scan, run first, that gives the places
of the rows it lets through.

Does not apply to joins, grouped, DISTINCT and windowed blocks, descending order, WITH TIES and
PERCENT, to a distance between two columns, or to a WHERE that looks at outer rows.
"""

from __future__ import annotations

from dataclasses import replace

from hartonomous.hql import plan as p
from hartonomous.hql.rules.break_ties import ROW_ID, is_distance, order_expr
from hartonomous.hql.rules.simple import is_known, is_simple
from hartonomous.hql.rules.tree import (
    any_of,
    columns_in,
    is_closed,
    substitute,
    transform_plans,
    walk_block,
)
from hartonomous.hql.types import BIGINT

DISTANCE_COLUMN = "__distance"
ORDINAL = "__ordinal"


def top_k(plan: p.Plan) -> p.Plan:
    return transform_plans(plan, _apply)


def _apply(plan: p.Plan) -> p.Plan:
    block = plan.body
    if not isinstance(block, p.SelectBlock) or not isinstance(block.source, p.Scan):
        return plan
    scan, distance = block.source, _distance(plan, block)
    if distance is None or not _is_plain(plan, block) or not _is_scannable(scan):
        return plan
    where: p.Plan | None = None
    if block.where is not None:
        where = _filter_plan(scan, block.where)
        if not is_closed(where):
            return plan
    if not _compares_with_value(distance, scan):
        return plan
    assert plan.limit is not None
    count = (plan.limit,) if plan.offset is None else (plan.limit, plan.offset)
    nearest = p.Nearest(DISTANCE_COLUMN, count, plan.order_by[0].nulls_first, where)
    column = p.Column(
        type=distance.type, span=distance.span, relation=scan.relation, name=DISTANCE_COLUMN
    )
    computed = (*scan.computed, p.Output(DISTANCE_COLUMN, distance))
    rest = substitute(replace(block, source=None, where=None), {distance: column})
    body = replace(rest, source=replace(scan, computed=computed, nearest=nearest))
    order = tuple(substitute(o, {distance: column}) for o in plan.order_by)
    narrowed = replace(plan, body=body, order_by=order)
    return _narrow(narrowed, scan)


def _distance(plan: p.Plan, block: p.SelectBlock) -> p.Call | None:
    """The distance the plan sorts by: first key, ascending, the row id second and last."""
    if len(plan.order_by) != 2 or plan.order_by[0].descending:
        return None
    second = plan.order_by[1].expr
    if not (isinstance(second, p.Column) and second.name == ROW_ID):
        return None
    first = order_expr(plan.order_by[0], block)
    return first if isinstance(first, p.Call) and is_distance(first) else None


def _is_plain(plan: p.Plan, block: p.SelectBlock) -> bool:
    counted = plan.limit is not None and is_simple(plan.limit)
    offset = plan.offset is None or is_simple(plan.offset)
    plain = not (plan.limit_ties or plan.limit_percent or block.distinct)
    ungrouped = block.group_by is None and block.having is None
    rows = not any_of(walk_block(block), p.Aggregate, p.Window)
    return counted and offset and plain and ungrouped and rows


def _is_scannable(scan: p.Scan) -> bool:
    return scan.lookup is None and scan.nearest is None and scan.limit is None


def _compares_with_value(distance: p.Call, scan: p.Scan) -> bool:
    """A distance of the scan's own columns from a value that needs no row, in either order."""
    *options, a, b = distance.arguments
    value, subject = (a, b) if is_known(a) else (b, a)
    fixed = all(isinstance(o, p.Constant) for o in options)
    return fixed and is_known(value) and not is_known(subject) and _is_own(subject, scan)


def _is_own(expr: p.Expr, scan: p.Scan) -> bool:
    """Whether it is computed from columns of the scan by native functions alone."""
    if isinstance(expr, p.Column):
        return expr.relation == scan.relation
    if isinstance(expr, p.Call) and expr.function.is_native and not expr.function.volatile:
        return all(is_known(a) or _is_own(a, scan) for a in expr.arguments)
    return False


def _filter_plan(scan: p.Scan, where: p.Expr) -> p.Plan:
    used = {c.name for c in columns_in(where) if c.relation == scan.relation}
    fields = tuple(f for f in scan.fields if f.name in used)
    source = replace(scan, fields=fields, ordinal=True, row_id=False, address=False)
    place = p.Column(type=BIGINT, relation=scan.relation, name=ORDINAL)
    block = p.SelectBlock((p.Output(ORDINAL, place),), source, where)
    return p.Plan((p.Field(ORDINAL, BIGINT),), block)


def _narrow(plan: p.Plan, scan: p.Scan) -> p.Plan:
    """Columns that only the WHERE or the distance read are no longer needed above."""
    assert isinstance(plan.body, p.SelectBlock) and isinstance(plan.body.source, p.Scan)
    above = replace(plan, body=replace(plan.body, source=None))
    used = {c.name for c in columns_in(above) if c.relation == scan.relation}
    fields = tuple(f for f in scan.fields if f.name in used)
    source = replace(plan.body.source, fields=fields)
    return replace(plan, body=replace(plan.body, source=source))
