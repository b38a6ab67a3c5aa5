"""Rule coefficients: TensorAtomCoefficients is tested and aggregated before the engine sees it.

    SELECT ta.LayerIdx, AVG(c.Magnitude) FROM TensorAtoms ta JOIN TensorAtomCoefficients c ON … = …
    WHERE c.Magnitude < 0.1 AND ta.ModelName = 'm' GROUP BY ta.LayerIdx
        →  SELECT ta.LayerIdx, SUM(c.s) / SUM(c.n)
           FROM TensorAtoms ta JOIN c[Magnitude < 0.1, ranges: ModelName = 'm'; by atom: n, s] ON …

Three steps, each exact. Conjuncts that compare Coefficient, Magnitude or Position with simple
values become tests of the scan and leave the query. Ranges that TensorAtoms has go over an equality
of TensorAtomIds, or an IN, to the scan. And where nothing but TensorAtomId and aggregates of the
scan is left, the scan gives one row for each tensor atom, and the aggregates finish what it
counted; so does it where only existence matters: in IN, EXISTS and DISTINCT. Not reduced: a scan
whose rows an outer join may miss, windows, aggregates of other relations that count rows (SUM,
AVG), DISTINCT aggregates of coefficients. What is not reduced streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hartonomous.hql import functions
from hartonomous.hql import plan as p
from hartonomous.hql.models.relations.tables import TENSOR_ATOMS_ID
from hartonomous.hql.rules.prune_columns import prune_columns
from hartonomous.hql.rules.simple import column_of, is_simple, strip_casts
from hartonomous.hql.rules.tree import (
    all_of,
    any_of,
    columns_in,
    conditions,
    conjuncts,
    map_sources,
    null_supplied,
    rebuild,
    sources,
    substitute,
    walk,
    walk_block,
)
from hartonomous.hql.types import BIGINT, FLOAT, INT, Type

ATOM_ID = "TensorAtomId"
_TESTED = ("Coefficient", "Magnitude", "Position")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}


def coefficients(plan: p.Plan) -> p.Plan:
    if not any_of(walk(plan), p.Coefficients):
        return plan

    def change(node: Any) -> Any:
        node = rebuild(node, change)
        if isinstance(node, p.Plan):
            return _reduced(_tested(node), is_set=False)
        if isinstance(node, p.Exists):
            return replace(node, query=_as_set(_without_outputs(node.query)))
        if isinstance(node, (p.InQuery, p.Quantified)):
            return replace(node, query=_as_set(node.query))
        return node

    # tests left the query, and with them columns that only they read
    return prune_columns(_narrowed(change(_narrowed(plan))))


def _of_block(block: p.SelectBlock) -> list[p.Coefficients]:
    """The scans in FROM whose rows no outer join supplies."""
    missing = null_supplied(block.source)
    found = (s for s in sources(block.source) if isinstance(s, p.Coefficients))
    return [s for s in found if s.relation not in missing]


def _replaced(block: p.SelectBlock, scan: p.Coefficients) -> p.SelectBlock:
    """The block with a scan in place of the one of its relation."""

    def change(source: p.Source) -> p.Source:
        return scan if source.relation == scan.relation else source

    return replace(block, source=map_sources(block.source, change))


# --- tests ---------------------------------------------------------------------------------------


def _tested(plan: p.Plan) -> p.Plan:
    block = plan.body
    if not isinstance(block, p.SelectBlock):
        return plan
    for scan in _of_block(block):
        tests: list[p.Test] = []
        block = replace(
            block,
            where=_without_tests(block.where, scan.relation, tests),
            source=_inner_without(block.source, scan.relation, tests),
        )
        ranges = tuple(r for r in scan.ranges if r.column not in _TESTED)
        if tests or len(ranges) < len(scan.ranges):
            block = _replaced(block, replace(scan, tests=tuple(tests), ranges=ranges))
    return plan if block is plan.body else replace(plan, body=block)


def _inner_without(
    joined: p.Joined | p.Source | None, relation: int, tests: list[p.Test]
) -> p.Joined | p.Source | None:
    """FROM without the tests in conditions of inner joins."""
    if not isinstance(joined, p.Joined):
        return joined
    left = _inner_without(joined.left, relation, tests)
    right = _inner_without(joined.right, relation, tests)
    assert left is not None and right is not None
    on = joined.on
    if joined.kind == "INNER":
        on = _without_tests(on, relation, tests)
    if left is joined.left and right is joined.right and on is joined.on:
        return joined
    return replace(joined, left=left, right=right, on=on)


def _without_tests(expr: p.Expr | None, relation: int, tests: list[p.Test]) -> p.Expr | None:
    rest = []
    for part in conjuncts(expr):
        test = _test_of(part, relation)
        if test is None:
            rest.append(part)
        else:
            tests.append(test)
    return expr if len(rest) == len(conjuncts(expr)) else all_of(rest)


def _test_of(expr: p.Expr, relation: int) -> p.Test | None:
    if isinstance(expr, p.InList):
        op = "NOT IN" if expr.negated else "IN"
        return _test(expr.operand, op, expr.values, relation)
    if not isinstance(expr, p.Call):
        return None
    name, arguments = expr.function.name, expr.arguments
    if name == "BETWEEN" and len(arguments) == 3:
        return _test(arguments[0], name, arguments[1:], relation)
    if name in _TURNED and len(arguments) == 2:
        left, right = arguments
        if is_simple(left):
            name, left, right = _TURNED[name], right, left
        return _test(left, name, (right,), relation)
    return None


def _test(operand: p.Expr, op: str, values: tuple[p.Expr, ...], relation: int) -> p.Test | None:
    column = column_of(operand, {relation: None})
    if column is None or column.name not in _TESTED or not all(map(is_simple, values)):
        return None
    return p.Test(column.name, op, tuple(map(strip_casts, values)))


# --- ranges --------------------------------------------------------------------------------------


def _narrowed(plan: p.Plan) -> p.Plan:
    """The plan with the ranges of tensor atoms passed on to all scans that hold the same atoms."""
    more: dict[int, dict[p.Range, None]] = {}
    everything = {n.relation: n for n in walk(plan) if _has_atoms(n)}
    for node in walk(plan):
        if isinstance(node, p.SelectBlock):
            _pass_on(node, everything, more)

    def change(node: Any) -> Any:
        node = rebuild(node, change)
        if _has_atoms(node) and node.relation in more:
            return replace(node, ranges=tuple(dict.fromkeys((*node.ranges, *more[node.relation]))))
        return node

    return change(plan) if more else plan


def _has_atoms(node: Any) -> bool:
    if isinstance(node, p.Scan):
        return node.table.id == TENSOR_ATOMS_ID
    return isinstance(node, p.Coefficients)


def _pass_on(
    block: p.SelectBlock, everything: dict[int, Any], more: dict[int, dict[p.Range, None]]
) -> None:
    """From the outside in: what an outer block said of its scans is known by now."""
    missing = null_supplied(block.source)
    scans = {s.relation: s for s in sources(block.source) if _has_atoms(s)}
    known = {r: s for r, s in scans.items() if r not in missing}
    tests = [*conjuncts(block.where), *_inner_conditions(block.source)]
    for _ in known:  # as far as chains of equalities reach
        for part in tests:
            if isinstance(part, p.Call) and part.function.name == "=":
                one, other = (_atom_of(a, everything) for a in part.arguments)
                for source, target in ((one, other), (other, one)):
                    # an outer block's scan is not narrowed by what stands in a subquery
                    is_sure = source in known or source not in scans
                    if source is not None and target is not None and target in known and is_sure:
                        _add(everything[source], everything[target], more)
    for part in tests:
        if isinstance(part, p.InQuery) and not part.negated:
            outer = _atom_of(part.operand, known)
            inner = _output_scan(part.query)
            if outer is not None and inner is not None:
                _add(known[outer], inner, more)


def _add(source: Any, target: Any, more: dict[int, dict[p.Range, None]]) -> None:
    ranges = (*source.ranges, *more.get(source.relation, ()))
    passed = {r: None for r in ranges if r.column not in _TESTED}
    if passed:
        more.setdefault(target.relation, {}).update(passed)


def _inner_conditions(joined: p.Joined | p.Source | None) -> Iterator[p.Expr]:
    if isinstance(joined, p.Joined):
        yield from _inner_conditions(joined.left)
        yield from _inner_conditions(joined.right)
        if joined.kind == "INNER":
            yield from conjuncts(joined.on)


def _atom_of(expr: p.Expr, scans: dict[int, Any]) -> int | None:
    """The scan whose TensorAtomId an expression is."""
    column = column_of(expr, scans)
    return column.relation if column is not None and column.name == ATOM_ID else None


def _output_scan(plan: p.Plan) -> Any:
    """The scan whose TensorAtomId is the only output of a query that keeps or drops each of its
    rows by itself; None of any other query."""
    block = plan.body
    if not isinstance(block, p.SelectBlock) or plan.limit is not None or plan.offset is not None:
        return None
    if _is_grouped(plan, block) or any_of(walk_block(block), p.Window):
        return None
    missing = null_supplied(block.source)
    scans = {s.relation: s for s in sources(block.source) if _has_atoms(s)}
    relation = _atom_of(block.outputs[0].expr, scans)
    return None if relation is None or relation in missing else scans[relation]


def _is_grouped(plan: p.Plan, block: p.SelectBlock) -> bool:
    above = (*block.outputs, *plan.order_by)
    has_having = block.having is not None
    return block.group_by is not None or has_having or any_of(walk_block(above), p.Aggregate)


# --- one row for each atom -----------------------------------------------------------------------


def _as_set(plan: p.Plan) -> p.Plan:
    """A query of which only matters which rows there are."""
    if plan.limit is not None or plan.offset is not None:
        return plan
    if isinstance(plan.body, p.SetBlock):
        left, right = _as_set(plan.body.left), _as_set(plan.body.right)
        is_bag = plan.body.all and plan.body.op != "UNION"
        return plan if is_bag else replace(plan, body=replace(plan.body, left=left, right=right))
    return _reduced(plan, is_set=True)


def _without_outputs(plan: p.Plan) -> p.Plan:
    """A query of which only matters whether it has rows."""
    block = plan.body
    if not isinstance(block, p.SelectBlock) or _is_grouped(plan, block) or block.distinct:
        return plan
    if plan.order_by or any_of(walk_block(block.outputs), p.Window):
        return plan
    one = p.Output("one", p.Constant(type=INT, value=1))
    fields = (p.Field("one", INT),)
    return replace(plan, fields=fields, body=replace(block, outputs=(one,)))


def _reduced(plan: p.Plan, is_set: bool) -> p.Plan:
    block = plan.body
    if not isinstance(block, p.SelectBlock):
        return plan
    for scan in _of_block(block):
        assert isinstance(plan.body, p.SelectBlock)
        if scan.partials is None:
            plan = _Reduction(plan, plan.body, scan).plan(is_set or block.distinct)
    return plan


class _Reduction:
    """One scan of one block, and the partial aggregates that take its place."""

    def __init__(self, plan: p.Plan, block: p.SelectBlock, scan: p.Coefficients) -> None:
        self._plan, self._block, self._scan = plan, block, scan
        self._partials: dict[tuple[str, str | None], p.Partial] = {}

    def plan(self, is_set: bool) -> p.Plan:
        """The plan with the scan reduced; the same plan if that cannot be."""
        plan, block = self._plan, self._block
        is_grouped = _is_grouped(plan, block)
        whole = list(walk_block((*block.outputs, *plan.order_by)))
        if any_of(whole, p.Window) or not (is_set or is_grouped):
            return plan
        having = () if block.having is None else (block.having,)
        above = walk_block((*block.outputs, *plan.order_by, *having))
        finished: dict[p.Expr, p.Expr] = {}
        for aggregate in above:
            if isinstance(aggregate, p.Aggregate) and aggregate not in finished:
                made = self._finished(aggregate)
                if made is None:
                    return plan
                finished[aggregate] = made
        bare = replace(block, source=None)
        body = substitute(bare, finished)
        order = tuple(substitute(o, finished) for o in plan.order_by)
        if not self._reads_atoms_only((body, *order)):
            return plan
        scan = replace(
            self._scan,
            fields=tuple(f for f in self._scan.fields if f.name == ATOM_ID),
            partials=tuple(self._partials.values()),
        )
        body = replace(body, source=block.source)
        return replace(plan, body=_replaced(body, scan), order_by=order)

    def _reads_atoms_only(self, above: tuple[Any, ...]) -> bool:
        """Whether all else that is read of the scan is TensorAtomId, and its partials."""
        names = {ATOM_ID, *(x.name for x in self._partials.values())}
        others = tuple(s for s in sources(self._block.source) if s is not self._scan)
        on = tuple(conditions(self._block.source))
        read = columns_in((*above, *others, *on))
        return all(c.name in names for c in read if c.relation == self._scan.relation)

    def _finished(self, aggregate: p.Aggregate) -> p.Expr | None:
        """What stands for an aggregate above the partials; None if nothing can."""
        name, arguments = aggregate.function.name.upper(), aggregate.arguments
        own = [c for c in columns_in(arguments) if c.relation == self._scan.relation]
        figure = self._figure(arguments[0]) if len(arguments) == 1 else None
        is_plain = aggregate.filter is None and not aggregate.order_by
        counts_once = aggregate.distinct or name in ("MIN", "MAX")
        if counts_once and all(c.name == ATOM_ID for c in own):
            return aggregate  # as often as an atom occurs, its rows make no difference
        if not is_plain or (aggregate.distinct and name not in ("MIN", "MAX")):
            return None
        if name in ("MIN", "MAX") and figure is not None:
            return replace(aggregate, arguments=(self._partial(name, figure),))
        if name == "COUNT" and (not arguments or (figure or own) and self._is_column(arguments[0])):
            zero = p.Constant(type=BIGINT, value=0)
            both = (self._sum(self._partial("COUNT", None), aggregate), zero)
            return _call("COALESCE", BIGINT, both, aggregate)
        if name == "SUM" and figure is not None:
            return self._sum(self._partial("SUM", figure), aggregate)
        if name == "AVG" and figure is not None:
            total = self._sum(self._partial("SUM", figure), aggregate)
            count = self._sum(self._partial("COUNT", None), aggregate)
            return _call("/", FLOAT, (_as_float(total), _as_float(count)), aggregate)
        return None

    def _is_column(self, expr: p.Expr) -> bool:
        return column_of(expr, {self._scan.relation: None}) is not None

    def _figure(self, expr: p.Expr) -> p.Column | None:
        """The column of the scan that an aggregate is of, if it can be counted natively."""
        column = column_of(expr, {self._scan.relation: None})
        return column if column is not None and column.name in _TESTED else None

    def _partial(self, aggregate: str, column: p.Column | None) -> p.Column:
        name = None if column is None else column.name
        if (aggregate, name) not in self._partials:
            called = f"__{aggregate.lower()}" + ("" if name is None else f"_{name.lower()}")
            type_ = _partial_type(aggregate, column)
            self._partials[aggregate, name] = p.Partial(called, type_, aggregate, name)
        partial = self._partials[aggregate, name]
        return p.Column(type=partial.type, relation=self._scan.relation, name=partial.name)

    def _sum(self, column: p.Column, like: p.Aggregate) -> p.Expr:
        function = functions.find("SUM")
        assert function is not None
        type_ = BIGINT if column.type.is_integer else FLOAT
        return p.Aggregate(type=type_, span=like.span, function=function, arguments=(column,))


def _partial_type(aggregate: str, column: p.Column | None) -> Type:
    if column is None or (aggregate == "SUM" and column.type.is_integer):
        return BIGINT
    return FLOAT if aggregate == "SUM" else column.type


def _as_float(expr: p.Expr) -> p.Expr:
    return expr if expr.type == FLOAT else p.Cast(type=FLOAT, span=expr.span, operand=expr)


def _call(name: str, type_: Type, arguments: tuple[p.Expr, ...], like: p.Expr) -> p.Call:
    function = functions.find(name)
    assert function is not None, name
    return p.Call(type=type_, span=like.span, function=function, arguments=arguments)
