"""Rule point_lookup: find single rows through a key.

    t[ranges: a = 5, b = @x]   →   t[lookup: pk(a = 5, b = @x)]

Applies when equalities with simple values (push_ranges left them as ranges whose ends are one)
cover all columns of a key. The rows found are a superset of what the WHERE above, which stays,
lets through.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.rules.tree import transform
from hartonomous.storage.catalog import KeyEntry


def point_lookup(plan: p.Plan) -> p.Plan:
    def change(node: Any) -> Any:
        if isinstance(node, p.Scan) and node.ranges and node.table.keys:
            lookup = _find(node)
            return replace(node, lookup=lookup) if lookup is not None else node
        return node

    return transform(plan, change)


def _find(scan: p.Scan) -> p.Lookup | None:
    equal = {
        r.column: r.low
        for r in scan.ranges
        if r.low is not None and r.low == r.high and not (r.low_open or r.high_open)
    }
    names = {c.id: c.name for c in scan.table.columns}
    # a unique key finds one row at most, so it goes first
    for key in sorted(scan.table.keys, key=lambda k: not k.is_unique):
        if all(names[i] in equal for i in key.columns) and _is_exact(scan, key):
            columns = tuple(names[i] for i in key.columns)
            values = tuple(v for n in columns if (v := equal[n]) is not None)
            return p.Lookup(key.id, columns, values)
    return None


def _is_exact(scan: p.Scan, key: KeyEntry) -> bool:
    """Floats stay out: −0 = 0 and NaN = NaN here, and a key compares what is stored."""
    arrow = {c.id: c.arrow for c in scan.table.columns}
    return not any("float" in str(arrow[i]) or "double" in str(arrow[i]) for i in key.columns)
