"""Rule index_hints: OPTION (USE INDEX (ix)) and OPTION (NO INDEX).

USE INDEX leaves of all indexes and keys that the rules before have chosen only those of that name,
and has them used whether they seem to pay or not. A name that no table of the query has, or an
index that cannot serve it, is an error. NO INDEX leaves none: everything is scanned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hartonomous.hql import plan as p
from hartonomous.hql.bind.context import fault, nearest
from hartonomous.hql.rules.tree import scans, transform, walk
from hartonomous.storage.catalog import fold


def index_hints(plan: p.Plan) -> p.Plan:
    hints = dict(plan.options)
    if "NO INDEX" in hints:
        return _kept(plan, None)
    if "USE INDEX" not in hints:
        return plan
    name = hints["USE INDEX"]
    wanted = name.value
    found = _kept(plan, fold(wanted))
    used = any(map(_has_index, scans(found)))
    if not used and not any(isinstance(n, p.Pairs) for n in walk(found)):
        tables = [s.table for s in scans(plan)]
        names = [k.name for t in tables for k in t.keys]
        names += [i.name for t in tables for i in t.indexes]
        if fold(wanted) not in map(fold, names):
            message = f'no table of this query has an index "{wanted}"'
            hint = nearest(wanted, names)
            if hint is None and names:
                hint = f"indexes here: {', '.join(dict.fromkeys(names))}"
            raise fault(name.span, message, "NOT_FOUND", hint)
        message = f'the index "{wanted}" cannot serve this query'
        raise fault(name.span, message, "BIND", "leave USE INDEX out")
    return found


def _kept(plan: p.Plan, wanted: str | None) -> p.Plan:
    """The plan without other indexes than `wanted`, which is forced."""

    def change(node: Any) -> Any:
        match node:
            case p.Scan():
                return _kept_of(node, wanted)
            case p.Nearest() if node.index is not None:
                return replace(node, index=_forced(node.index, wanted))
        return node

    return transform(plan, change)


def _has_index(scan: p.Scan) -> bool:
    by_distance = scan.nearest is not None and scan.nearest.index
    return any((scan.lookup, scan.seek, scan.first, scan.matching, scan.region, by_distance))


def _kept_of(scan: p.Scan, wanted: str | None) -> p.Scan:
    lookup, region, seek = scan.lookup, scan.region, scan.seek
    if lookup is not None:
        key = next(k for k in scan.table.keys if k.id == lookup.key)
        lookup = lookup if fold(key.name) == wanted else None
    if seek is not None:
        named = (_forced(i, wanted) for i in (seek, *scan.seeks))
        seek = next((i for i in named if i is not None), None)
    if region is not None:
        index = _forced(region.index, wanted)
        region = None if index is None else replace(region, index=index)
    forced = ((m, _forced(m.index, wanted)) for m in scan.matching)
    matching = tuple(replace(m, index=i) for m, i in forced if i is not None)
    first = scan.first
    if first is not None:
        index = _forced(first.index, wanted)
        first = None if index is None else replace(first, index=index)
    return replace(
        scan, lookup=lookup, region=region, seek=seek, seeks=(), matching=matching, first=first
    )


def _forced(index: p.Index, wanted: str | None) -> p.Index | None:
    return replace(index, forced=True) if fold(index.title) == wanted else None
