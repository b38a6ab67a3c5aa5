"""Binding of calls: functions, methods, static methods, named arguments.

`a.b.f(x)` is a method call if `a.b` is a column, else a call of a function of schema `a`. What a
call means depends on the function's kind: scalar here, aggregates and windows in their own files.
"""

from __future__ import annotations

from hartonomous.hql import ast, functions, plan
from hartonomous.hql.bind import aggregates, routines, windows
from hartonomous.hql.bind.context import fault, nearest, too_deep
from hartonomous.hql.bind.conversions import call, compare, predicate, unfold
from hartonomous.hql.bind.expressions import bind_chain, make_case, session_value
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.functions.base import Function
from hartonomous.hql.types import NULL, NVARCHAR
from hartonomous.storage.catalog import fold

#: parameters that take a bare word: `day` in DATEADD(day, …), `OBJECT` in ISJSON(j, OBJECT)
_WORDS = frozenset(("datepart", "json_kind"))

#: NULLIF inside NULLIF; each doubles the text below it
NULLIF_DEPTH_MAX = 8


def bind_call(node: ast.FunctionCall, scope: Scope) -> plan.Expr:
    parts = node.name.parts
    span = scope.span(node)
    if len(parts) > 1:
        target = _method_target(parts[:-1], span, scope)
        if target is not None:
            return _bind_method(target, parts[-1], node.arguments, node, scope)
    name = parts[-1].text
    if len(parts) == 1 and name.upper() == "IIF":
        return _bind_iif(node, scope)
    routine = routines.find_function(node.name, scope)
    if routine is not None:
        return routines.bind_scalar(node, routine, scope)
    function = find_function(node.name, span, scope)
    scope.statement.volatile |= function.volatile
    if node.over is not None:
        return windows.bind_window(node, function, scope)
    if function.kind == "aggregate":
        return aggregates.bind_aggregate(node, function, scope)
    _only_scalar(node, function, span)
    if function.query is not None:
        from hartonomous.hql.bind.query_arguments import bind_scalar

        return bind_scalar(node, function, scope)
    if len(node.arguments) == 1 and node.arguments[0].__class__ is ast.Star:
        raise fault(span, f"{function.name}(*) means nothing; * is for COUNT(*)", "ARGUMENTS")
    if function.name == "NULLIF":
        return _bind_nullif(function, (), node.arguments, span, scope)
    arguments = bind_arguments(node.arguments, function, scope)
    bound = call(function, arguments, span, scope.statement.context)
    if function.of_session is not None:
        return session_value(function.of_session, span, scope)
    return bound


def _method_target(
    leading: tuple[ast.Identifier, ...], span: ast.Span, scope: Scope
) -> plan.Expr | None:
    column = scope.find_column(leading, span)
    if column is not None:
        return column
    return bind_chain(leading, span, scope) if len(leading) > 1 else None


def find_function(name: ast.ObjectName, span: ast.Span, scope: Scope) -> Function:
    """The registry's function of that name; `dbo.` and the default schema may be written."""
    text = name.last
    if len(name.parts) > 1:
        schema = fold(name.parts[-2].text)
        if len(name.parts) > 2 or schema not in ("dbo", fold(scope.statement.context.schema)):
            full = ".".join(p.text for p in name.parts)
            known = [v.alias for s in scope.chain() for v in s.sources]
            hint, own = nearest(name.parts[-2].text, known), routines.names(scope)
            raise fault(
                span,
                f'there is no function "{full}", and no column "{full.rpartition(".")[0]}"',
                "UNKNOWN_FUNCTION",
                hint or nearest(full, own) or nearest(text, own),
            )
    function = functions.find(text)
    if function is None:
        raise unknown_function(text, span, scope)
    return function


def unknown_function(name: str, span: ast.Span, scope: Scope) -> Exception:
    hint = nearest(name, [*functions.names(), *routines.names(scope)])
    return fault(span, f'there is no function "{name}"', "UNKNOWN_FUNCTION", hint)


def _only_scalar(node: ast.FunctionCall, function: Function, span: ast.Span) -> None:
    name = function.name
    if function.kind == "table":
        raise fault(
            span, f"{name} gives a table", "BIND", f"use it in FROM: SELECT … FROM {name}(…)"
        )
    if function.kind == "window":
        raise fault(span, f"{name} needs a window", "BIND", f"{name}(…) OVER (ORDER BY …)")
    for given, what in (
        (node.distinct, "DISTINCT"),
        (node.filter, "FILTER"),
        (node.within, "WITHIN GROUP"),
    ):
        if given:
            raise fault(span, f"{what} is for aggregates, and {name} is none", "ARGUMENTS")


def bind_arguments(
    nodes: tuple[ast.Expression, ...], function: Function, scope: Scope, given: int = 0
) -> list[plan.Expr]:
    """Arguments in the order of the signature. `@x = e` is the argument `x` if the signature has
    one, else a comparison; optional arguments left out before a named one are NULL. `given`
    arguments (a method's target) come before."""
    if not given and not _WORDS.isdisjoint(function.parameters):
        words = {i for i, p in enumerate(function.parameters) if p in _WORDS}
        return [
            _bind_part(n, scope) if i in words else unfold(scope.bind(n))
            for i, n in enumerate(nodes)
        ]
    if not any(n.__class__ is ast.NamedArgument for n in nodes):
        return [unfold(scope.bind(n)) for n in nodes]
    places = {fold(p): i - given for i, p in enumerate(function.parameters)}
    bound: list[plan.Expr | None] = []
    for node in nodes:
        place = places.get(fold(node.name)) if isinstance(node, ast.NamedArgument) else None
        if place is None and isinstance(node, ast.NamedArgument) and function.kind == "table":
            names = [f"@{p}" for p in function.parameters]
            message = f"{function.name} has no argument @{node.name}"
            hint = nearest(f"@{node.name}", names) or "there are: " + ", ".join(names)
            raise fault(scope.span(node), message, "ARGUMENTS", hint)
        if place is None or not isinstance(node, ast.NamedArgument):
            bound.append(unfold(scope.bind(node)))
            continue
        bound.extend([None] * (place + 1 - len(bound)))
        if place < 0 or bound[place] is not None:
            raise fault(
                scope.span(node), f"{function.name}: @{node.name} is given twice", "ARGUMENTS"
            )
        bound[place] = unfold(scope.bind(node.value))
    return [b or plan.Constant(type=NULL, value=None) for b in bound]


def _bind_part(node: ast.Expression, scope: Scope) -> plan.Expr:
    """`day` in DATEADD(day, …): a word, handed over as a string."""
    if isinstance(node, ast.ColumnName) and len(node.parts) == 1:
        return plan.Constant(type=NVARCHAR, span=scope.span(node), value=node.parts[0].text)
    return scope.bind(node)


def _bind_iif(node: ast.FunctionCall, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    if len(node.arguments) != 3:
        raise fault(
            span, f"IIF takes (condition, then, else), not {len(node.arguments)} arguments",
            "ARGUMENTS",
        )  # fmt: skip
    condition, then, otherwise = [scope.bind(a) for a in node.arguments]
    return make_case([predicate(condition, "IIF")], [unfold(then), unfold(otherwise)], span)


def _bind_nullif(
    function: Function,
    given: tuple[plan.Expr, ...],
    nodes: tuple[ast.Expression, ...],
    span: ast.Span,
    scope: Scope,
) -> plan.Expr:
    """`CASE WHEN value = other THEN NULL ELSE value END`: compared as `=` compares, and the result
    is the value as it was. As that doubles the value, NULLIF nests NULLIF_DEPTH_MAX deep only."""
    statement = scope.statement
    if statement.nullif_depth == NULLIF_DEPTH_MAX:
        raise too_deep(span, "NULLIF", NULLIF_DEPTH_MAX)
    statement.nullif_depth += 1
    try:
        arguments = [*given, *(scope.bind(n) for n in nodes)]
    finally:
        statement.nullif_depth -= 1
    value = call(function, [unfold(a) for a in arguments], span).arguments[0]  # counts them too
    nothing = plan.Constant(type=NULL, span=span, value=None)
    return make_case([compare("=", arguments[0], arguments[1], span)], [nothing, value], span)


# --- methods -------------------------------------------------------------------------------------


def bind_method(node: ast.MethodCall, scope: Scope) -> plan.Expr:
    return _bind_method(unfold(scope.bind(node.target)), node.name, node.arguments, node, scope)


def _bind_method(
    target: plan.Expr,
    name: ast.Identifier,
    arguments: tuple[ast.Expression, ...],
    node: ast.Expression,
    scope: Scope,
) -> plan.Expr:
    span = scope.span(node)
    function = functions.find(name.text)
    if function is None or function.kind != "scalar":
        hint = nearest(name.text, functions.names())
        message = f'{target.type} has no method "{name.text}"'
        raise fault(span, message, "UNKNOWN_FUNCTION", hint)
    if isinstance(node, ast.FunctionCall) and node.over is not None:
        raise fault(span, f"OVER is for aggregates, and {name.text} is a method", "BIND")
    if isinstance(node, ast.FunctionCall):
        _only_scalar(node, function, span)
    scope.statement.volatile |= function.volatile
    if function.name == "NULLIF":
        return _bind_nullif(function, (target,), arguments, span, scope)
    rest = bind_arguments(arguments, function, scope, given=1)
    return call(function, [target, *rest], span, scope.statement.context)


def bind_static(node: ast.StaticCall, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    name = f"{node.type}::{node.name.text}"
    function = functions.find(name)
    if function is None:
        raise unknown_function(name, span, scope)
    scope.statement.volatile |= function.volatile
    arguments = bind_arguments(node.arguments, function, scope)
    return call(function, arguments, span, scope.statement.context)
