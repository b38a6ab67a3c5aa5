"""Rule ordered_top: the first rows by some columns are the first rows of an index.

    TOP (n) … FROM t ORDER BY a, b                  →  TOP (n) … FROM t[first n of ix (a, b)] …
    TOP (n) … FROM t WHERE c = 1 ORDER BY b DESC    →  TOP (n) … FROM t[first n, from the end, of
                                                                       ix (c, b)] …

The index is followed in its order, or against it, until n rows have passed the tests of the WHERE,
and on to the last row that is equal in the columns that the index has in order, where the ORDER BY
names more or ties are wanted: the engine sorts the few rows. Columns that the WHERE makes equal to
a value may stand in the index before the ordered ones. When the statement runs this is done if it
seems to cost less than sorting all rows (operators/first_rows.py).

Does not apply to joins, grouped, DISTINCT and windowed blocks, PERCENT, and a WHERE that is more
than comparisons of columns with values.
"""

from __future__ import annotations

from dataclasses import replace

from hartonomous.hql import plan as p
from hartonomous.hql.rules.break_ties import order_expr
from hartonomous.hql.rules.push_ranges import exact_range
from hartonomous.hql.rules.seek_index import ordered_indexes
from hartonomous.hql.rules.simple import column_of, is_simple
from hartonomous.hql.rules.tree import any_of, conjuncts, transform_plans, walk_block
from hartonomous.hql.rules.use_index import wanted_index
from hartonomous.storage.catalog import IndexEntry, KeyEntry, fold


def ordered_top(plan: p.Plan) -> p.Plan:
    if "NO INDEX" in dict(plan.options):
        return plan
    wanted = wanted_index(plan)
    return transform_plans(plan, lambda inner: _apply(inner, wanted))


def _apply(plan: p.Plan, wanted: str | None) -> p.Plan:
    block = plan.body
    if not plan.order_by or not isinstance(block, p.SelectBlock):
        return plan
    scan = block.source
    if not isinstance(scan, p.Scan) or not _is_whole(scan) or not _is_plain(plan, block):
        return plan
    order = _ordered_columns(plan, block, scan)
    equal = _equal_columns(block.where, scan)
    if not order or equal is None:
        return plan
    fits = [(_fit(scan, e, order, equal), e) for e in ordered_indexes(scan.table)]
    useful = [(fit, e) for fit, e in fits if fit[1]]
    if not useful:
        return plan
    # a key is the shorter way, where it says as much
    fit, entry = max(useful, key=lambda f: (fold(f[1].name) == wanted, *f[0], _is_key(f[1])))
    assert plan.limit is not None
    first = p.First(
        index=p.Index(entry.id, entry.name),
        equal=fit[0],
        depth=fit[1],
        descending=plan.order_by[0].descending,
        count=(plan.limit,) if plan.offset is None else (plan.limit, plan.offset),
        ties=plan.limit_ties or fit[1] < len(plan.order_by),
    )
    return replace(plan, body=replace(block, source=replace(scan, first=first)))


def _is_whole(scan: p.Scan) -> bool:
    found = scan.lookup or scan.nearest or scan.region or scan.limit or scan.computed
    return not found and not scan.ordinal and scan.table.id > 0


def _is_plain(plan: p.Plan, block: p.SelectBlock) -> bool:
    counted = plan.limit is not None and is_simple(plan.limit) and not plan.limit_percent
    offset = plan.offset is None or is_simple(plan.offset)
    ungrouped = block.group_by is None and block.having is None and not block.distinct
    if not (counted and offset and ungrouped):
        return False
    return not any_of(walk_block((*block.outputs, *plan.order_by)), p.Aggregate, p.Window)


def _ordered_columns(plan: p.Plan, block: p.SelectBlock, scan: p.Scan) -> list[str]:
    """The first columns of the ORDER BY, as far as they go in one direction with NULLs as an index
    has them."""
    names: list[str] = []
    for order in plan.order_by:
        column = column_of(order_expr(order, block), {scan.relation: scan})
        is_natural = order.nulls_first != order.descending
        if column is None or not is_natural or order.descending != plan.order_by[0].descending:
            break
        names.append(column.name)
    return names


def _equal_columns(where: p.Expr | None, scan: p.Scan) -> frozenset[str] | None:
    """The columns that a WHERE makes equal to one value; None if it says more than ranges can."""
    found: set[str] = set()
    for part in conjuncts(where):
        given = exact_range(part, scan)
        if given is None:
            return None
        if given.low is not None and given.low == given.high:
            found.add(given.column)
    return frozenset(found)


def _fit(
    scan: p.Scan, entry: IndexEntry | KeyEntry, order: list[str], equal: frozenset[str]
) -> tuple[int, int]:
    """How many first columns of an index equal values, and how many of the ORDER BY's columns the
    next ones, in their order, settle; the latter is 0 if it is of no use."""
    columns = {c.id: c for c in scan.table.columns}
    names = []
    for column_id in entry.columns:
        column = columns[column_id]
        if column.collation is not None:
            break  # it has them in lower case
        names.append(column.name)
    fixed = 0
    while fixed < len(names) and names[fixed] in equal and names[fixed] != order[0]:
        fixed += 1
    settled, place = 0, fixed
    while settled < len(order):
        name = order[settled]
        if place < len(names) and names[place] == name:
            place += 1
        elif name not in equal or settled == 0:
            break
        settled += 1
    return fixed, settled


def _is_key(entry: IndexEntry | KeyEntry) -> bool:
    return isinstance(entry, KeyEntry)
