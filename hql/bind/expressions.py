"""Binding of plain expressions: constants, names, operators, CASE, CAST.

Calls are in calls.py, subqueries in subqueries.py. Every handler takes a node and the scope and
gives a typed expression whose operands have been converted.
"""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.hql import ast, functions, plan
from hartonomous.hql.bind import constants
from hartonomous.hql.bind.context import DEPTH_MAX, fault, locate, nearest, not_supported, too_deep
from hartonomous.hql.bind.conversions import (
    COMPARISONS,
    call,
    cast,
    compare,
    fit_constant,
    fold_alike,
    fold_case,
    operator,
    predicate,
    reject_wide,
    unfold,
    unify,
)
from hartonomous.hql.bind.scope import Scope
from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.functions import coerce
from hartonomous.hql.scripts.status import VALUES as SESSION_VALUES
from hartonomous.hql.types import BIT, INT, Type, make_type
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Error

#: chains of AND and OR longer than this become balanced trees, so that their depth stays small
_CHAIN_MAX = 16
_LOGICAL = ("AND", "OR")

#: words that are functions without parentheses
_WORDS = frozenset(
    ["current_timestamp", "current_date", "current_time", "current_user", "session_user"]
    + ["system_user", "user", "localtimestamp", "localtime"]
)


# --- names ---------------------------------------------------------------------------------------


def bind_column(node: ast.ColumnName, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    found = scope.find_column(node.parts, span)
    if found is not None:
        return found
    if len(node.parts) == 1 and not node.parts[0].quoted:
        word = _bind_word(fold(node.parts[0].text), span, scope)
        if word is not None:
            return word
    chained = bind_chain(node.parts, span, scope)
    if chained is not None:
        return chained
    raise scope.unknown_column(node.parts, span)


def _bind_word(word: str, span: ast.Span, scope: Scope) -> plan.Expr | None:
    if word in ("true", "false"):
        return constants.boolean(word == "true", span)
    if word not in _WORDS:
        return None
    function = functions.find(word)
    if function is None:
        return None
    scope.statement.volatile |= function.volatile
    if function.of_session is not None:
        return session_value(function.of_session, span, scope)
    return call(function, (), span)


def bind_chain(parts: tuple[ast.Identifier, ...], span: ast.Span, scope: Scope) -> plan.Expr | None:
    """`Path.STEndPoint.STX`: a column followed by methods without parentheses; None if the
    leading names are no column or the rest no functions."""
    for length in range(len(parts) - 1, 0, -1):
        target = scope.find_column(parts[:length], span)
        if target is None:
            continue
        for name in parts[length:]:
            function = functions.find(name.text)
            if function is None or function.kind != "scalar":
                if target.type.kind != "GEOMETRY":
                    return None
                hint = nearest(name.text, functions.names())
                message = f'GEOMETRY has no method "{name.text}"'
                raise fault(span, message, "UNKNOWN_FUNCTION", hint)
            scope.statement.volatile |= function.volatile
            target = call(function, (unfold(target),), span, scope.statement.context)
        return target
    return None


def bind_star(node: ast.Star, scope: Scope) -> plan.Expr:
    raise fault(scope.span(node), "* can only stand in a select list and in COUNT(*)", "BIND")


def bind_default(node: ast.Default, scope: Scope) -> plan.Expr:
    raise fault(
        scope.span(node),
        "DEFAULT can only stand in INSERT … VALUES, UPDATE … SET and calls of users' routines",
        "BIND",
    )


def bind_variable(node: ast.Variable, scope: Scope) -> plan.Expr:
    span, context = scope.span(node), scope.statement.context
    name = fold(node.name)
    if scope.statement.arguments is not None and not name.startswith("@"):
        from hartonomous.hql.bind.routines import find_argument

        return find_argument(node, scope)
    if name in context.parameters:
        return _parameter(name, context.parameters[name], span, scope)
    if name in SESSION_VALUES:
        return session_value(name, span, scope)
    if name in context.table_parameters:
        message = f"@{node.name} is a table, not a value"
        raise fault(span, message, "TYPE_MISMATCH", f"SELECT … FROM @{node.name}")
    known = [k for k in context.parameters if not k.startswith("?")]
    known += [k.upper() for k in SESSION_VALUES if k.startswith("@")]
    hint = nearest(f"@{name}", [f"@{k}" for k in known])
    if hint is None and not name.startswith("@"):  # @@name is no name of a user's
        hint = f"DECLARE @{node.name} or pass it as a parameter"
    raise fault(span, f"there is no variable or parameter @{node.name}", "UNKNOWN_VARIABLE", hint)


def session_value(name: str, span: ast.Span, scope: Scope) -> plan.Expr:
    """What the session says of itself (scripts/status.py), looked up when the query starts."""
    scope.statement.of_session[name] = None
    return plan.Parameter(type=SESSION_VALUES[name][0], span=span, name=name)


def bind_placeholder(node: ast.Placeholder, scope: Scope) -> plan.Expr:
    span, parameters = scope.span(node), scope.statement.context.parameters
    if node.name is not None:
        names = [":" + fold(node.name), fold(node.name)]
        shown = ":" + node.name
    else:
        names, shown = [f"?{node.index}"], f"? number {(node.index or 0) + 1}"
    for name in names:
        if name in parameters:
            return _parameter(name, parameters[name], span, scope)
    raise ParameterFault(
        f"no value was given for {shown}", line=span.line, column=span.column,
        hint="pass it to execute()",
    )  # fmt: skip


def _parameter(name: str, type_: Type, span: ast.Span, scope: Scope) -> plan.Expr:
    scope.statement.parameters[name] = type_
    return plan.Parameter(type=type_, span=span, name=name)


# --- operators -----------------------------------------------------------------------------------


def bind_unary(node: ast.Unary, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    operand = unfold(scope.bind(node.operand))
    if node.op == "NOT":
        return operator("NOT", (predicate(operand, "NOT"),), span)
    if node.op == "-" and operand.__class__ is plan.Constant:
        negated = _negate(operand, span)
        if negated is not None:
            return negated
    if node.op == "+" and (operand.type.is_numeric or operand.type.kind == "NULL"):
        return operand
    return operator(node.op, (operand,), span)


def _negate(constant: plan.Constant, span: ast.Span) -> plan.Constant | None:
    if constant.value is None:
        return None
    if constant.type.is_integer:
        negated = constants.integer(-constant.value, span)
        widened = constants.integer(constant.value, span).type == constant.type != negated.type
        return None if widened and constant.value < 0 else negated  # -(-2147483648) overflows
    if constant.type.is_numeric:
        if constant.type.kind == "DECIMAL" and constant.type.b == 0:
            return constants.integer(-int(constant.value), span)
        return plan.Constant(type=constant.type, span=span, value=-constant.value)
    return None


def bind_binary(node: ast.Binary, scope: Scope) -> plan.Expr:
    """A chain of operators, from its innermost left end outwards, without recursing into it."""
    spine, left = [node], node.left
    while left.__class__ is ast.Binary:
        spine.append(left)
        left = left.left
    plain = sum(1 for n in spine if n.op not in _LOGICAL)
    if plain + scope.statement.depth > DEPTH_MAX:
        raise too_deep(scope.span(node))
    expr = scope.bind(left)
    while spine:
        node = spine.pop()
        span = scope.span(node)
        if node.op in _LOGICAL:
            terms = [predicate(expr, node.op), predicate(scope.bind(node.right), node.op)]
            while spine and spine[-1].op == node.op:
                terms.append(predicate(scope.bind(spine.pop().right), node.op))
            expr = connect(node.op, terms, span)
        else:
            expr = combine(node.op, expr, scope.bind(node.right), span)
    return expr


def connect(sign: str, terms: Sequence[plan.Expr], span: ast.Span) -> plan.Expr:
    """terms joined by AND or OR: left-deep if few, balanced if many (both are associative)."""
    if len(terms) > _CHAIN_MAX:
        half = len(terms) // 2
        left, right = connect(sign, terms[:half], span), connect(sign, terms[half:], span)
        return operator(sign, (left, right), span)
    expr = terms[0]
    for term in terms[1:]:
        expr = operator(sign, (expr, term), span)
    return expr


def combine(sign: str, left: plan.Expr, right: plan.Expr, span: ast.Span) -> plan.Expr:
    if sign in COMPARISONS:
        return compare(sign, left, right, span)
    return operator(sign, (unfold(left), unfold(right)), span)


def bind_is_null(node: ast.IsNull, scope: Scope) -> plan.Expr:
    sign = "IS NOT NULL" if node.negated else "IS NULL"
    return operator(sign, (unfold(scope.bind(node.operand)),), scope.span(node))


def bind_is_distinct(node: ast.IsDistinct, scope: Scope) -> plan.Expr:
    sign = "IS NOT DISTINCT FROM" if node.negated else "IS DISTINCT FROM"
    return compare(sign, scope.bind(node.left), scope.bind(node.right), scope.span(node))


def bind_between(node: ast.Between, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    bound = fold_alike([scope.bind(n) for n in (node.operand, node.low, node.high)])
    type_ = bound[0].type
    operand, *ends = [e if e.type == type_ else fit_constant(e, type_) for e in bound]
    reject_wide(operand, f"BETWEEN does not order {type_}")
    inside = operator("BETWEEN", (operand, *ends), span)
    return operator("NOT", (inside,), span) if node.negated else inside


def bind_like(node: ast.Like, scope: Scope) -> plan.Expr:
    operands = fold_alike([scope.bind(node.operand), scope.bind(node.pattern)])
    if node.escape is not None:
        operands.append(unfold(scope.bind(node.escape)))
    return operator("NOT LIKE" if node.negated else "LIKE", operands, scope.span(node))


def bind_in_list(node: ast.InList, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    operand = scope.bind(node.operand)
    if not node.values:
        return constants.boolean(node.negated, span)
    values = [scope.bind(v) for v in node.values]
    operand, *values = fold_alike([operand, *values])
    type_ = operand.type
    values = [v if v.type == type_ else fit_constant(v, type_) for v in values]
    (operand, *values), type_ = unify([operand, *values], span)
    if type_.kind == "NULL":
        operand, *values = [cast(e, INT) for e in (operand, *values)]
    if type_.is_wide:
        # membership of wide values is equality of interned handles: spelled out for lowering
        found = connect("OR", [compare("=", operand, v, span) for v in values], span)
        return operator("NOT", (found,), span) if node.negated else found
    return plan.InList(
        type=BIT, span=span, operand=operand, values=tuple(values), negated=node.negated
    )


def bind_collate(node: ast.Collate, scope: Scope) -> plan.Expr:
    span, operand = scope.span(node), scope.bind(node.operand)
    collation = fold(node.collation)
    if collation not in ("nocase", "binary", "case"):
        hint = nearest(node.collation, ["NOCASE", "BINARY", "CASE"])
        message = f'there is no collation "{node.collation}"'
        raise fault(span, message, "BIND", hint or "collations: NOCASE, BINARY")
    if not operand.type.is_string and operand.type.kind != "NULL":
        raise fault(span, f"COLLATE is for strings, and this is {operand.type}", "TYPE_MISMATCH")
    return fold_case(operand) if collation == "nocase" else unfold(operand)


# --- CASE and CAST -------------------------------------------------------------------------------


def bind_case(node: ast.Case, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    if node.operand is None:
        conditions = [predicate(scope.bind(when), "WHEN") for when, _ in node.whens]
    else:
        operand = scope.bind(node.operand)
        conditions = [
            compare("=", operand, scope.bind(when), scope.span(when)) for when, _ in node.whens
        ]
    results = [unfold(scope.bind(then)) for _, then in node.whens]
    if node.otherwise is not None:
        results.append(unfold(scope.bind(node.otherwise)))
    return make_case(conditions, results, span)


def make_case(
    conditions: Sequence[plan.Expr], results: Sequence[plan.Expr], span: ast.Span
) -> plan.Case:
    """results has one more than conditions if there is an ELSE."""
    results, type_ = unify(results, span)
    count = len(conditions)
    return plan.Case(
        type=type_,
        span=span,
        whens=tuple(zip(conditions, results[:count], strict=True)),
        otherwise=results[count] if len(results) > count else None,
    )


def bind_cast(node: ast.Cast, scope: Scope) -> plan.Expr:
    span = scope.span(node)
    operand = unfold(scope.bind(node.operand))
    type_ = type_of(node.type, span, scope)
    if node.style is not None:
        styled = _bind_style(node, operand, type_, span, scope)
        if styled is not None:
            return styled
    if operand.type == type_:
        return operand
    if not coerce.can_convert(operand.type, type_):
        name = "TRY_CAST" if node.try_ else "CAST"
        raise fault(span, f"{name}: {operand.type} cannot become {type_}", "TYPE_MISMATCH")
    if node.try_:
        return plan.Cast(type=type_, span=span, operand=operand, try_=True)
    if isinstance(operand, plan.Constant):
        converted = constants.convert(operand, type_)
        if converted is not None:
            return converted
    return plan.Cast(type=type_, span=span, operand=operand)


def _bind_style(
    node: ast.Cast, operand: plan.Expr, type_: Type, span: ast.Span, scope: Scope
) -> plan.Expr | None:
    """CONVERT with a style that changes something; None if it is a plain cast."""
    from hartonomous.hql.functions.styles import styled

    assert node.style is not None
    style = scope.bind(node.style)
    if not isinstance(style, plan.Constant):
        raise not_supported(span, "CONVERT with a style that is no constant")
    if style.value is None:
        return plan.Constant(type=type_, span=span, value=None)
    if not style.type.is_integer:
        raise fault(style.span, f"a style is a whole number, not {style.type}", "TYPE_MISMATCH")
    try:
        function = styled(operand.type, type_, style.value, node.try_)
    except Error as error:
        locate(error, style.span)
    return None if function is None else call(function, (operand,), span)


def type_of(name: ast.TypeName, span: ast.Span, scope: Scope) -> Type:
    """The type that a type name means; UNKNOWN_TYPE with its place."""
    try:
        return make_type(name.name, *name.arguments)
    except Error as error:
        locate(error, scope.span(name) if name.span != ast.NOWHERE else span)


def bind_named_argument(node: ast.NamedArgument, scope: Scope) -> plan.Expr:
    """`@x = e` outside a signature that declares `x` is a comparison."""
    variable = bind_variable(ast.Variable(name=node.name, span=node.span), scope)
    return compare("=", variable, scope.bind(node.value), scope.span(node))
