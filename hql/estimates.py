"""How many rows the operators of a fragment were expected to give: what EXPLAIN ANALYZE shows
beside how many came.

The engine's plan is looked at as it comes, from the leaves: a scan gives what its ranges let
through by the table's statistics, a filter above it the same, a join |L| * |R| / max(values of the
keys on each side) for each equality (Selinger et al., "Access path selection in a relational
database management system", SIGMOD 1979), grouping as many rows as its keys have values. Nothing is
said of what is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hartonomous.hql.models.relations.tables import view_of
from hartonomous.hql.operators.base import Execution
from hartonomous.hql.operators.expected import expected_rows, statistics_for
from hartonomous.hql.operators.fragment import FragmentOperator
from hartonomous.hql.operators.scan import ScanOperator

_CAST = re.compile(r"^(?:TRY_)?CAST\((.*) AS [^()]+(?:\([^()]*\))?\)$", re.IGNORECASE)
_SAME: Final = frozenset({"PROJECTION", "ORDER_BY", "WINDOW", "STREAMING_WINDOW"})
_FIRST: Final = frozenset({"TOP_N", "LIMIT", "STREAMING_LIMIT"})


class Estimates:
    """For one fragment. Rows are None where nothing is known."""

    def __init__(self, operator: FragmentOperator, execution: Execution) -> None:
        self._execution = execution
        self._columns: dict[str, tuple[ScanOperator, str]] = {}
        for source in operator.inputs:
            if isinstance(source, ScanOperator):
                for field in source.scan.fields:
                    self._columns[f"{source.label}.{field.name}"] = source, field.name

    def scan(self, operator: ScanOperator) -> float | None:
        """Of a scan, without those of its rows that do not lie in its ranges; nothing is known of
        ties."""
        scan = operator.scan
        if scan.first is not None and scan.first.ties:
            return None
        view = view_of(scan.table, self._execution.at(scan.moment))
        return expected_rows(scan, view, self._execution)

    def node(
        self,
        kind: str,
        info: Mapping[str, Any],
        below: Sequence[float | None],
        scans: Sequence[ScanOperator | None],
    ) -> float | None:
        """Of one of the engine's operators, by those below it and, where one of these is a scan,
        that scan. References are resolved in `info`."""
        if kind == "UNGROUPED_AGGREGATE":
            return 1.0
        if not below or any(rows is None for rows in below):
            return None
        rows = [r for r in below if r is not None]
        if kind in _SAME:
            return rows[0]
        if kind in _FIRST:
            counts = [int(t) for t in texts_of(info.get("Top") or info.get("Limit")) if t.isdigit()]
            return min([rows[0], *map(float, counts)]) if counts else None
        if kind == "FILTER":
            scan = scans[0]
            known = scan is not None and bool(scan.scan.ranges or scan.scan.lookup)
            return rows[0] if known else None
        if kind == "HASH_JOIN":
            return self._join(info, rows[0], rows[1])
        if kind in ("HASH_GROUP_BY", "PERFECT_HASH_GROUP_BY"):
            return self._groups(info, rows[0])
        return None

    def _join(self, info: Mapping[str, Any], left: float, right: float) -> float | None:
        share = 1.0
        for text in texts_of(info.get("Conditions")):
            one, _, other = text.partition(" = ")
            known = self._values(one), self._values(other)
            if known[0] is None or known[1] is None:
                return None
            share = min(share, 1.0 / max(1.0, known[0][0], known[1][0]))
        inner = left * right * share
        match str(info.get("Join Type")):
            case "INNER":
                return inner
            case "LEFT":
                return max(inner, left)
            case "RIGHT":
                return max(inner, right)
            case "FULL" | "OUTER":
                return max(inner, left, right)
            case "SEMI":
                return min(left, inner)
            case "RIGHT_SEMI":
                return min(right, inner)
            case "MARK" | "SINGLE":
                return left
        return None

    def _groups(self, info: Mapping[str, Any], rows: float) -> float | None:
        found = 1.0
        for text in texts_of(info.get("Groups")):
            values = self._values(text)
            if values is None:
                return None
            found *= sum(values)
        return min(found, rows)

    def _values(self, text: str) -> tuple[float, float] | None:
        """How many different values a column of a stored table has, and 1 if it has NULLs."""
        text = text.strip()
        while match := _CAST.match(text):
            text = match[1].strip()
        found = self._columns.get(text.replace('"', ""))
        if found is None:
            return None
        operator, name = found
        view = view_of(operator.scan.table, self._execution.at(operator.scan.moment))
        statistics = statistics_for(view, self._execution)
        if statistics is None:
            return None
        known = statistics.column(view.column(name), view)
        return (known.distinct, float(known.nulls > 0.0)) if known.low is not None else None


def texts_of(value: Any) -> list[str]:
    """What the engine says under one name."""
    if value is None:
        return []
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]
