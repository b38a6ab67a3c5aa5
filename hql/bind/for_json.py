"""FOR JSON PATH: the names of its columns are paths, and no two may mean the same place."""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.hql import ast, plan
from hartonomous.hql.bind.context import fault, not_supported
from hartonomous.hql.bind.scope import Scope


def check_for_json(query: ast.Query, bound: plan.Plan, scope: Scope) -> None:
    """Raises NotSupported for AUTO, BIND at the name of a column that another one rules out."""
    assert query.for_json is not None
    if query.for_json.mode == "AUTO":
        raise not_supported(
            scope.span(query.for_json),
            "FOR JSON AUTO",
            "FOR JSON PATH, with the shape in the column names",
        )
    names = [f.name for f in bound.fields]
    index = _find_clash(names)
    if index is not None:
        raise fault(
            _place(query, bound, index, scope),
            f'FOR JSON: "{names[index]}" is said twice, or is a value and an object at once',
            "BIND",
            "give the columns different names with AS",
        )


def _find_clash(names: Sequence[str]) -> int | None:
    """The first name that is a value where one before it is a value or an object, or an object
    where one before it is a value: `a` after `a` or `a.b`, `a.b` after `a`."""
    values: set[str] = set()
    objects: set[str] = set()
    for index, name in enumerate(names):
        steps = name.split(".")
        around = {".".join(steps[:i]) for i in range(1, len(steps))}
        if name in values or name in objects or around & values:
            return index
        values.add(name)
        objects |= around
    return None


def _place(query: ast.Query, bound: plan.Plan, index: int, scope: Scope) -> ast.Span:
    """Where a column of the result is named: its alias, its expression or the star it is part of,
    in the first SELECT."""
    body: ast.Node = query.body
    while isinstance(body, (ast.Query, ast.SetOperation)):
        body = body.body if isinstance(body, ast.Query) else body.left
    assert isinstance(body, ast.Select), body  # VALUES names its columns itself
    if len(body.items) == len(bound.fields):
        item = body.items[index]
        return scope.span(item.alias or item.expression)
    span = _output_span(bound, index)
    for item in body.items:
        if item.alias is not None and scope.span(item.expression) == span:
            return scope.span(item.alias)
    return scope.span(query.for_json) if span == ast.NOWHERE and query.for_json else span


def _output_span(bound: plan.Plan, index: int) -> ast.Span:
    inner: object = bound
    while isinstance(inner, (plan.Plan, plan.SetBlock)):
        inner = inner.body if isinstance(inner, plan.Plan) else inner.left
    return inner.outputs[index].expr.span if isinstance(inner, plan.SelectBlock) else ast.NOWHERE
