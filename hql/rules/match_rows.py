"""Rule match_rows: of a large table only the rows are read that match the few rows of another.

    a[key: id = 5] JOIN b ON b.x = a.y      →   a[…] JOIN b[rows of ix (x) that match a.y] ON …
    b WHERE b.x IN (SELECT a.y FROM a …)    →   b[rows of ix (x) that match a.y] WHERE …

Where columns of two scans are equal in every row that reaches the result, and an index of one of
them begins with its columns, the other's values may be looked up in that index instead of reading
the table (operators/matching.py). When the statement runs this is done only if it costs less, as
far as statistics can tell. The rows are a superset, the join or test stays above.

Such equalities stand in AND in a WHERE, in the ON of an inner join, in the ON of an outer join as
far as its null-supplied side goes, in IN (SELECT column …) and EXISTS, and in a subquery's WHERE
that looks at outer rows. It is sound to leave out the rows of b without a match: a row of the
result that had one of them would fail the equality, and so would a row of NULLs that an outer join
puts in its place.

Not marked: scans whose rows are counted (ordinals), limited or found in another way already, and
columns of different types but for whole numbers; floats, whose NaN and -0 an index keeps apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from hartonomous.hql import plan as p
from hartonomous.hql.rules.seek_index import ordered_indexes
from hartonomous.hql.rules.simple import column_of, is_simple
from hartonomous.hql.rules.tree import any_of, conjuncts, sources, transform, walk, walk_block
from hartonomous.hql.rules.use_index import wanted_index
from hartonomous.storage.catalog import TableEntry, fold

#: ways to match that one scan keeps
MATCHES_MAX = 4

#: what may say which rows are wanted
_Other = p.Scan | p.ArrowSource | p.Derived

#: an equality: a column of the scan that may be read in part, and one of the scan that says which
_Equality = tuple[p.Column, p.Column]


def match_rows(plan: p.Plan) -> p.Plan:
    if "NO INDEX" in dict(plan.options):
        return plan
    found: dict[int, list[_Equality]] = {}
    others: dict[int, _Other] = {}
    for equality in _of_plan(plan, {}, others):
        found.setdefault(equality[0].relation, []).append(equality)
    wanted = wanted_index(plan)
    matches = {
        number: _matches(scan, found[number], others, wanted)
        for number, scan in others.items()
        if number in found and isinstance(scan, p.Scan)
    }
    if not any(matches.values()):
        return plan

    def change(node: Any) -> Any:
        if isinstance(node, p.Scan) and matches.get(node.relation) and _is_whole(node):
            return replace(node, matching=matches[node.relation])
        return node

    return transform(plan, change)


def _is_whole(scan: p.Scan) -> bool:
    """Whether it is a scan of all rows so far, whose number nothing depends on."""
    found = scan.lookup or scan.nearest or scan.region or scan.limit
    return found is None and not scan.ordinal and scan.table.id > 0


# --- equalities ----------------------------------------------------------------------------------


def _of_plan(
    plan: p.Plan, outer: Mapping[int, _Other], known: dict[int, _Other]
) -> Iterator[_Equality]:
    """All equalities in a query and what is inside it; `outer` are those of the queries around."""
    for cte in plan.ctes:
        yield from _of_plan(cte.plan, {}, known)
    match plan.body:
        case p.SelectBlock():
            yield from _of_block(plan.body, outer, known)
        case p.SetBlock():
            yield from _of_plan(plan.body.left, outer, known)
            yield from _of_plan(plan.body.right, outer, known)
        case p.Plan():
            yield from _of_plan(plan.body, outer, known)
        case p.ValuesBlock():
            pass


def _of_block(
    block: p.SelectBlock, outer: Mapping[int, _Other], known: dict[int, _Other]
) -> Iterator[_Equality]:
    own = _others(block.source)
    known.update(own)
    seen = {**outer, **own}
    for part in conjuncts(block.where):
        for narrowed, by in _equal_columns(part, seen):
            if narrowed.relation in own:
                yield narrowed, by
        yield from _in_query(part, own)
    yield from _of_joins(block.source, outer)
    for source in sources(block.source):
        if isinstance(source, p.Derived):
            yield from _of_plan(source.plan, seen if source.lateral else {}, known)
    for node in walk((*block.outputs, *_parts_of(block)), block=True):
        query = getattr(node, "query", None)
        if isinstance(query, p.Plan):
            yield from _of_plan(query, seen, known)


def _parts_of(block: p.SelectBlock) -> tuple[p.Expr, ...]:
    """The conditions of a block."""
    found = [e for e in (block.where, block.having) if e is not None]
    stack: list[p.Joined | p.Source | None] = [block.source]
    while stack:
        node = stack.pop()
        if isinstance(node, p.Joined):
            stack += [node.left, node.right]
            if node.on is not None:
                found.append(node.on)
    return tuple(found)


def _of_joins(
    joined: p.Joined | p.Source | None, outer: Mapping[int, _Other]
) -> Iterator[_Equality]:
    if not isinstance(joined, p.Joined):
        return
    yield from _of_joins(joined.left, outer)
    yield from _of_joins(joined.right, outer)
    left, right = (_others(side) for side in (joined.left, joined.right))
    narrowed_sides = {"INNER": left | right, "LEFT": right, "RIGHT": left}.get(joined.kind, {})
    for part in conjuncts(joined.on):
        for narrowed, by in _equal_columns(part, {**outer, **left, **right}):
            if narrowed.relation in narrowed_sides:
                yield narrowed, by
        if joined.kind == "INNER":
            yield from _in_query(part, left | right)


def _others(joined: p.Joined | p.Source | None) -> dict[int, _Other]:
    """The relations of a FROM clause whose values can be had without the engine."""
    return {
        s.relation: s
        for s in sources(joined)
        if isinstance(s, p.Scan)
        or (isinstance(s, p.ArrowSource) and s.key.startswith("@"))
        or (isinstance(s, p.Derived) and _given(s) is not None)
    }


def _given(source: _Other | None) -> p.Given | None:
    """The rows of a VALUES whose cells are simple."""
    if not isinstance(source, p.Derived) or not isinstance(source.plan.body, p.ValuesBlock):
        return None
    plan, rows = source.plan, source.plan.body.rows
    is_bare = not plan.ctes and plan.limit is None and plan.offset is None and plan.json is None
    if not is_bare or not all(is_simple(cell) for row in rows for cell in row):
        return None
    return p.Given(source.fields, rows)


def _equal_columns(expr: p.Expr, scans: Mapping[int, _Other]) -> Iterator[_Equality]:
    """Both ways round."""
    if isinstance(expr, p.Call) and expr.function.name == "=":
        one, other = (column_of(a, scans) for a in expr.arguments)
        if one is not None and other is not None and one.relation != other.relation:
            yield one, other
            yield other, one


def _in_query(expr: p.Expr, own: Mapping[int, _Other]) -> Iterator[_Equality]:
    """A column IN the values of a column of a scan in the query's FROM; a column that equals one in
    the WHERE of an EXISTS."""
    query = getattr(expr, "query", None)
    if not isinstance(query, p.Plan) or query.json is not None:
        return
    block = query.body
    if not isinstance(block, p.SelectBlock):
        return
    inside = _others(block.source)
    if isinstance(expr, p.InQuery) and not expr.negated:
        column, inner = column_of(expr.operand, own), column_of(block.outputs[0].expr, inside)
        if column is not None and inner is not None:
            yield column, inner
    elif isinstance(expr, p.Exists) and _gives_rows_of_its_own(block):
        for part in conjuncts(block.where):
            for narrowed, by in _equal_columns(part, {**own, **inside}):
                if narrowed.relation in own and by.relation in inside:
                    yield narrowed, by


def _gives_rows_of_its_own(block: p.SelectBlock) -> bool:
    """Whether every row of a block comes from rows that pass its WHERE: no aggregate of none."""
    return block.group_by != () and not any_of(walk_block(block), p.Aggregate)


# --- matches -------------------------------------------------------------------------------------


def _matches(
    scan: p.Scan,
    equalities: list[_Equality],
    others: Mapping[int, _Other],
    wanted: str | None,
) -> tuple[p.Matching, ...]:
    """The ways to find a scan's rows by those of another: by each other scan one index, that of
    which the most columns are known, a unique one first."""
    if not _is_whole(scan):
        return ()
    found: list[p.Matching] = []
    constants = {
        r.column: r.low
        for r in scan.ranges
        if r.low is not None and r.low == r.high and not (r.low_open or r.high_open or r.folds)
    }
    for other in dict.fromkeys(by.relation for _, by in equalities):
        known = {
            column.name: by.name
            for column, by in equalities
            if by.relation == other and _is_comparable(column, by)
        }
        best: tuple[bool, int, bool] | None = None
        chosen: p.Matching | None = None
        for entry in ordered_indexes(scan.table):
            values = _values(scan.table, entry.columns, known, constants)
            if not any(isinstance(v, str) for v in values):
                continue
            is_complete = len(values) == len(entry.columns)
            is_unique = getattr(entry, "is_unique", False) and is_complete
            rank = fold(entry.name) == wanted, len(values), is_unique
            if best is None or rank > best:
                best = rank
                index = p.Index(entry.id, entry.name)
                chosen = p.Matching(index, other, values, _given(others.get(other)))
        if chosen is not None:
            found.append(chosen)
    return tuple(found[:MATCHES_MAX])


def _values(
    table: TableEntry,
    columns: tuple[int, ...],
    known: Mapping[str, str],
    constants: Mapping[str, p.Expr],
) -> tuple[str | p.Expr, ...]:
    """What the first columns of an index are equal to, as far as that is known."""
    names = {c.id: c.name for c in table.columns}
    found: list[str | p.Expr] = []
    for column_id in columns:
        name = names[column_id]
        if name in known:
            found.append(known[name])
        elif name in constants:
            found.append(constants[name])
        else:
            break
    return tuple(found)


def _is_comparable(one: p.Column, other: p.Column) -> bool:
    if one.type.is_integer and other.type.is_integer:
        return True
    a, b = one.type.arrow, other.type.arrow
    return bool(a.equals(b)) and not pa.types.is_floating(a) and not one.type.is_wide
