"""Subqueries in expressions: scalar, EXISTS, IN, ANY and ALL.

A subquery's scope has the scope around it as its parent: names not found inside are correlated.
"""

from __future__ import annotations

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.columns import cast_plan, fold_column
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.conversions import (
    cast,
    common_type,
    fold_case,
    is_folded,
    operator,
    reject_wide,
)
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.types import BIT, INT


def bind_exists(node: ast.Exists, scope: Scope) -> plan.Expr:
    query = scope.statement.bind_query(node.query, scope)
    return plan.Exists(type=BIT, span=scope.span(node), query=query)


def bind_subquery(node: ast.Subquery, scope: Scope) -> plan.Expr:
    query = _one_column(node.query, scope, scope.span(node))
    value = plan.ScalarQuery(type=query.fields[0].type, span=scope.span(node), query=query)
    return fold_case(value) if query.fields[0].nocase else value


def bind_in_query(node: ast.InQuery, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    operand, query = _alike(scope.bind(node.operand), node.query, scope, span)
    return plan.InQuery(type=BIT, span=span, operand=operand, query=query, negated=node.negated)


def bind_quantified(node: ast.Quantified, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    left, query = _alike(scope.bind(node.left), node.query, scope, span)
    if node.op not in ("=", "<>"):
        reject_wide(left, f"{node.op} does not order {left.type}")
    return plan.Quantified(
        type=BIT, span=span, op=node.op, left=left, quantifier=node.quantifier, query=query
    )


def _alike(
    operand: plan.Expr, query: ast.Query, scope: Scope, span: ast.Span
) -> tuple[plan.Expr, plan.Plan]:
    """The operand and the query's only column in one type that `=` knows."""
    bound = _one_column(query, scope, span)
    if is_folded(operand) or bound.fields[0].nocase:
        if operand.type.is_string:
            operand = fold_case(operand)
        bound = fold_column(bound, scope.statement)
    type_ = common_type([operand.type, bound.fields[0].type], span)
    if type_.kind == "NULL":
        type_ = INT
    probe = plan.Constant(type=type_, span=span, value=None)
    operator("=", (probe, probe), span)  # raises for types that cannot be compared
    return cast(operand, type_), cast_plan(bound, [type_], scope.statement)


def _one_column(query: ast.Query, scope: Scope, span: ast.Span) -> plan.Plan:
    bound = scope.statement.bind_query(query, scope)
    if len(bound.fields) != 1:
        raise fault(
            span,
            f"a subquery used as a value has one column; this one has {len(bound.fields)}",
            "BIND",
            "name the one column that is meant instead of *",
        )
    return bound
