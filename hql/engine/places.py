"""Where in the text an error of the relational engine comes from.

The engine's own errors (overflow in an addition, division by zero, a bad cast) carry no place. The
plan knows where every operator stands; if only one of the kind that failed occurs, that is it. Of
several casts those of other constants than the refused one cannot be meant.
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

#: the classes of plans, below which there may be expressions
_NODES = frozenset(kind for kind in vars(plan).values() if is_dataclass(kind))


def locate(error: Error, root: Any) -> Error:
    """`error` with line and column, if it has `site`s and the plan has one place of these kinds
    only; a site is a function's or operator's name, SUBQUERY, CAST, or `CAST INT`:
    one to that type."""
    sites = getattr(error, "site", ())
    if not sites or root is None or error.line is not None:
        return error
    found = [e for e in _expressions(root, sites) if e.span is not NOWHERE]
    spans = {e.span for e in found}
    if len(spans) > 1:
        spans = _narrowed(found, error)
    if len(spans) == 1:
        span = spans.pop()
        error.line, error.column = span.line, span.column
    return error


def _narrowed(found: list[plan.Expr], error: Error) -> set[Span]:
    """Of several places the first constant that is the refused value (it can only fail), or those
    where the value is not known before."""
    refused = getattr(error, "refused", None)
    casts = [e for e in found if isinstance(e, plan.Cast)]
    if refused is None or len(casts) < len(found):
        return set()
    if error.code == "BAD_CAST":  # of a text or bytes, then
        casts = [c for c in casts if c.operand.type.kind in ("NVARCHAR", "JSON", "VARBINARY")]
    constants = [
        c.span for c in casts if isinstance(c.operand, plan.Constant) and _is(c.operand, refused)
    ]
    if constants:
        return {min(constants, key=lambda s: (s.line, s.column))}
    return {c.span for c in casts if not isinstance(c.operand, plan.Constant)}


def _is(constant: plan.Constant, text: str) -> bool:
    """Whether a message that says `text` means this value."""
    if isinstance(constant.value, str):
        return constant.value == text
    try:
        return float(constant.value) == float(text)
    except (TypeError, ValueError):
        return False


def _expressions(node: Any, sites: tuple[str, ...]) -> Iterator[plan.Expr]:
    """All expressions under `node` that are of one of the kinds."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, plan.Expr) and _is_site(current, sites):
            yield current
        if isinstance(current, plan.TableFunction) and current.function.name in sites:
            yield current.arguments[0]
        if isinstance(current, tuple):
            stack.extend(current)
        elif type(current) in _NODES:
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
