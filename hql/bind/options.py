"""What follows a query: TOP, LIMIT and OFFSET counts, and the hints of OPTION (…)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.context import fault, nearest, not_supported
from hartonomous.hql.bind.conversions import cast
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.bind.walk import columns_of
from hartonomous.hql.types import BIGINT, FLOAT, NVARCHAR

HINTS = ("RECALL", "TIMEOUT", "USE INDEX", "NO INDEX", "MEMORY", "MAXRECURSION")

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?\s*", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB)?\s*", re.IGNORECASE)
_BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


@dataclass(slots=True)
class Limit:
    """How many rows of a query come back."""

    limit: plan.Expr | None = None
    offset: plan.Expr | None = None
    ties: bool = False
    percent: bool = False


def bind_limit(query: ast.Query, top: ast.Top | None, scope: Scope) -> Limit:
    """TOP, or LIMIT and OFFSET/FETCH. `scope` is the scope around the query."""
    if top is None:
        return Limit(
            limit=_count(query.limit, "LIMIT", scope) if query.limit else None,
            offset=_count(query.offset, "OFFSET", scope) if query.offset else None,
        )
    for clause, what in ((query.limit, "LIMIT or FETCH"), (query.offset, "OFFSET")):
        if clause is not None:
            raise fault(
                scope.span(clause),
                f"TOP and {what} exclude each other",
                "BIND",
                "write ORDER BY … OFFSET n ROWS FETCH NEXT m ROWS ONLY without TOP",
            )
    if top.with_ties and not query.order_by:
        raise fault(scope.span(top), "TOP … WITH TIES needs ORDER BY", "BIND")
    limit = _percentage(top.count, scope) if top.percent else _count(top.count, "TOP", scope)
    return Limit(limit=limit, ties=top.with_ties, percent=top.percent)


def _bind_alone(node: ast.Expression, what: str, scope: Scope) -> plan.Expr:
    """An expression that sees no columns."""
    alone = Scope(scope.statement)
    alone.common_tables = scope.common_tables
    alone.clause = what
    expr = alone.bind(node)
    if scope.statement.arguments and any(True for _ in columns_of(expr)):
        message = f"{what} of a function's query that is another number for each row"
        raise not_supported(expr.span, message, "call the function with a constant or a variable")
    return expr


def _count(node: ast.Expression, what: str, scope: Scope) -> plan.Expr:
    expr = _bind_alone(node, what, scope)
    if not (expr.type.is_integer or (expr.type.kind == "DECIMAL" and expr.type.b == 0)):
        raise fault(expr.span, f"{what} takes an integer, and this is {expr.type}", "TYPE_MISMATCH")
    if isinstance(expr, plan.Constant) and expr.value is None:
        raise fault(scope.span(node), "NULL is not a count of rows", "BIND")
    if isinstance(expr, plan.Constant) and expr.value < 0:
        raise fault(expr.span, f"{what} {expr.value}: there is no negative count", "BIND")
    return cast(expr, BIGINT)


def _percentage(node: ast.Expression, scope: Scope) -> plan.Expr:
    expr = _bind_alone(node, "TOP", scope)
    if not expr.type.is_numeric:
        message = f"TOP … PERCENT takes a number, and this is {expr.type}"
        raise fault(expr.span, message, "TYPE_MISMATCH")
    if isinstance(expr, plan.Constant) and expr.value is None:
        raise fault(scope.span(node), "NULL is not a percentage", "BIND")
    if isinstance(expr, plan.Constant) and not 0 <= expr.value <= 100:
        raise fault(expr.span, f"TOP {expr.value} PERCENT: percents are 0 to 100", "BIND")
    return cast(expr, FLOAT)


# --- OPTION --------------------------------------------------------------------------------------


def bind_options(options: Sequence[ast.Option], scope: Scope) -> tuple[tuple[str, Any], ...]:
    """Checked hints: RECALL float in (0, 1], TIMEOUT seconds, MEMORY bytes, USE INDEX name (a
    Constant, with its place), NO INDEX None, MAXRECURSION int. A variable stays a bound
    expression."""
    bound: dict[str, Any] = {}
    for option in options:
        name = _name(option, scope)
        if name in bound:
            raise fault(scope.span(option), f"OPTION says {name} twice", "BIND")
        bound[name] = _value(option, scope)
        if {"NO INDEX", "USE INDEX"} <= bound.keys():
            message = "NO INDEX and USE INDEX exclude each other"
            raise fault(scope.span(option), message, "BIND", "leave one of them out")
    return tuple(bound.items())


def _name(option: ast.Option, scope: Scope) -> str:
    name = " ".join(option.name.upper().split())
    if name not in HINTS:
        hint = nearest(option.name, HINTS) or "hints: " + ", ".join(HINTS)
        raise fault(scope.span(option), f"there is no hint {option.name}", "BIND", hint)
    return name


def _value(option: ast.Option, scope: Scope) -> Any:
    name, value, span = _name(option, scope), option.value, scope.span(option)
    if name == "NO INDEX":
        return None
    if name == "USE INDEX":
        if isinstance(value, ast.Identifier):
            return plan.Constant(value.text, type=NVARCHAR, span=scope.span(value))
        raise fault(span, "USE INDEX takes an index: USE INDEX (ix)", "BIND")
    if not isinstance(value, ast.Expression):
        raise fault(span, f"{name} takes a value", "BIND")
    expr = _bind_alone(value, "OPTION", scope)
    if not isinstance(expr, plan.Constant):
        return expr
    checked = _checked(name, expr.value)
    if checked is None:
        raise fault(expr.span, f"{name} takes {_WANTED[name]}, not {expr.value!r}", "BIND")
    return checked


_WANTED = {
    "RECALL": "a number over 0, at most 1",
    "TIMEOUT": "seconds, or a text like '5s', '200ms', '2m'",
    "MEMORY": "bytes, or a text like '200MB'",
    "MAXRECURSION": "an integer from 0 (no limit) to 32767",
}


def _checked(name: str, value: Any) -> Any:
    is_number = not isinstance(value, (str, bytes, bool)) and value is not None
    if name == "RECALL":
        return float(value) if is_number and 0 < value <= 1 else None
    if name == "MAXRECURSION":
        return value if isinstance(value, int) and 0 <= value <= 32767 else None
    pattern, units, unit = (_DURATION, _SECONDS, "s") if name == "TIMEOUT" else (_SIZE, _BYTES, "B")
    if is_number:
        number = float(value)
    elif isinstance(value, str) and (match := pattern.fullmatch(value)):
        unit = match[2] or unit
        number = float(match[1]) * units[unit.lower() if name == "TIMEOUT" else unit.upper()]
    else:
        return None
    if number <= 0:
        return None
    return number if name == "TIMEOUT" else int(number)
