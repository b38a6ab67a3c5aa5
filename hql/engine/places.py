"""Where in the text an error of the relational engine comes from.

The engine's own errors (overflow in an addition, division by zero, a bad cast) carry no place. The
plan knows where every operator stands; if only one of the kind that failed occurs, that is it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from hartonomous.hql import plan
from hartonomous.hql.ast import NOWHERE, Span
from hartonomous.storage.errors import Error

#: kinds of places: what an engine error is known to come from
CAST = "CAST"
SUBQUERY = "SUBQUERY"


def locate(error: Error, root: Any) -> Error:
    """`error` with line and column, if it has `site`s and the plan has one place of these kinds
    only; a site is a function's or operator's name, SUBQUERY, CAST, or `CAST INT`:
    one to that type."""
    sites = getattr(error, "site", ())
    if not sites or root is None or error.line is not None:
        return error
    spans = {span for span in _spans(root, sites) if span is not NOWHERE}
    if len(spans) == 1:
        span = spans.pop()
        error.line, error.column = span.line, span.column
    return error


def _spans(node: Any, sites: tuple[str, ...]) -> Iterator[Span]:
    """The places of all expressions under `node` that are of one of the kinds."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, plan.Expr) and _is_site(current, sites):
            yield current.span
        if isinstance(current, tuple):
            stack.extend(current)
        elif is_dataclass(current) and type(current).__module__ == plan.__name__:
            stack.extend(getattr(current, f.name) for f in fields(current))


def _is_site(expr: plan.Expr, sites: tuple[str, ...]) -> bool:
    match expr:
        case plan.Call() | plan.Aggregate() | plan.Window():
            return expr.function.name in sites
        case plan.Cast():
            return CAST in sites or f"{CAST} {expr.type}" in sites
        case plan.ScalarQuery():
            return SUBQUERY in sites
    return False
