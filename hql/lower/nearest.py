"""Which plans need no engine: the nearest rows of one scan, sorted by their distance alone.

    TOP (10) t.id, d FROM t[nearest 10 by d := …] ORDER BY d, __row_id

The scan gives these very rows in this order: the rule top_k sees to it that such a block does
nothing else. Anything computed from them takes the fragment.
"""

from __future__ import annotations

from hartonomous.hql import plan as p
from hartonomous.hql.functions.vectors import INTERN
from hartonomous.hql.rules.break_ties import ROW_ID, order_expr


def nearest_columns(plan: p.Plan) -> tuple[p.Scan, tuple[str, ...]] | None:
    """The scan and those of its columns that are the plan's; None if the plan is another."""
    block = plan.body
    if plan.ctes or plan.json is not None or not isinstance(block, p.SelectBlock):
        return None
    scan = block.source
    if not isinstance(scan, p.Scan) or scan.nearest is None:
        return None
    keys = [order_expr(o, block) for o in plan.order_by]
    sorted_by = [k.name for k in keys if isinstance(k, p.Column)]
    assert sorted_by == [scan.nearest.by, ROW_ID] and block.where is None, plan
    names = [_name(o.expr, scan) for o in block.outputs]
    known = tuple(n for n in names if n is not None)
    return (scan, known) if len(known) == len(names) else None


def _name(expr: p.Expr, scan: p.Scan) -> str | None:
    """The column of the scan that an output is."""
    if not isinstance(expr, p.Column) or expr.relation != scan.relation:
        return None
    computed = (c.expr for c in scan.computed if c.name == expr.name)
    is_interned = any(isinstance(e, p.Call) and e.function is INTERN for e in computed)
    return None if is_interned else expr.name
