"""One SELECT block: FROM, WHERE, GROUP BY, select list, HAVING, ORDER BY, TOP.

Clauses are bound in the order in which they take effect. Select aliases are seen by ORDER BY only:
a bare name there is an output first, then a column; inside an expression a column first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.columns import output_name
from hartonomous.hql.bind.context import fault
from hartonomous.hql.bind.conversions import is_folded, predicate, unfold
from hartonomous.hql.bind.folding import group_alike
from hartonomous.hql.bind.grouping import GroupCheck, bind_group_by
from hartonomous.hql.bind.options import bind_limit
from hartonomous.hql.bind.ordering import order_by
from hartonomous.hql.bind.relations import bind_relation
from hartonomous.hql.bind.scope import Scope
from hartonomous.storage.catalog import fold

#: a Query without clauses, for a SELECT that is one side of a set operation
BARE = ast.Query(body=ast.Values(rows=()))


def bind_select(node: ast.Select, query: ast.Query, outer: Scope) -> plan.Plan:
    """The block with the clauses of `query` that belong to it: ORDER BY, LIMIT, OFFSET."""
    scope = Scope(outer.statement, outer)
    source = None
    if node.source is not None:
        scope.clause = "FROM"
        source = bind_relation(node.source, scope)
    scope.aliases = frozenset([fold(i.alias.text) for i in node.items if i.alias is not None])
    where = None
    if node.where is not None:
        scope.clause = "WHERE"
        where = predicate(scope.bind(node.where), "WHERE")
    groups, sets = None, None
    if node.group_by:
        scope.clause = "GROUP BY"
        groups, sets = bind_group_by(node.group_by, scope)
    having = None
    if node.having is not None:
        scope.clause = "HAVING"
        having = predicate(scope.bind(node.having), "HAVING")
    scope.clause, scope.windows_allowed = "SELECT", True
    outputs = _bind_items(node, scope)
    scope.clause = "ORDER BY"
    order = _bind_order(query.order_by, outputs, scope)
    folded = [is_folded(o.expr) for o in outputs]
    places = _check_distinct(order, outputs) if node.distinct else []
    if groups is None and (scope.aggregates or having is not None):
        groups = ()
    if groups is not None:
        check = GroupCheck(groups, sets, scope)
        outputs = [plan.Output(o.name, check.checked(unfold(o.expr))) for o in outputs]
        order = tuple([replace(o, expr=check.checked(o.expr)) for o in order])
        having = check.checked(having) if having is not None else None
    elif any(folded):
        # shown values keep their case; only comparisons fold it
        outputs = [plan.Output(o.name, unfold(o.expr)) for o in outputs]
    block = plan.SelectBlock(
        outputs=tuple(outputs),
        source=source,
        where=where,
        group_by=groups,
        grouping_sets=sets,
        having=having,
        distinct=node.distinct,
    )
    fields = [plan.Field(o.name, o.expr.type, f) for o, f in zip(outputs, folded, strict=True)]
    if node.distinct and any(folded):
        block, order = _distinct_folded(block, tuple(fields), order, places, scope)
    limit = bind_limit(query, node.top, outer)
    return plan.Plan(
        fields=tuple(fields),
        body=block,
        order_by=order,
        limit=limit.limit,
        offset=limit.offset,
        limit_ties=limit.ties,
        limit_percent=limit.percent,
    )


def _distinct_folded(
    block: plan.SelectBlock,
    fields: tuple[plan.Field, ...],
    order: tuple[plan.Order, ...],
    places: list[int],
    scope: Scope,
) -> tuple[plan.SelectBlock, tuple[plan.Order, ...]]:
    """DISTINCT where some columns compare without case, as a grouping around the block: of values
    that differ in case only one is shown. `places` are the columns that the sort keys name."""
    inner = plan.Plan(fields=fields, body=replace(block, distinct=False))
    around = group_alike(inner, scope.statement)
    assert around.group_by is not None
    sorted_by = [replace(o, expr=around.group_by[i]) for o, i in zip(order, places, strict=True)]
    return around, tuple(sorted_by)


# --- select list ---------------------------------------------------------------------------------


def _bind_items(node: ast.Select, scope: Scope) -> list[plan.Output]:
    outputs: list[plan.Output] = []
    for item in node.items:
        expression = item.expression
        if expression.__class__ is ast.Star:
            outputs.extend(_expand_star(expression, scope))
            continue
        expr = scope.bind(expression)
        column = unfold(expr)
        if item.alias is not None:
            name = item.alias.text
        elif isinstance(column, plan.Column) and expression.__class__ is ast.ColumnName:
            name = _shown_name(column, expression, scope)
        else:
            name = output_name(expression, len(outputs) + 1)
        outputs.append(plan.Output(name, expr))
    return outputs


def _shown_name(column: plan.Column, node: ast.ColumnName, scope: Scope) -> str:
    """A column's name as it was first written, not as this query writes it."""
    for enclosing in scope.chain():
        for visible in enclosing.sources:
            if visible.relation == column.relation:
                return next((n for n, f in visible.shown() if f.name == column.name), column.name)
    return node.parts[-1].text


def _expand_star(star: ast.Star, scope: Scope) -> list[plan.Output]:
    span = scope.span(star)
    if not scope.sources:
        raise fault(span, "SELECT * needs FROM", "BIND")
    sources = scope.sources
    if star.qualifier:
        sources = scope.find_sources(star.qualifier)
        if not sources:
            raise scope.unknown_column((*star.qualifier, ast.Identifier(text="*")), span)
        if len(sources) > 1:
            name = star.qualifier[-1].text
            raise fault(span, f'"{name}" names two tables of this FROM clause', "AMBIGUOUS")
    return [
        plan.Output(name, visible.value(field, span))
        for visible in sources
        for name, field in visible.shown()
    ]


# --- ORDER BY ------------------------------------------------------------------------------------


def _bind_order(
    items: Sequence[ast.OrderItem], outputs: Sequence[plan.Output], scope: Scope
) -> tuple[plan.Order, ...]:
    if not items:
        return ()
    aliases: dict[str, plan.Expr] = {}
    for output in outputs:
        aliases.setdefault(fold(output.name), output.expr)
    scope.outputs = aliases
    keys = []
    for item in items:
        key = order_by(item, _bind_key(item.expression, outputs, scope))
        if key.expr.__class__ is not plan.Constant:  # the same for all rows: sorts nothing
            keys.append(key)
    scope.outputs = None
    return tuple(keys)


def _bind_key(node: ast.Expression, outputs: Sequence[plan.Output], scope: Scope) -> plan.Expr:
    index = output_index(node, outputs, scope)
    if index is None:
        expr = scope.bind(node)
        index = next((i for i, o in enumerate(outputs) if o.expr == expr), None)
        if index is None:
            return expr
    if is_folded(outputs[index].expr):  # sorts by what is compared, not by what is shown
        return outputs[index].expr
    return plan.OutputColumn(type=outputs[index].expr.type, span=scope.span(node), index=index)


def output_index(node: ast.Expression, outputs: Sequence[plan.Output], scope: Scope) -> int | None:
    """The output that a sort key names: by its 1-based number, or by its name alone."""
    span = scope.span(node)
    if isinstance(node, ast.Literal) and node.kind == "INTEGER":
        assert isinstance(node.value, int)
        if not 1 <= node.value <= len(outputs):
            raise fault(
                span,
                f"ORDER BY {node.value}: there are {len(outputs)} columns, counted from 1",
                "UNKNOWN_COLUMN",
            )
        return node.value - 1
    if not isinstance(node, ast.ColumnName) or len(node.parts) != 1:
        return None
    name = fold(node.parts[0].text)
    found = [i for i, o in enumerate(outputs) if fold(o.name) == name]
    if not found:
        return None
    if any(outputs[i].expr != outputs[found[0]].expr for i in found[1:]):
        raise fault(
            span,
            f'the select list has more than one column "{node.parts[0].text}"',
            "AMBIGUOUS",
            "order by its number, or give the columns different names",
        )
    return found[0]


def _check_distinct(order: tuple[plan.Order, ...], outputs: Sequence[plan.Output]) -> list[int]:
    """The outputs that the sort keys name; they may name nothing else."""
    shown = [o.expr for o in outputs]
    places = []
    for key in order:
        if isinstance(key.expr, plan.OutputColumn):
            places.append(key.expr.index)
        elif key.expr in shown:
            places.append(shown.index(key.expr))
        else:
            raise fault(
                key.expr.span,
                "with DISTINCT, ORDER BY can only use what is in the select list",
                "BIND",
                "put the expression into the select list too",
            )
    return places
