"""EXPLAIN: native operators and the relational engine's, in one tree.

The engine says what it will do with a fragment (or, for ANALYZE, what it did); where it reads an
Arrow table, our own scan of it stands, with what the rules told it. Without ANALYZE there are no
estimates, no times and no addresses in the text: the same data, the same lines.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hartonomous.hql.describe import Describer, Tree, describe_plan
from hartonomous.hql.operators.arrow_input import ArrowInput
from hartonomous.hql.operators.base import Execution, Figures, Operator, Source
from hartonomous.hql.operators.fragment import FragmentOperator
from hartonomous.hql.operators.gather import Gather
from hartonomous.hql.operators.scan import ScanOperator

if TYPE_CHECKING:
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
) -> list[str]:
    """The operator tree as lines. `analyze` runs the query, drops its rows, and adds to each
    operator its rows, milliseconds and, for scans, bytes and what zone maps left out."""
    execution = Execution(source, parameters, limits, tables or {})
    if analyze:
        execution.figures = {}
    limits.start()
    started = time.perf_counter()
    try:
        tree = _operator(prepared.operator, prepared, execution, analyze)
    finally:
        execution.close()
    lines = tree.lines()
    if analyze:
        lines.append(f"total {_milliseconds(time.perf_counter() - started)}")
    return lines


def _operator(
    operator: Operator, prepared: PreparedPlan, execution: Execution, analyze: bool
) -> Tree:
    if isinstance(operator, Gather):
        below = _operator(operator.below, prepared, execution, analyze)
        wide = [f.name for f in operator.fields if f.type.is_wide]
        return Tree(f"gather {', '.join(wide)}", [below]) if wide else below
    if isinstance(operator, FragmentOperator):
        return _FragmentTree(operator, execution, analyze).tree()
    return Tree(describe_plan(prepared.plan))


class _FragmentTree:
    """The tree of one fragment."""

    def __init__(self, operator: FragmentOperator, execution: Execution, analyze: bool) -> None:
        self._operator, self._execution, self._analyze = operator, execution, analyze
        self._describer = Describer(operator.plan)
        self._left = list(operator.inputs)
        self._calls: dict[str, str] = {}

    def tree(self) -> Tree:
        operator, execution = self._operator, self._execution
        cursor, bound = operator.open(execution)
        self._calls = {str(bound[c.name]): c.function.name for c in operator.calls}
        with execution.limits.interrupting(cursor.interrupt):
            if self._analyze:
                profile = cursor.analyze(operator.text, bound, plan=operator.plan)
                found = [_strip(n) for n in profile["operator"]]
            else:
                found = cursor.explain(operator.text, bound)
        trees = [t for node in found for t in self._nodes(node)]
        return trees[0] if len(trees) == 1 else Tree("fragment", trees)

    def _nodes(self, node: Mapping[str, Any]) -> list[Tree]:
        """A node of the engine as a tree; its children where it says nothing itself."""
        info = dict(node.get("extra_info") or {})
        below = [t for child in node.get("children", ()) for t in self._nodes(child)]
        if "ARROW_SCAN" in str(info.get("Function", "")):
            return [self._scan(info)]
        name = str(node.get("name") or node.get("type"))
        if name == "PROJECTION" and all(map(_REFERENCE.fullmatch, _texts(info["Projections"]))):
            return below
        details = self._details(info, _columns_below(node))
        text = " ".join([name.lower().replace("_", " "), *details])
        text = text.replace(" by by ", " by ")  # `order by`, `hash group by`
        return [Tree(text + self._measured(node), below)]

    def _details(self, info: Mapping[str, Any], columns: list[str]) -> list[str]:
        details = []
        for key, word in _DETAILS.items():
            text = ", ".join(t for t in _texts(info.get(key)) if t)
            if text:
                text = _resolve(text, columns)
                details.append(word + _CALL.sub(self._name_call, text))
        return details

    def _name_call(self, match: re.Match[str]) -> str:
        return f"{self._calls.get(match[1], '__intern')}("

    def _measured(self, node: Mapping[str, Any]) -> str:
        if not self._analyze:
            return ""
        return _figures(node.get("intermediate_rows", 0), float(node.get("timing", 0.0)))

    # --- scans -----------------------------------------------------------------------------------

    def _scan(self, info: Mapping[str, Any]) -> Tree:
        operator = self._match(_texts(info.get("Projections")))
        if isinstance(operator, ArrowInput):
            text = self._describer.source(operator.source).text
            below: list[Tree] = []
        else:
            text = self._describer.scan(operator.scan)
            below = self._filter(operator)
        figures = (self._execution.figures or {}).get(operator.relation)
        if figures is not None:
            text += _scanned(figures)
        return Tree(text, below)

    def _match(self, columns: list[str]) -> ScanOperator | ArrowInput:
        """The input that has these columns; the engine names the columns only. One that is read
        twice (a common table that the engine wrote out again) stays for the second time."""
        for place, operator in enumerate(self._left):
            if columns and all(c.startswith(f"{operator.label}.") for c in columns):
                return self._left.pop(place)
        for operator in self._operator.inputs:
            if columns and all(c.startswith(f"{operator.label}.") for c in columns):
                return operator
        return self._left.pop(0) if self._left else self._operator.inputs[0]

    def _filter(self, operator: ScanOperator) -> list[Tree]:
        if operator.top is None or operator.top.filter is None:
            return []
        # its figures were overwritten by the scan around it, which has the same relation number
        inner = Execution(
            self._execution.source,
            self._execution.parameters,
            self._execution.limits,
            self._execution.tables,
            figures={} if self._analyze else None,
        )
        try:
            return [_FragmentTree(operator.top.filter, inner, self._analyze).tree()]
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
        return [_resolve(t, below) for t in _texts(info.get("Projections"))]
    return _texts(info.get("Projections")) if "ARROW_SCAN" in str(info.get("Function")) else []


def _resolve(text: str, columns: list[str]) -> str:
    def replace(match: re.Match[str]) -> str:
        place = match[1]
        known = place is not None and int(place) < len(columns)
        return columns[int(place)] if known else match[0]

    return _REFERENCE.sub(replace, text)


def _strip(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A profile without the nodes that only deliver it."""
    while node.get("type") in ("RESULT_COLLECTOR", "EXPLAIN_ANALYZE", "QUERY"):
        node = node["children"][0]
    return node


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _figures(rows: int, seconds: float) -> str:
    return f"  [{rows:,} rows, {_milliseconds(seconds)}]"


def _scanned(figures: Figures) -> str:
    parts = [f"{figures.rows:,} rows", _milliseconds(figures.seconds), f"{figures.bytes:,} bytes"]
    if figures.segments_total:
        parts.append(f"segments pruned {figures.segments_pruned} of {figures.segments_total}")
    if figures.batches_total:
        parts.append(f"batches pruned {figures.batches_pruned} of {figures.batches_total}")
    return f"  [{', '.join(parts)}]"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
