"""Binding of aggregate calls: whose block they belong to, and where they may stand.

An aggregate belongs to the innermost block that one of its columns comes from (its own block if it
has none), so `(SELECT SUM(t.a) FROM u)` sums over the outer block's `t`.
"""

from __future__ import annotations

from hartonomous.hql import ast, functions, plan
from hartonomous.hql.bind.context import fault, locate
from hartonomous.hql.bind.conversions import cast, constant_of, is_folded, predicate, unfold
from hartonomous.hql.bind.grouping import GROUPING_NAMES
from hartonomous.hql.bind.ordering import bind_order
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.bind.walk import columns_of
from hartonomous.hql.functions.base import Function
from hartonomous.hql.types import Type
from hartonomous.storage.errors import Error

#: clauses in which a block's aggregates may stand
_CLAUSES = ("SELECT", "HAVING", "ORDER BY")


def bind_aggregate(node: ast.FunctionCall, function: Function, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    enclosing, windows_allowed = scope.in_aggregate, scope.windows_allowed
    scope.in_aggregate, scope.windows_allowed = function.name, False
    try:
        function, type_, arguments = bind_call_arguments(node, function, scope)
        order = bind_order(node.within, scope)
        condition = predicate(scope.bind(node.filter), "FILTER") if node.filter else None
    finally:
        scope.in_aggregate, scope.windows_allowed = enclosing, windows_allowed
    aggregate = plan.Aggregate(
        type=type_,
        span=span,
        function=function,
        arguments=arguments,
        distinct=node.distinct,
        filter=condition,
        order_by=order,
    )
    owner = _owner(aggregate, scope)
    if owner.in_aggregate is not None and function.name not in GROUPING_NAMES:
        raise fault(
            span,
            f"{function.name} stands inside {owner.in_aggregate}: aggregates do not nest",
            "GROUPING",
            "aggregate in a derived table first",
        )
    if owner.clause not in _CLAUSES:
        raise fault(
            span,
            f"{function.name} is an aggregate and cannot stand in {owner.clause}",
            "GROUPING",
            "put the condition in HAVING, or the aggregate in a subquery"
            if owner.clause == "WHERE"
            else "put the aggregate in a subquery",
        )
    owner.aggregates += 1
    return aggregate


def _owner(aggregate: plan.Aggregate, scope: Scope) -> Scope:
    relations = {c.relation for c in columns_of(aggregate)}
    if relations:
        for candidate in scope.chain():
            if any(v.relation in relations for v in candidate.sources):
                return candidate
    return scope


def bind_call_arguments(
    node: ast.FunctionCall, function: Function, scope: Scope
) -> tuple[Function, Type, tuple[plan.Expr, ...]]:
    """The result type and the converted arguments of an aggregate or window function, and the
    function itself, of which there may be one for COLLATE NOCASE."""
    span = scope.span(node)
    if len(node.arguments) == 1 and node.arguments[0].__class__ is ast.Star:
        if function.name != "COUNT" or node.distinct:
            what = f"{function.name}(DISTINCT *)" if node.distinct else f"{function.name}(*)"
            raise fault(span, f"{what} means nothing; * is for COUNT(*)", "ARGUMENTS")
        arguments: list[plan.Expr] = []
    else:
        arguments = [scope.bind(a) for a in node.arguments]
        if arguments and is_folded(arguments[0]):
            function = functions.find(f"__NOCASE_{function.name}") or function
        # equality is all that these know of their arguments, so it is the folded one
        if function.name not in GROUPING_NAMES and not (function.name == "COUNT" and node.distinct):
            arguments = [unfold(a) for a in arguments]
    try:
        type_, wanted = function.resolve(
            [a.type for a in arguments], [constant_of(a) for a in arguments]
        )
    except Error as error:
        locate(error, span)
    if function.name in ("MIN", "MAX") and arguments and arguments[0].type.is_wide:
        raise fault(span, f"{function.name}: {arguments[0].type} has no order", "TYPE_MISMATCH")
    return function, type_, tuple([cast(a, t) for a, t in zip(arguments, wanted, strict=True)])
