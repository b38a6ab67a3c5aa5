"""EXPLAIN: native operators and the relational engine's, in one tree.

The engine says what it will do with a fragment (or, for ANALYZE, what it did); where it reads an
Arrow table, our own scan of it stands, with what the rules told it. Without ANALYZE there are no
estimates, no times and no addresses in the text: the same data, the same lines.

ANALYZE runs the query as it would run otherwise, but for the account that the engine keeps. Times
of native operators and of a fragment as a whole are the clock's; those of the operators inside a
fragment are the processor's, of all threads together, and marked so (`cpu`). Beside the rows of
these stands how many were expected, where statistics say it (estimates.py). What was not measured
is not shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hartonomous.hql.describe import Describer, Tree, describe_plan
from hartonomous.hql.estimates import Estimates, texts_of
from hartonomous.hql.frozen import frozen
from hartonomous.hql.operators.base import Execution, Figures, Measured, Operator, Source
from hartonomous.hql.operators.fragment import FragmentOperator, Input
from hartonomous.hql.operators.function_rows import FunctionRows
from hartonomous.hql.operators.gather import Gather
from hartonomous.hql.operators.nearest_rows import NearestRows
from hartonomous.hql.operators.rows_in_order import RowsInOrder
from hartonomous.hql.operators.scan import ScanOperator
from hartonomous.hql.operators.sought_rows import SoughtRows
from hartonomous.hql.operators.wide import WideStore
from hartonomous.hql.plan import SelectBlock, TableFunction
from hartonomous.hql.rules.tree import scans

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.execute import PreparedPlan, Tables
    from hartonomous.hql.limits import Limits

__all__ = ["describe_plan", "explain"]

#: what the engine says about an operator -> the word before it here; the rest is left out
_DETAILS = {
    "Top": "",
    "Limit": "",
    "Offset": "offset ",
    "Join Type": "",
    "Conditions": "on ",
    "Expression": "",
    "Groups": "",
    "Aggregates": "",
    "Order By": "by ",
    "Projections": "",
    "CTE Name": "",
    "Name": "",
}
_REFERENCE = re.compile(r"#(\d+)|#\[[\d.]+\]")
_CALL = re.compile(r"__hql_(?:call_\w+|intern)\((\d+)(?:, )?")


def explain(
    prepared: PreparedPlan,
    source: Source,
    parameters: Mapping[str, Any],
    limits: Limits,
    tables: Tables | None = None,
    *,
    analyze: bool = False,
    context: Context | None = None,
) -> list[str]:
    """The operator tree as lines. `analyze` runs the query, drops its rows, and adds to each
    operator its rows, its time and, for scans, bytes and what zone maps left out; the time alone
    where a policy or a view hides rows, as entries of an index and what was expected count these
    too."""
    if analyze and not _meets_hidden(prepared, context):
        return _analyze(prepared, source, parameters, limits, tables, context)
    started = time.perf_counter()
    if analyze:
        prepared.tighten(limits, parameters)
        for _ in prepared.start(source, parameters, limits, tables, context=context):
            pass
    total = time.perf_counter() - started
    execution = Execution(source, parameters, limits, tables or {}, context=context)
    limits.start()
    try:
        lines = _operator(prepared.operator, prepared, execution).lines()
    finally:
        execution.close()
    return [*lines, f"total {shown_time(total)}"] if analyze else lines


def _meets_hidden(prepared: PreparedPlan, context: Context | None) -> bool:
    if context is None or context.account is None:
        return False
    from hartonomous.hql.security.rows import reads_all

    return not all(reads_all(context, scan.table) for scan in scans(prepared.plan))


def _analyze(
    prepared: PreparedPlan,
    source: Source,
    parameters: Mapping[str, Any],
    limits: Limits,
    tables: Tables | None,
    context: Context | None,
) -> list[str]:
    prepared.tighten(limits, parameters)
    measured = Measured(limits.memory_bytes)
    try:
        started = time.perf_counter()
        for _ in prepared.start(
            source, parameters, limits, tables, measured=measured, context=context
        ):
            pass
        total = time.perf_counter() - started
    finally:
        measured.close()
    execution = Execution(
        source, parameters, limits, tables or {}, measured=measured, context=context
    )
    lines = _operator(prepared.operator, prepared, execution).lines()
    return [*lines, f"total {shown_time(total)}"]


def _operator(operator: Operator, prepared: PreparedPlan, execution: Execution) -> Tree:
    if isinstance(operator, Gather):
        below = _operator(operator.below, prepared, execution)
        wide = [f.name for f in operator.fields if f.type.is_wide]
        text = f"gather {', '.join(wide)}{_measured(operator, execution)}"
        return Tree(text, [below]) if wide else below
    if isinstance(operator, FragmentOperator):
        return _FragmentTree(operator, execution).tree()
    if isinstance(operator, NearestRows):
        return _nearest_rows(operator, prepared, execution)
    if isinstance(operator, SoughtRows):
        return _sought_rows(operator, prepared, execution)
    if isinstance(operator, RowsInOrder):
        return _rows_in_order(operator, prepared, execution)
    if isinstance(operator, FunctionRows):
        block = prepared.plan.body
        assert isinstance(block, SelectBlock) and isinstance(block.source, TableFunction)
        text = Describer(prepared.plan).source(block.source).text
        return Tree(text + _measured(operator, execution))
    return Tree(describe_plan(prepared.plan))


def _nearest_rows(operator: NearestRows, prepared: PreparedPlan, execution: Execution) -> Tree:
    describer = Describer(prepared.plan)
    scan = operator.scan
    text = describer.scan(scan.scan) + _measured(scan, execution)
    offset = "" if operator.offset is None else f" from {describer.expr(operator.offset)}"
    return Tree(f"rows in order of distance{offset}", [Tree(text, _filter(scan, execution))])


def _sought_rows(operator: SoughtRows, prepared: PreparedPlan, execution: Execution) -> Tree:
    """What ran, or, before it runs, what will if the index pays."""
    scan = operator.scan
    if execution.measured is not None and execution.measured.find(scan) is None:
        return _operator(operator.otherwise, prepared, execution)
    assert isinstance(prepared.plan.body, SelectBlock)
    describer, where = Describer(prepared.plan), prepared.plan.body.where
    below = Tree(describer.scan(scan.scan) + _measured(scan, execution))
    return below if where is None else Tree(f"filter {describer.expr(where)}", [below])


def _rows_in_order(operator: RowsInOrder, prepared: PreparedPlan, execution: Execution) -> Tree:
    """As `_sought_rows`."""
    scan = operator.scan
    if execution.measured is not None and execution.measured.find(scan) is None:
        return _operator(operator.otherwise, prepared, execution)
    describer = Describer(prepared.plan)
    offset = "" if operator.offset is None else f" from {describer.expr(operator.offset)}"
    text = describer.scan(scan.scan) + _measured(scan, execution)
    return Tree(f"rows in order of an index{offset}", [Tree(text)])


@frozen
class _Branch:
    """A tree, how many rows were expected of its root, and the scan that this is, if it is one."""

    tree: Tree
    expected: float | None = None
    scan: ScanOperator | None = None


class _FragmentTree:
    """The tree of one fragment, as it will run or, if the execution was measured, as it ran."""

    def __init__(self, operator: FragmentOperator, execution: Execution) -> None:
        self._operator, self._execution = operator, execution
        self._describer = Describer(operator.plan)
        self._left = list(operator.inputs)
        self._calls: dict[str, str] = {}
        self._estimates = Estimates(operator, execution)

    def tree(self) -> Tree:
        operator, execution = self._operator, self._execution
        if execution.measured is not None:
            figures = execution.measured.find(operator)
            if figures is None or figures.bound is None:  # an empty table has no nearest rows
                return Tree("fragment, not run")
            trees = self._trees([_strip(n) for n in figures.profile["operator"]], figures.bound)
            return Tree("fragment" + _measured(operator, execution), trees)
        cursor, bound = operator.open(execution)
        with execution.limits.interrupting(cursor.interrupt):
            found = cursor.explain(operator.text, bound)
        trees = self._trees(found, bound)
        return trees[0] if len(trees) == 1 else Tree("fragment", trees)

    def _trees(self, nodes: list[Mapping[str, Any]], bound: Mapping[str, Any]) -> list[Tree]:
        self._calls = {str(bound[c.name]): c.function.name for c in self._operator.calls}
        return [b.tree for node in nodes for b in self._nodes(node)]

    def _nodes(self, node: Mapping[str, Any]) -> list[_Branch]:
        """A node of the engine as a tree; its children where it says nothing itself."""
        info = dict(node.get("extra_info") or {})
        below = [b for child in node.get("children", ()) for b in self._nodes(child)]
        if "ARROW_SCAN" in str(info.get("Function", "")):
            return [self._scan(info)]
        name = str(node.get("name") or node.get("type"))
        if name == "PROJECTION" and all(map(_REFERENCE.fullmatch, texts_of(info["Projections"]))):
            return below
        details = self._details(info, _columns_below(node))
        text = " ".join([name.lower().replace("_", " "), *details])
        text = text.replace(" by by ", " by ")  # `order by`, `hash group by`
        expected = None
        if self._execution.measured is not None:
            known = {**info, "Groups": self._named(info.get("Groups"), node)}
            rows, scans = [b.expected for b in below], [b.scan for b in below]
            expected = self._estimates.node(name, known, rows, scans)
        is_narrowed = expected is not None and any(
            b.scan is not None and self._is_narrowed(b.scan) for b in below
        )
        is_sure = name == "UNGROUPED_AGGREGATE"  # one row, whatever comes
        accounted = self._accounted(node, None if is_narrowed or is_sure else expected)
        return [_Branch(Tree(text + accounted, [b.tree for b in below]), expected)]

    def _is_narrowed(self, scan: ScanOperator) -> bool:
        """Whether only rows that match another scan's were read: what was expected of the whole
        table says nothing about them."""
        assert self._execution.measured is not None
        figures = self._execution.measured.find(scan)
        by_index = figures is not None and figures.index_entries is not None
        return by_index and bool(scan.scan.matching)

    def _named(self, value: Any, node: Mapping[str, Any]) -> list[str]:
        columns = _columns_below(node)
        return [_resolve(text, columns) for text in texts_of(value)]

    def _details(self, info: Mapping[str, Any], columns: list[str]) -> list[str]:
        details = []
        for key, word in _DETAILS.items():
            text = ", ".join(t for t in texts_of(info.get(key)) if t)
            if text:
                text = _resolve(text, columns)
                details.append(word + _CALL.sub(self._name_call, text))
        return details

    def _name_call(self, match: re.Match[str]) -> str:
        return f"{self._calls.get(match[1], '__intern')}("

    def _accounted(self, node: Mapping[str, Any], expected: float | None) -> str:
        """What the engine measured of one of its operators, beside what was expected."""
        if self._execution.measured is None:
            return ""
        rows, seconds = node.get("intermediate_rows"), node.get("timing")
        parts = [] if rows is None else [f"{rows:,} rows{_about(expected)}"]
        if seconds:
            parts.append(f"cpu {shown_time(float(seconds))}")
        return f"  [{', '.join(parts)}]" if parts else ""

    # --- scans -----------------------------------------------------------------------------------

    def _scan(self, info: Mapping[str, Any]) -> _Branch:
        operator = self._match(texts_of(info.get("Projections")))
        if not isinstance(operator, ScanOperator):
            text = self._describer.source(operator.source).text
            return _Branch(Tree(text + _measured(operator, self._execution)))
        expected = None
        if self._execution.measured is not None:
            expected = self._estimates.scan(operator)
        text = self._describer.scan(operator.scan) + _measured(operator, self._execution)
        return _Branch(Tree(text, _filter(operator, self._execution)), expected, operator)

    def _match(self, columns: list[str]) -> Input:
        """The input that has these columns; the engine names the columns only. One that is read
        twice (a common table that the engine wrote out again) stays for the second time."""
        for place, operator in enumerate(self._left):
            if columns and all(c.startswith(f"{operator.label}.") for c in columns):
                return self._left.pop(place)
        for operator in self._operator.inputs:
            if columns and all(c.startswith(f"{operator.label}.") for c in columns):
                return operator
        return self._left.pop(0) if self._left else self._operator.inputs[0]


def _filter(operator: ScanOperator, given: Execution) -> list[Tree]:
    """The WHERE of a scan for the nearest rows."""
    if operator.top is None or operator.top.filter is None:
        return []
    # a store of its own: sources of the scan around it have the same numbers
    inner = replace(given, store=WideStore(), closers=[])
    try:
        return [_FragmentTree(operator.top.filter, inner).tree()]
    finally:
        inner.close()


def _columns_below(node: Mapping[str, Any]) -> list[str]:
    """What #0, #1 … mean in a node: the columns of its only child, where that says them."""
    inner = list(node.get("children", ()))
    if len(inner) != 1:
        return []
    child = inner[0]
    info = child.get("extra_info") or {}
    name = child.get("name") or child.get("type")
    if name == "FILTER":
        return _columns_below(child)
    if name == "PROJECTION":
        below = _columns_below(child)
        return [_resolve(t, below) for t in texts_of(info.get("Projections"))]
    return texts_of(info.get("Projections")) if "ARROW_SCAN" in str(info.get("Function")) else []


def _resolve(text: str, columns: list[str]) -> str:
    def named(match: re.Match[str]) -> str:
        place = match[1]
        known = place is not None and int(place) < len(columns)
        return columns[int(place)] if known else match[0]

    return _REFERENCE.sub(named, text)


def _strip(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A profile without the nodes that only deliver it."""
    while node.get("type") in ("RESULT_COLLECTOR", "EXPLAIN_ANALYZE", "QUERY"):
        node = node["children"][0]
    return node


def _about(expected: float | None) -> str:
    """Two digits are all that an estimate has."""
    if expected is None:
        return ""
    return f" (about {float(f'{expected:.2g}'):,.0f} expected)"


def _measured(operator: object, execution: Execution) -> str:
    """What was measured of one of our own operators."""
    figures = None if execution.measured is None else execution.measured.find(operator)
    return "" if figures is None else f"  [{', '.join(_parts(figures))}]"


def _parts(figures: Figures) -> list[str]:
    parts = [f"{figures.rows:,} rows", shown_time(figures.seconds)]
    if figures.profile is None:
        parts.append(f"{figures.bytes:,} bytes")
    if figures.nodes_visited is not None:
        parts.append(f"{figures.nodes_visited:,} nodes visited")
        parts.append(f"{figures.candidates:,} candidates refined")
    if figures.index_entries is not None:
        parts.append(f"{figures.index_entries:,} index entries")
    if figures.coefficients is not None:
        parts.append(f"{figures.coefficients:,} coefficients scanned")
    if figures.tensors_total:
        parts.append(f"tensors pruned {figures.tensors_pruned} of {figures.tensors_total}")
    if figures.segments_total:
        parts.append(f"segments pruned {figures.segments_pruned} of {figures.segments_total}")
    if figures.batches_total:
        parts.append(f"batches pruned {figures.batches_pruned} of {figures.batches_total}")
    parts.extend(figures.requests)
    return parts


def shown_time(seconds: float) -> str:
    """A span of time in the unit that suits it."""
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-4 else f"{seconds * 1e6:.1f} µs"
