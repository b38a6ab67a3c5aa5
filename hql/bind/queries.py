"""Whole queries: WITH, the body, ORDER BY and LIMIT of a set operation, FOR JSON, OPTION.

`bind_query` is the entry from outside; `bind_inner` is what subqueries, derived tables and common
tables come through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hartonomous.hql import ast, plan
from hartonomous.hql.bind import calls, constants, expressions, subqueries
from hartonomous.hql.bind.columns import cast_plan, columns_of, wrap
from hartonomous.hql.bind.common_tables import bind_common_tables
from hartonomous.hql.bind.context import (
    DEPTH_MAX,
    QUERY_DEPTH,
    BindContext,
    Statement,
    fault,
    too_deep,
)
from hartonomous.hql.bind.conversions import fold_case, implicit
from hartonomous.hql.bind.for_json import check_for_json
from hartonomous.hql.bind.options import bind_limit, bind_options
from hartonomous.hql.bind.ordering import order_by
from hartonomous.hql.bind.scope import Handler, Scope, Visible
from hartonomous.hql.bind.select import BARE, bind_select, output_index
from hartonomous.hql.bind.sets import bind_set, bind_values
from hartonomous.hql.types import JSON
from hartonomous.storage.catalog import fold

HANDLERS: dict[type, Handler] = {
    ast.Literal: constants.bind_literal,
    ast.VectorLiteral: constants.bind_vector,
    ast.Default: expressions.bind_default,
    ast.ColumnName: expressions.bind_column,
    ast.Star: expressions.bind_star,
    ast.Variable: expressions.bind_variable,
    ast.Placeholder: expressions.bind_placeholder,
    ast.Unary: expressions.bind_unary,
    ast.Binary: expressions.bind_binary,
    ast.IsNull: expressions.bind_is_null,
    ast.IsDistinct: expressions.bind_is_distinct,
    ast.Between: expressions.bind_between,
    ast.Like: expressions.bind_like,
    ast.InList: expressions.bind_in_list,
    ast.InQuery: subqueries.bind_in_query,
    ast.Quantified: subqueries.bind_quantified,
    ast.Exists: subqueries.bind_exists,
    ast.Subquery: subqueries.bind_subquery,
    ast.Case: expressions.bind_case,
    ast.Cast: expressions.bind_cast,
    ast.Collate: expressions.bind_collate,
    ast.NamedArgument: expressions.bind_named_argument,
    ast.FunctionCall: calls.bind_call,
    ast.MethodCall: calls.bind_method,
    ast.StaticCall: calls.bind_static,
}


def bind_query(
    query: ast.Query,
    context: BindContext,
    *,
    targets: Sequence[plan.Field] | None = None,
) -> plan.BoundQuery:
    """Bind a statement's query: names resolved, every expression typed, conversions explicit.

    `targets` are the columns that the rows go into (INSERT): the query must have as many, and each
    is converted as an assignment. SELECT … INTO is left to the statement. Raises BindFault,
    NotSupported, ParameterFault or RECURSION, all with line and column.
    """
    statement = Statement(context, HANDLERS, bind_inner)
    scope = Scope(statement)
    body = query.body
    if targets is not None and isinstance(body, ast.Values) and not query.has_clauses:
        bound = bind_values(body, scope, targets)
    else:
        bound = _bind(query, scope, outermost=True)
    if targets is not None:
        bound = _assign(bound, targets, query, statement)
    return plan.BoundQuery(
        plan=bound,
        parameters=tuple(statement.parameters.items()),
        volatile=statement.volatile,
        tables=tuple(statement.tables),
        assignments=_assignments(body, scope),
        of_session=tuple(statement.of_session),
        moments=tuple(statement.moments),
    )


def bind_inner(query: ast.Query, outer: Scope) -> plan.Plan:
    """Bind a query inside a statement; `outer` is what it may see around it."""
    statement = outer.statement
    if statement.depth + QUERY_DEPTH > DEPTH_MAX:
        raise too_deep(outer.span(query))
    statement.depth += QUERY_DEPTH
    try:
        return _bind(query, outer, outermost=False)
    finally:
        statement.depth -= QUERY_DEPTH


def _bind(query: ast.Query, outer: Scope, outermost: bool) -> plan.Plan:
    while isinstance(query.body, ast.Query) and not query.has_clauses:
        query = query.body  # parentheses around a query mean nothing by themselves
    scope = outer
    ctes: tuple[plan.Cte, ...] = ()
    if not outermost:
        _check_inner(query, outer)
    if query.ctes:
        scope, ctes = bind_common_tables(query, outer, bind_inner, _bind_body)
    if isinstance(query.body, ast.Select):
        bound = bind_select(query.body, query, scope)
    else:
        bound = _bind_clauses(query, _bind_body(query.body, scope), scope)
    changes: dict[str, Any] = {}
    if ctes:
        changes["ctes"] = (*ctes, *bound.ctes)
    if query.options:
        changes["options"] = bind_options(query.options, outer)
    if query.for_json is not None:
        check_for_json(query, bound, outer)
        changes["json"] = query.for_json
        changes["fields"] = (plan.Field("json", JSON),)
    return replace(bound, **changes) if changes else bound


def _check_inner(query: ast.Query, outer: Scope) -> None:
    if query.options:
        raise fault(outer.span(query.options[0]), "OPTION goes at the end of the statement", "BIND")
    body = query.body
    if isinstance(body, ast.Select):
        if body.into is not None:
            message = "INTO can only stand in the outermost SELECT"
            raise fault(outer.span(body.into), message, "BIND")
        _check_gives_rows(body, outer)


def _check_gives_rows(select: ast.Select, scope: Scope) -> None:
    for item in select.items:
        if item.assign_to is not None:
            raise fault(scope.span(item), "a subquery cannot assign to a variable", "BIND")


def _bind_body(body: ast.QueryBody, scope: Scope) -> plan.Plan:
    """A query body without clauses of its own."""
    while isinstance(body, ast.Query) and not body.has_clauses:
        body = body.body
    if isinstance(body, ast.Select):
        _check_gives_rows(body, scope)
        return bind_select(body, BARE, scope)
    if isinstance(body, ast.SetOperation):
        return bind_set(body, scope, _bind_body)
    if isinstance(body, ast.Values):
        return bind_values(body, scope)
    return bind_inner(body, scope)


# --- clauses around a set operation, VALUES or a parenthesised query -----------------------------


def _bind_clauses(query: ast.Query, body: plan.Plan, scope: Scope) -> plan.Plan:
    """ORDER BY, LIMIT and OFFSET over a body that is not one SELECT block."""
    if not (query.order_by or query.limit or query.offset):
        return body
    if body.order_by or body.limit or body.offset or body.ctes:
        body = plan.Plan(fields=body.fields, body=body)
    outputs = [plan.Output(f.name, plan.Constant(type=f.type, value=None)) for f in body.fields]
    keys: list[plan.Order] = []
    for item in query.order_by:
        index = output_index(item.expression, outputs, scope)
        if index is None:
            body = wrap(body, scope.statement)
            keys = _order_over(query.order_by, body, scope)
            break
        span = scope.span(item.expression)
        if body.fields[index].nocase:  # sorts by what is compared, not by what is shown
            body = wrap(body, scope.statement)
            keys = _order_over(query.order_by, body, scope)
            break
        column = plan.OutputColumn(type=body.fields[index].type, span=span, index=index)
        keys.append(order_by(item, column))
    limit = bind_limit(query, None, scope)
    return replace(body, order_by=tuple(keys), limit=limit.limit, offset=limit.offset)


def _order_over(items: Sequence[ast.OrderItem], body: plan.Plan, outer: Scope) -> list[plan.Order]:
    """Sort keys that are expressions over a set operation's columns: over the block around it."""
    block = body.body
    assert isinstance(block, plan.SelectBlock) and isinstance(block.source, plan.Derived)
    scope = Scope(outer.statement, outer)
    scope.sources.append(Visible(block.source, names=tuple([f.name for f in body.fields])))
    scope.clause = "ORDER BY"
    columns = columns_of(block.source)
    keys = []
    for item in items:
        index = output_index(item.expression, block.outputs, scope)
        if index is None:
            expr = scope.bind(item.expression)
        else:
            folds = body.fields[index].nocase
            expr = fold_case(columns[index]) if folds else columns[index]
        keys.append(order_by(item, expr))
    if scope.aggregates:
        raise fault(
            outer.span(items[0]), "ORDER BY of a set operation cannot aggregate", "GROUPING"
        )
    return keys


# --- where the rows go ---------------------------------------------------------------------------


def _assignments(body: ast.QueryBody, scope: Scope) -> tuple[str, ...]:
    """The variables of `SELECT @a = 1, @b = 2`, folded; () for a query that gives rows."""
    if not isinstance(body, ast.Select):
        return ()
    targets = [i.assign_to for i in body.items if i.assign_to is not None]
    if targets and len(targets) != len(body.items):
        item = next(i for i in body.items if i.assign_to is None)
        raise fault(
            scope.span(item.expression),
            "a SELECT that assigns to variables gives no rows: assign every column",
            "BIND",
        )
    return tuple([fold(t) for t in targets])


def _assign(
    bound: plan.Plan, targets: Sequence[plan.Field], query: ast.Query, statement: Statement
) -> plan.Plan:
    if len(bound.fields) != len(targets):
        raise fault(
            query.span,
            f"{len(targets)} columns are to be filled, and the query has {len(bound.fields)}",
            "BIND",
            "name the columns: INSERT INTO t (a, b) …",
        )
    for field, target in zip(bound.fields, targets, strict=True):
        probe = plan.Constant(type=field.type, span=query.span, value=None)
        implicit(probe, target.type, f'the value for "{target.name}"')
    return cast_plan(bound, [t.type for t in targets], statement)
