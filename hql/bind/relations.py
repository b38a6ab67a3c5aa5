"""FROM: tables, views, common tables, derived tables, functions and joins.

Sources are added to the scope from left to right. An ON clause sees the two sides of its join; the
right side of an APPLY sees everything to its left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hartonomous.hql import ast, functions, plan
from hartonomous.hql.bind import routines, tables
from hartonomous.hql.bind.calls import bind_arguments, unknown_function
from hartonomous.hql.bind.columns import derive, show, unique_fields
from hartonomous.hql.bind.context import DEPTH_MAX, fault, too_deep
from hartonomous.hql.bind.conversions import call, cast, predicate, resolved
from hartonomous.hql.bind.expressions import type_of
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.functions.base import Function

From = plan.Joined | plan.Source


def bind_relation(node: ast.Relation, scope: Scope) -> From:
    """Bind a FROM item and add what it shows to the scope."""
    statement = scope.statement
    if statement.depth >= DEPTH_MAX:
        raise too_deep(scope.span(node))
    statement.depth += 1
    try:
        return _RELATIONS[node.__class__](node, scope)
    finally:
        statement.depth -= 1


# --- joins ---------------------------------------------------------------------------------------


def _bind_join(node: ast.Join, scope: Scope) -> From:
    """A join tree, from its left end outwards, without recursing into it."""
    spine: list[ast.Join] = [node]
    left = node.left
    while isinstance(left, ast.Join):
        spine.append(left)
        left = left.left
    if len(spine) + scope.statement.depth > DEPTH_MAX:
        raise too_deep(scope.span(node))
    mark = len(scope.sources)
    result = bind_relation(left, scope)
    for join in reversed(spine):
        result = _join(join, result, mark, scope)
    return result


def _join(join: ast.Join, left: From, mark: int, scope: Scope) -> From:
    if join.kind in ("CROSS APPLY", "OUTER APPLY"):
        right = _bind_lateral(join.right, scope)
        kind = "CROSS" if join.kind == "CROSS APPLY" else "LEFT"
        return plan.Joined(kind=kind, left=left, right=right)
    right = bind_relation(join.right, scope)
    if join.on is None:
        if join.kind != "CROSS":
            raise fault(
                scope.span(join), f"a {join.kind} join needs ON", "BIND", "… JOIN t ON a.x = t.x"
            )
        return plan.Joined(kind="CROSS", left=left, right=right)
    seen = scope.tail(mark)
    clause, seen.clause = seen.clause, "ON"
    on = predicate(seen.bind(join.on), "ON")
    seen.clause = clause
    return plan.Joined(kind=join.kind, left=left, right=right, on=on)


def _bind_lateral(node: ast.Relation, scope: Scope) -> From:
    """The right side of an APPLY: a query or a function that sees what stands left of it."""
    if isinstance(node, ast.Derived):
        return _bind_derived(node, scope, scope, lateral=True)
    if isinstance(node, ast.FunctionTable):
        return _bind_function(node, scope, scope, lateral=True)
    return bind_relation(node, scope)


# --- derived tables ------------------------------------------------------------------------------


def surroundings(scope: Scope) -> Scope:
    """What a query in FROM may see: outer blocks and common tables, not its neighbours."""
    outer = Scope(scope.statement, scope.parent)
    outer.common_tables = scope.common_tables
    return outer


def _bind_derived(
    node: ast.Derived, scope: Scope, outer: Scope | None = None, lateral: bool = False
) -> From:
    query = scope.statement.bind_query(node.query, outer or surroundings(scope))
    alias = node.alias.text if node.alias else ""
    source = derive(query, scope.statement, alias, lateral=lateral)
    show(source, [f.name for f in query.fields], node, scope)
    return source


# --- functions -----------------------------------------------------------------------------------


def _bind_function(
    node: ast.FunctionTable, scope: Scope, outer: Scope | None = None, lateral: bool = False
) -> From:
    span, name = scope.span(node), node.call.name.last
    routine = routines.find_function(node.call.name, scope)
    if routine is not None:
        seen = outer or surroundings(scope)
        source, shown = routines.bind_table(node, routine, scope, seen, lateral)
        show(source, shown, node, scope)
        return source
    function = functions.find(name)
    if function is None:
        raise unknown_function(name, span, scope)
    if function.kind != "table":
        raise fault(span, f"{function.name} gives a value, not a table", "BIND")
    scope.statement.volatile |= function.volatile
    seen = outer or surroundings(scope)
    if function.query is not None:
        return _bind_over_query(node, function, scope, seen, lateral)
    clause, seen.clause = seen.clause, "FROM"
    arguments = bind_arguments(node.call.arguments, function, seen)
    seen.clause = clause
    context = scope.statement.context
    function, type_, wanted = resolved(function, arguments, span, context)
    if function.of_row is not None:
        of_row = call(function.of_row, arguments, span, context)
        arguments, wanted = [of_row], (of_row.type,)
    names, types = _function_columns(node, function, scope)
    if len(types) == 1 and not node.schema and type_.kind != "NULL":
        types = [type_]  # a function of one column gives values of its result type
    source = plan.TableFunction(
        relation=scope.statement.next_relation(),
        alias=node.alias.text if node.alias else name,
        fields=unique_fields(names, types),
        function=function,
        arguments=tuple([cast(a, t) for a, t in zip(arguments, wanted, strict=True)]),
        lateral=lateral,
        schema=tuple(
            [(c.text, t, path) for (c, _, path), t in zip(node.schema, types, strict=True)]
        )
        if node.schema
        else (),
    )
    show(source, names, node, scope)
    return source


def _bind_over_query(
    node: ast.FunctionTable, function: Function, scope: Scope, seen: Scope, lateral: bool
) -> From:
    from hartonomous.hql.bind.query_arguments import bind_table

    if node.schema:
        raise fault(scope.span(node), f"{function.name} takes no WITH list", "BIND")
    made = bind_table(node, function, scope, seen)
    alias = node.alias.text if node.alias else function.name
    source = derive(made, scope.statement, alias, lateral=lateral)
    show(source, [f.name for f in made.fields], node, scope)
    return source


def _function_columns(
    node: ast.FunctionTable, function: Function, scope: Scope
) -> tuple[list[str], list[Any]]:
    if not node.schema:
        return [n for n, _ in function.columns], [t for _, t in function.columns]
    if function.name != "OPENJSON":
        raise fault(scope.span(node), f"{function.name} takes no WITH list", "BIND")
    types = [type_of(t, scope.span(c), scope) for c, t, _ in node.schema]
    for (column, _, _), type_ in zip(node.schema, types, strict=True):
        if type_.is_wide:
            raise fault(
                scope.span(column),
                f"OPENJSON gives no {type_.kind}",
                "TYPE_MISMATCH",
                "read it as NVARCHAR(MAX) and CAST that",
            )
    return [c.text for c, _, _ in node.schema], types


def _bind_table_name(node: ast.TableName, scope: Scope) -> From:
    return tables.bind_table_name(node, scope)


def _bind_variable_table(node: ast.VariableTable, scope: Scope) -> From:
    return tables.bind_variable_table(node, scope)


_RELATIONS: dict[type, Callable[[Any, Scope], From]] = {
    ast.TableName: _bind_table_name,
    ast.VariableTable: _bind_variable_table,
    ast.Derived: _bind_derived,
    ast.FunctionTable: _bind_function,
    ast.Join: _bind_join,
}
