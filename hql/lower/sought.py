"""Which plans need no engine: columns of the few rows that a key or an index finds.

    t.a, t.b, @y FROM t[key pk: id = @x] WHERE id = @x AND a > 5

The scan finds a superset of the rows; the WHERE is looked at without the engine, which takes ten
times as long to begin as all of this. So every conjunct has to be a range of a column, its
exact meaning and nothing near it. Simple values may stand beside the columns, as in UPDATE t SET
b = @y; anything computed takes the fragment.
"""

from __future__ import annotations

from hartonomous.hql import plan as p
from hartonomous.hql.operators.scan import ADDRESS
from hartonomous.hql.rules.push_ranges import exact_range
from hartonomous.hql.rules.simple import is_simple
from hartonomous.hql.rules.tree import conjuncts


def sought_columns(
    plan: p.Plan,
) -> tuple[p.Scan, tuple[str | p.Expr, ...], tuple[p.Range, ...]] | None:
    """The scan, those of its columns that are the plan's, with simple values among them, and the
    ranges that its WHERE consists of; None if the plan is another."""
    block = plan.body
    if plan.ctes or plan.json is not None or plan.order_by or not isinstance(block, p.SelectBlock):
        return None
    if plan.limit is not None or plan.offset is not None or block.distinct:
        return None
    scan = block.source
    if not isinstance(scan, p.Scan) or not (scan.lookup or scan.seek) or not _is_bare(scan):
        return None
    if block.group_by is not None or block.having is not None:
        return None
    outputs = [_output(o.expr, scan) for o in block.outputs]
    names = [o for o in outputs if o is not None]
    ranges = [exact_range(part, scan) for part in conjuncts(block.where)]
    known = [r for r in ranges if r is not None]
    if len(names) < len(outputs) or len(known) < len(ranges):
        return None
    found = _found(scan)
    return scan, tuple(names), tuple(r for r in known if r not in found)


def _found(scan: p.Scan) -> list[p.Range]:
    """What a lookup sees to: the key compares as the tests do, but for texts without case."""
    if scan.lookup is None:
        return []
    pairs = zip(scan.lookup.columns, scan.lookup.values, strict=True)
    plain = {c.name for c in scan.table.columns if c.collation is None}
    return [p.Range(name, low=value, high=value) for name, value in pairs if name in plain]


def _output(expr: p.Expr, scan: p.Scan) -> str | p.Expr | None:
    """The column of the scan that an output is, or its simple value."""
    if is_simple(expr):
        return expr
    if not isinstance(expr, p.Column) or expr.relation != scan.relation:
        return None
    is_address = scan.address and expr.name == ADDRESS
    return expr.name if is_address or any(f.name == expr.name for f in scan.fields) else None


def _is_bare(scan: p.Scan) -> bool:
    return not (scan.computed or scan.nearest or scan.region or scan.matching or scan.limit)
