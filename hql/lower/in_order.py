"""Which plans need no engine: the first rows in the order of an index, as they are.

    TOP (3) t.a, t.v FROM t[first 3 of index ix] ORDER BY t.b

Applies where the index settles the whole order and nothing but columns of the rows is asked for.
"""

from __future__ import annotations

from hartonomous.hql import plan as p


def ordered_columns(plan: p.Plan) -> tuple[p.Scan, tuple[str, ...]] | None:
    """The scan, and those of its columns that are the plan's; None if the plan is another."""
    block = plan.body
    if plan.ctes or plan.json is not None or not isinstance(block, p.SelectBlock):
        return None
    scan = block.source
    if not isinstance(scan, p.Scan) or scan.first is None or scan.first.ties:
        return None
    if scan.computed or scan.address or scan.row_id:
        return None
    own = {f.name for f in scan.fields}
    names = [
        o.expr.name
        for o in block.outputs
        if isinstance(o.expr, p.Column) and o.expr.relation == scan.relation
    ]
    if len(names) < len(block.outputs) or not own.issuperset(names):
        return None
    return scan, tuple(names)
