"""UNION, INTERSECT, EXCEPT, and VALUES: rows from several places in common types by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.columns import cast_plan
from hartonomous.hql.bind.context import DEPTH_MAX, fault, too_deep
from hartonomous.hql.bind.conversions import cast, common_type, implicit, unfold
from hartonomous.hql.bind.folding import set_operation
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.types import Type

BindBody = Callable[[ast.QueryBody, Scope], plan.Plan]


def bind_set(node: ast.SetOperation, scope: Scope, bind_body: BindBody) -> plan.Plan:
    """A set operation; a chain of them is bound from its left end without recursing into it."""
    spine, left = [node], node.left
    while isinstance(left, ast.SetOperation):
        spine.append(left)
        left = left.left
    if len(spine) + scope.statement.depth > DEPTH_MAX:
        raise too_deep(scope.span(node))
    result = bind_body(left, scope)
    for step in reversed(spine):
        result = join_sides(step, result, bind_body(step.right, scope), scope)
    return result


def join_sides(
    node: ast.SetOperation, left: plan.Plan, right: plan.Plan, scope: Scope
) -> plan.Plan:
    """The set operation over two bound sides; names come from the left one."""
    span = scope.span(_first_item(node.right))
    check_count(node.op, left, right, span)
    types = [
        common_type([a.type, b.type], span) for a, b in zip(left.fields, right.fields, strict=True)
    ]
    fields = tuple(
        [
            plan.Field(a.name, t, t.is_string and (a.nocase or b.nocase))
            for a, b, t in zip(left.fields, right.fields, types, strict=True)
        ]
    )
    sides = [cast_plan(side, types, scope.statement) for side in (left, right)]
    return set_operation(node.op, node.all, sides[0], sides[1], fields, scope.statement)


def _first_item(node: ast.Node) -> ast.Node:
    """Where a side of a set operation begins to say what it gives: its first column."""
    while isinstance(node, (ast.Query, ast.SetOperation)):
        node = node.body if isinstance(node, ast.Query) else node.left
    if isinstance(node, ast.Select):
        return node.items[0].expression
    return node


def check_count(op: str, left: plan.Plan, right: plan.Plan, span: ast.Span) -> None:
    if len(left.fields) != len(right.fields):
        raise fault(
            span,
            f"the sides of {op} have {len(left.fields)} and {len(right.fields)} columns",
            "BIND",
            "give both the same number of columns",
        )


def bind_values(
    node: ast.Values, scope: Scope, targets: Sequence[plan.Field] | None = None
) -> plan.Plan:
    """VALUES as a table of columns `column1`, `column2` …; with `targets` (INSERT) each cell is
    converted to its column's type, else all cells of a column to their common type."""
    width = len(node.rows[0])
    rows: list[list[plan.Expr]] = []
    for cells in node.rows:
        if len(cells) != width:
            raise fault(
                scope.span(cells[0]) if cells else scope.span(node),
                f"a row of VALUES has {len(cells)} values, and the first row {width}",
                "BIND",
            )
        rows.append(_bind_cells(cells, scope))
    if targets is not None and len(targets) == width:
        names = [f.name for f in targets]
        types = [f.type for f in targets]
        bound = [
            tuple(
                [
                    implicit(e, f.type, f'the value for "{f.name}"')
                    for e, f in zip(row, targets, strict=True)
                ]
            )
            for row in rows
        ]
    else:
        names = [f"column{i + 1}" for i in range(width)]
        types = [_column_type([row[i] for row in rows], scope, node) for i in range(width)]
        bound = [tuple([cast(e, t) for e, t in zip(row, types, strict=True)]) for row in rows]
    fields = tuple([plan.Field(n, t) for n, t in zip(names, types, strict=True)])
    return plan.Plan(fields=fields, body=plan.ValuesBlock(tuple(bound)))


def _bind_cells(cells: Sequence[ast.Expression], scope: Scope) -> list[plan.Expr]:
    enclosing, scope.clause = scope.clause, "VALUES"  # where no aggregate of this scope may stand
    try:
        return [unfold(scope.bind(cell)) for cell in cells]
    finally:
        scope.clause = enclosing


def _column_type(cells: list[plan.Expr], scope: Scope, node: ast.Values) -> Type:
    return common_type([c.type for c in cells], scope.span(node))
