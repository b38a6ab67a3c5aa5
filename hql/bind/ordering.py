"""Sort keys: what has an order, and where NULLs go."""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.conversions import reject_wide
from hartonomous.hql.bind.scope import Scope


def bind_order(items: Sequence[ast.OrderItem], scope: Scope) -> tuple[plan.Order, ...]:
    """Sort keys over the scope's columns: of a window, or of WITHIN GROUP."""
    return tuple([order_by(item, scope.bind(item.expression)) for item in items])


def order_by(item: ast.OrderItem, expr: plan.Expr) -> plan.Order:
    """A sort key. NULLs are lowest unless the text says otherwise."""
    reject_wide(expr, f"{expr.type} has no order")
    nulls_first = not item.descending if item.nulls is None else item.nulls == "FIRST"
    return plan.Order(expr=expr, descending=item.descending, nulls_first=nulls_first)
