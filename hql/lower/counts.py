"""Row counts of TOP, LIMIT and OFFSET, and percentages: what is checked, and when.

A count that is made of constants and parameters alone is known when the statement starts, and is
checked before its text runs. Any other one (a text as a number, a subquery) checks itself in the
text.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hartonomous.hql import plan as p
from hartonomous.hql.functions.resolve import quote
from hartonomous.hql.operators.fragment import Count
from hartonomous.hql.rules.simple import is_simple, value_of
from hartonomous.hql.rules.tree import walk
from hartonomous.hql.scripts.quick import Quick, compile_expression


def counts(plan: p.Plan) -> Iterator[Count]:
    """Every count that can be checked before the text runs."""
    for node in walk(plan):
        if isinstance(node, p.Plan):
            for expr, is_percent in ((node.limit, node.limit_percent), (node.offset, False)):
                # constants were checked by the binder
                if expr is None or isinstance(expr, p.Constant):
                    continue
                value = _quick(expr)
                if value is not None:
                    yield Count(expr, value, is_percent)


def _quick(expr: p.Expr) -> Quick | None:
    if is_simple(expr):
        return partial(value_of, expr)
    return compile_expression(expr)


def checked_sql(sql: str, expr: p.Expr, is_percent: bool = False) -> str:
    """The count whose SQL is given; BAD_VALUE where it is none, if that is not checked before. The
    error is a text that is no number, and not error(), for which the engine does not see that it
    knows the count beforehand: it would sort all rows, and refuse correlated queries."""
    if _quick(expr) is not None:
        return sql
    if not all(_is_foldable(node) for node in walk(expr)):
        return f"(SELECT {_checked('n', expr, is_percent)} FROM (SELECT {sql} AS n))"
    return _checked(sql, expr, is_percent)


def _checked(sql: str, expr: p.Expr, is_percent: bool) -> str:
    test = f"{sql} BETWEEN 0 AND 100" if is_percent else f"{sql} >= 0"
    mark = quote(f"HQL:BAD_VALUE:{expr.span.line}:{expr.span.column}:")
    what = quote(f" is not {Count.what(is_percent)}\n\n")  # where relational_errors.py cuts
    wrong = f"{mark} || coalesce(CAST({sql} AS VARCHAR), 'NULL') || {what}"
    text = f"CASE WHEN {test} THEN CAST({sql} AS VARCHAR) ELSE {wrong} END"
    return f"CAST({text} AS {expr.type.relational})"


def _is_foldable(node: object) -> bool:
    """Whether the engine computes it once, when it plans, and as often as it is written."""
    if isinstance(node, p.Call):
        return not node.function.volatile and node.function.kernel is None
    return isinstance(node, (p.Constant, p.Parameter, p.Cast, p.Case))
