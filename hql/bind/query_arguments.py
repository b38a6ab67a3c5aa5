"""Functions over a query: `PERPLEXITY('m', (SELECT text FROM t))`, `PREDICT('m', (SELECT …))`.

    scalar   F(m, (query), …)   →   (SELECT F(column of the query, m, …) FROM (query))
    table    F(m, (query), …)   →   (SELECT first column, p1(v), p2(v) …
                                     FROM (SELECT first column, of_row(m, …, other columns) AS v
                                           FROM (query)))

In the scalar form F is an aggregate over the query's only column; the query may refer to what
stands around it. Other arguments are known when the statement starts: constants and variables.
"""

from __future__ import annotations

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.calls import bind_arguments
from hartonomous.hql.bind.columns import columns_of, derive
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.conversions import call, cast, resolved
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.functions.base import Function

_VALUE = "__value"


def bind_scalar(node: ast.FunctionCall, function: Function, scope: Scope) -> plan.Expr:
    """One value of a query's rows."""
    span = scope.span(node)
    query, arguments = _bind(node, function, scope, scope)
    source = derive(query, scope.statement)
    columns = columns_of(source)
    if len(columns) != 1:
        raise fault(
            span,
            f"{function.name} reads a query of one column; this one has {len(columns)}",
            "BIND",
            "name the one column that is meant instead of *",
        )
    place = function.query
    assert place is not None
    given = [*arguments[:place], columns[0], *arguments[place:]]
    function, type_, wanted = resolved(function, given, span, scope.statement.context)
    converted = [cast(a, t) for a, t in zip(given, wanted, strict=True)]
    value = plan.Aggregate(
        type=type_,
        span=span,
        function=function,
        arguments=(converted[place], *converted[:place], *converted[place + 1 :]),
    )
    block = plan.SelectBlock(outputs=(plan.Output(_VALUE, value),), source=source, group_by=())
    made = plan.Plan(fields=(plan.Field(_VALUE, type_),), body=block)
    return plan.ScalarQuery(type=type_, span=span, query=made)


def bind_table(node: ast.FunctionTable, function: Function, scope: Scope, seen: Scope) -> plan.Plan:
    """A row for each row of a query."""
    span = scope.span(node)
    query, arguments = _bind(node.call, function, seen, scope)
    inner = derive(query, scope.statement)
    first, *others = columns_of(inner)
    assert function.of_row is not None
    value = call(function.of_row, [*arguments, *others], span, scope.statement.context)
    with_value = plan.Plan(
        fields=(query.fields[0], plan.Field(_VALUE, value.type)),
        body=plan.SelectBlock(
            outputs=(plan.Output(query.fields[0].name, first), plan.Output(_VALUE, value)),
            source=inner,
        ),
    )
    outer = derive(with_value, scope.statement)
    key, made = columns_of(outer)
    parts = [
        plan.Output(name, call(part, (made,), span) if part is not None else made)
        for name, part in function.parts
    ]
    outputs = (plan.Output(query.fields[0].name, key), *parts)
    fields = (query.fields[0], *[plan.Field(o.name, o.expr.type) for o in parts])
    return plan.Plan(fields=fields, body=plan.SelectBlock(outputs=outputs, source=outer))


def _bind(
    node: ast.FunctionCall, function: Function, seen: Scope, scope: Scope
) -> tuple[plan.Plan, list[plan.Expr]]:
    """The query, and the other arguments in the order of the signature."""
    place, span = function.query, scope.span(node)
    assert place is not None
    nodes = list(node.arguments)
    given = nodes[place] if len(nodes) > place else None
    if not isinstance(given, ast.Subquery):
        names = ", ".join(function.parameters[:place])
        raise fault(
            span if given is None else scope.span(given),
            f"{function.name} reads the rows of a query",
            "ARGUMENTS",
            f"{function.name}({names}, (SELECT … FROM …))",
        )
    query = seen.statement.bind_query(given.query, seen)
    nodes[place] = ast.Literal(None)  # keeps the others in their places
    arguments = bind_arguments(tuple(nodes), function, seen)
    del arguments[place]
    for argument in arguments:
        _known(argument, function, scope)
    return query, arguments


def _known(argument: plan.Expr, function: Function, scope: Scope) -> None:
    from hartonomous.hql.rules.simple import is_known

    if not is_known(argument):
        raise fault(
            argument.span,
            f"{function.name}: what stands beside the query is a constant or a variable",
            "ARGUMENTS",
        )
