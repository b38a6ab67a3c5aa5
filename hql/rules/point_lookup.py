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
from hartonomous.hql.rules.seek_index import is_equality
from hartonomous.hql.rules.tree import transform
from hartonomous.storage.catalog import NOCASE, KeyEntry


def point_lookup(plan: p.Plan) -> p.Plan:
    def change(node: Any) -> Any:
        if isinstance(node, p.Scan) and node.ranges and node.table.keys:
            lookup = _find(node)
            return replace(node, lookup=lookup) if lookup is not None else node
        return node

    return transform(plan, change)


def _find(scan: p.Scan) -> p.Lookup | None:
    names = {c.id: c.name for c in scan.table.columns}
    # a unique key finds one row at most, so it goes first
    for key in sorted(scan.table.keys, key=lambda k: not k.is_unique):
        equal = _equal(scan, key)
        if all(names[i] in equal for i in key.columns) and _is_exact(scan, key):
            columns = tuple(names[i] for i in key.columns)
            return p.Lookup(key.id, columns, tuple(equal[n] for n in columns))
    return None


def _equal(scan: p.Scan, key: KeyEntry) -> dict[str, p.Expr]:
    """What columns equal, as the key compares them: unique ones compare without case where the
    column does, and find more than is wanted where a query compares it with case."""
    nocase = {c.name for c in scan.table.columns if key.is_unique and c.collation == NOCASE}
    return {
        r.column: r.low
        for r in scan.ranges
        if r.low is not None and is_equality(r) and (not r.folds or r.column in nocase)
    }


def _is_exact(scan: p.Scan, key: KeyEntry) -> bool:
    """Floats stay out: −0 = 0 and NaN = NaN here, and a key compares what is stored."""
    arrow = {c.id: c.arrow for c in scan.table.columns}
    return not any("float" in str(arrow[i]) or "double" in str(arrow[i]) for i in key.columns)
