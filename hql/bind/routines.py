"""Calls of users' functions.

    f(a, b)          body `RETURN e`          →  e with a and b in the place of its parameters
    f(a, b)          any other body           →  a native call (scripts/functions.py)
    FROM f(a, b)     `RETURN query`           →  the query in FROM, as a view's, likewise
    CROSS APPLY f(t.a)                        →  the same, lateral

Arguments are bound where the call stands, the body in a scope of its own that sees the catalog and
its parameters: no name of one means anything in the other. An argument that may not be computed
twice (it is volatile or holds a query), or that a subquery of the body may not hold (an aggregate),
stays whole: the scalar function is called, the table function gets a row of arguments to its left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hartonomous.hql import ast, functions, plan
from hartonomous.hql.bind.columns import derive
from hartonomous.hql.bind.context import (
    VIEW_DEPTH_MAX,
    BindContext,
    Statement,
    fault,
    nearest,
    not_supported,
)
from hartonomous.hql.bind.conversions import cast, implicit, unfold
from hartonomous.hql.bind.inlined import inlined
from hartonomous.hql.bind.routine_arguments import place_arguments, wrong_count
from hartonomous.hql.bind.routine_copies import may_copy
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.bind.walk import operands, subquery
from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.scripts.routines import Parameter, Routine, find_routine, read_routine
from hartonomous.hql.types import NVARCHAR
from hartonomous.storage.catalog import RoutineEntry, fold
from hartonomous.storage.errors import Error

#: bodies of functions that one statement takes in; calls of more are run
BODIES_MAX = 64
#: bodies of table functions, which cannot be run
TABLES_MAX = 512

Bound = TypeVar("Bound")


def find_function(name: ast.ObjectName, scope: Scope) -> RoutineEntry | None:
    """The user's function or procedure that a call names. Without a schema, the system's functions
    come first."""
    context = scope.statement.context
    entry = find_routine(context.catalog, name, context.schema)
    if entry is None or (len(name.parts) == 1 and functions.find(name.last) is not None):
        return None
    assert isinstance(entry, RoutineEntry)
    return entry


def describe_use(name: ast.ObjectName, scope: Scope) -> str | None:
    """How a routine is used whose name stands where a table should; None for other names."""
    entry = find_function(name, scope)
    if entry is None:
        return None
    if entry.routine == "PROCEDURE":
        return f"it is a procedure: EXEC {name}"
    is_table = entry.routine == "TABLE FUNCTION"
    return f"it is a function: SELECT * FROM {name}(…)" if is_table else f"SELECT {name}(…)"


def _check_rights(entry: RoutineEntry, scope: Scope, span: ast.Span) -> None:
    """PERMISSION if the function may not be used here."""
    context = scope.statement.context
    if context.rights is not None:
        from hartonomous.hql.security.checking import USE, allow

        allow(context.rights, context.catalog, entry, USE, span)


def names(scope: Scope) -> list[str]:
    """Users' functions as a call names them, for hints."""
    context = scope.statement.context
    return [
        e.name if fold(e.schema) == fold(context.schema) else f"{e.schema}.{e.name}"
        for e in context.catalog.routines()
        if e.routine != "PROCEDURE"
    ]


# --- scalar functions ----------------------------------------------------------------------------


def bind_scalar(node: ast.FunctionCall, entry: RoutineEntry, scope: Scope) -> plan.Expr:
    """The value of a call."""
    span, routine = scope.span(node), read_routine(entry)
    _check_rights(entry, scope, span)
    if routine.returns is None:
        _refuse(routine, span, "value")
    if node.over is not None or node.distinct or node.filter or node.within:
        message = f"OVER, DISTINCT, FILTER and WITHIN GROUP are for aggregates, and {routine.title}"
        raise fault(span, f"{message} is none", "ARGUMENTS")
    arguments = bind_arguments(routine, node.arguments, scope, span)
    statement = scope.statement
    call = routine.title, tuple(arguments)
    is_inside = fold(routine.title) in statement.views
    is_grouped = bool(statement.grouped_calls) and call in statement.grouped_calls
    if (
        routine.value is None
        or is_inside
        or is_grouped
        or statement.bodies >= BODIES_MAX
        or not may_copy(routine.value, routine, arguments)
    ):
        return _interpreted(entry, routine, arguments, span, scope)
    bound = _bind_value(routine, routine.value, arguments, scope, span)
    if scope.clause == "GROUP BY" and _has_query(bound):
        # two bindings of a query are never equal, and the select list must name this one again
        statement.grouped_calls.add(call)
        return _interpreted(entry, routine, arguments, span, scope)
    return bound


def _bind_value(
    routine: Routine,
    value: ast.Expression,
    arguments: Sequence[plan.Expr],
    scope: Scope,
    span: ast.Span,
) -> plan.Expr:
    """The expression of a function with the arguments in it."""
    bound = _bind_body(routine, arguments, scope, span, lambda inner: unfold(inner.bind(value)))
    assert routine.returns is not None
    return cast(implicit(bound, routine.returns, f"the value of {routine.title}"), routine.returns)


def _has_query(expr: plan.Expr) -> bool:
    return subquery(expr) is not None or any(_has_query(o) for o in operands(expr))


def _interpreted(
    entry: RoutineEntry,
    routine: Routine,
    arguments: Sequence[plan.Expr],
    span: ast.Span,
    scope: Scope,
) -> plan.Expr:
    from hartonomous.hql.scripts.functions import native_function

    if scope.statement.moment is not None:  # its body would run in the present
        what = f"{routine.title}, whose body is no single expression, AS OF an earlier moment"
        raise not_supported(span, what)
    scope.statement.volatile = True
    function = native_function(entry, routine)
    type_ = routine.returns or NVARCHAR  # rows are JSON
    return plan.Call(type=type_, span=span, function=function, arguments=tuple(arguments))


# --- table functions -----------------------------------------------------------------------------


def bind_table(
    node: ast.FunctionTable, entry: RoutineEntry, scope: Scope, seen: Scope, lateral: bool
) -> tuple[plan.Source, tuple[str, ...]]:
    """The rows of a call as a source, and the names of its columns. `seen` is what the arguments
    may see."""
    span, routine = scope.span(node), read_routine(entry)
    _check_rights(entry, scope, span)
    if routine.query is None and routine.variable is None:
        _refuse(routine, span, "table")
    if node.schema:
        raise fault(span, f"{routine.title} takes no WITH list", "BIND")
    clause, seen.clause = seen.clause, "FROM"
    arguments = bind_arguments(routine, node.call.arguments, seen, span)
    seen.clause = clause
    query = routine.query
    if query is None:
        return _filled_table(node, entry, routine, arguments, scope, lateral)

    def bind(inner: Scope) -> plan.Plan:
        return inner.statement.bind_query(query, inner)

    statement = scope.statement
    alias = node.alias.text if node.alias else node.call.name.last
    if may_copy(query, routine, arguments):
        bound = _bind_body(routine, arguments, scope, span, bind)
        source = derive(bound, statement, alias, lateral=lateral)
    else:
        given, columns = _as_row(routine, arguments, scope, lateral)
        bound = _bind_body(routine, columns, scope, span, bind)
        rows = derive(bound, statement, alias, lateral=True)
        outputs = [
            plan.Output(f.name, plan.Column(type=f.type, relation=rows.relation, name=f.name))
            for f in rows.fields
        ]
        joined = plan.Joined(kind="CROSS", left=given, right=rows)
        block = plan.SelectBlock(outputs=tuple(outputs), source=joined)
        source = derive(
            plan.Plan(fields=rows.fields, body=block), statement, alias, lateral=lateral
        )
    return source, tuple([f.name for f in bound.fields])


def _filled_table(
    node: ast.FunctionTable,
    entry: RoutineEntry,
    routine: Routine,
    arguments: Sequence[plan.Expr],
    scope: Scope,
    lateral: bool,
) -> tuple[plan.Source, tuple[str, ...]]:
    """The rows that a body leaves in its table variable: a native call takes it there."""
    from hartonomous.hql.scripts.row_texts import table_function

    call = _interpreted(entry, routine, arguments, scope.span(node), scope)
    source = plan.TableFunction(
        relation=scope.statement.next_relation(),
        alias=node.alias.text if node.alias else node.call.name.last,
        fields=tuple([plan.Field(name, type_) for name, type_ in routine.columns]),
        function=table_function(routine),
        arguments=(call,),
        lateral=lateral,
    )
    return source, tuple([name for name, _ in routine.columns])


def _as_row(
    routine: Routine, arguments: Sequence[plan.Expr], scope: Scope, lateral: bool
) -> tuple[plan.Derived, list[plan.Expr]]:
    """(SELECT a AS @x, b AS @y): the arguments as a source of one row, and its columns."""
    named = list(zip(routine.parameters, arguments, strict=True))
    block = plan.SelectBlock(outputs=tuple([plan.Output(p.name, a) for p, a in named]))
    fields = tuple([plan.Field(p.name, a.type) for p, a in named])
    source = derive(plan.Plan(fields=fields, body=block), scope.statement, "", lateral=lateral)
    columns: list[plan.Expr] = [
        plan.Column(type=f.type, relation=source.relation, name=f.name) for f in source.fields
    ]
    return source, columns


# --- arguments -----------------------------------------------------------------------------------


def bind_arguments(
    routine: Routine, nodes: Sequence[ast.Expression], scope: Scope, span: ast.Span
) -> list[plan.Expr]:
    """One for each parameter, of its type: by place, by name, or its default. ARGUMENTS for what
    does not fit."""
    if len(nodes) == 1 and isinstance(nodes[0], ast.Star):
        raise fault(span, f"{routine.title}(*) means nothing; * is for COUNT(*)", "ARGUMENTS")
    given = place_arguments(routine, [_named(n) for n in nodes], [scope.span(n) for n in nodes])
    if any(p.default is None and place is None for p, place in _pairs(routine, given)):
        raise wrong_count(routine, len(nodes), span)
    bound: list[plan.Expr] = []
    for parameter, place in _pairs(routine, given):
        node = None if place is None else nodes[place]
        if node is None or isinstance(node, ast.Default):
            value = _default(routine, parameter, scope, span)
        else:
            value = unfold(scope.bind(node.value if isinstance(node, ast.NamedArgument) else node))
        what = f"{routine.title}: @{parameter.name}"
        bound.append(cast(implicit(value, parameter.type, what), parameter.type))
    return bound


def _pairs(routine: Routine, given: Mapping[str, int]) -> list[tuple[Parameter, int | None]]:
    return [(p, given.get(fold(p.name))) for p in routine.parameters]


def _named(node: ast.Expression) -> str | None:
    return node.name if isinstance(node, ast.NamedArgument) else None


def _default(routine: Routine, parameter: Parameter, scope: Scope, span: ast.Span) -> plan.Expr:
    default = parameter.default
    if default is None:
        message = f"{routine.title}: @{parameter.name} has no default"
        raise fault(span, message, "ARGUMENTS")
    return _bind_body(routine, None, scope, span, lambda inner: unfold(inner.bind(default)))


# --- bodies --------------------------------------------------------------------------------------


def find_argument(node: ast.Variable, scope: Scope) -> plan.Expr:
    """What a variable in a routine's body stands for."""
    arguments = scope.statement.arguments
    assert arguments is not None
    found = arguments.get(fold(node.name))
    if found is None:
        hint = nearest(f"@{node.name}", [f"@{name}" for name in arguments])
        message = f"there is no parameter @{node.name}"
        raise fault(scope.span(node), message, "UNKNOWN_VARIABLE", hint)
    return found


def _bind_body(
    routine: Routine,
    arguments: Sequence[plan.Expr] | None,
    scope: Scope,
    span: ast.Span,
    bind: Callable[[Scope], Bound],
) -> Bound:
    """Binds a part of a routine's text. Places in it know the call."""
    statement = scope.statement
    if len(statement.views) >= VIEW_DEPTH_MAX or fold(routine.title) in statement.views:
        chain = " → ".join([*statement.views, fold(routine.title)])
        raise ExecutionFault(
            f"{routine.title} stands on itself: {chain}"
            if fold(routine.title) in statement.views
            else f"views and functions stand on one another more than {VIEW_DEPTH_MAX} deep",
            code="RECURSION",
            line=span.line,
            column=span.column,
        )
    statement.bodies += 1
    if statement.bodies > TABLES_MAX:
        message = f"functions stand on functions {TABLES_MAX} times"
        raise ExecutionFault(message, code="RECURSION", line=span.line, column=span.column)
    before = statement.views, statement.span, statement.arguments, statement.inlined
    statement.views, statement.span = (*statement.views, fold(routine.title)), None
    statement.inlined = inlined(f"{routine.noun} {routine.title}", span)
    named = zip(routine.parameters, arguments or (), strict=arguments is not None)
    statement.arguments = {fold(p.name): a for p, a in named}
    statement.tables[routine.title] = None
    context = statement.context
    if context.accounts is not None:
        from hartonomous.hql.security.checking import as_definer

        statement.context = as_definer(context, routine.definer)
    try:
        return bind(Scope(statement))
    except Error as error:
        if error.line is None:
            error.line, error.column = span.line, span.column
        raise
    finally:
        statement.views, statement.span, statement.arguments, statement.inlined = before
        statement.context = context


def check_bound(routine: Routine, context: BindContext) -> tuple[str, ...]:
    """Binds a function that is one expression or query, its parameters unknown. The names of its
    columns. Raises what binding raises, with places in the routine's text."""
    from hartonomous.hql.bind.queries import HANDLERS, bind_inner

    statement = Statement(context, HANDLERS, bind_inner)
    statement.views = (fold(routine.title),)
    statement.arguments = {
        fold(p.name): plan.Parameter(type=p.type, name=p.name) for p in routine.parameters
    }
    if routine.query is not None:
        return tuple([f.name for f in bind_inner(routine.query, Scope(statement)).fields])
    assert routine.value is not None and routine.returns is not None
    value = unfold(Scope(statement).bind(routine.value))
    implicit(value, routine.returns, f"the value of {routine.title}")
    return ()


def _refuse(routine: Routine, span: ast.Span, wanted: str) -> None:
    given = {"PROCEDURE": "is a procedure", "TABLE FUNCTION": "gives a table"}
    what = given.get(routine.routine, "gives a value")
    hint = {
        "PROCEDURE": f"EXEC {routine.title} …",
        "TABLE FUNCTION": f"SELECT … FROM {routine.title}(…)",
        "SCALAR FUNCTION": f"SELECT {routine.title}(…)",
    }[routine.routine]
    raise fault(span, f"{routine.title} {what}, not a {wanted}", "BIND", hint)
