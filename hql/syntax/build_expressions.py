"""Builders of names, types and expressions: grammar rule -> syntax tree (parse.py puts them in).

Each takes the rule's children and the place of its text. Tokens that carry a constant or a name
have become nodes already (`LEAVES`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hartonomous.grammar.lexer import Token
from hartonomous.hql import ast
from hartonomous.hql.ast import Span

Builder = Callable[[list[Any], Span], Any]


# --- leaves --------------------------------------------------------------------------------------


def _name_leaf(token: Token, span: Span) -> ast.Identifier:
    return ast.Identifier(token.value, token.kind == "QUOTED", span=span)


def _integer(token: Token, span: Span) -> ast.Literal:
    return ast.Literal(int(token.value), "INTEGER", span=span)


def _decimal(token: Token, span: Span) -> ast.Literal:
    return ast.Literal(Decimal(token.value), "DECIMAL", span=span)


def _float(token: Token, span: Span) -> ast.Literal:
    return ast.Literal(float(token.value), "FLOAT", span=span)


def _string(token: Token, span: Span) -> ast.Literal:
    return ast.Literal(token.value, "STRING", span=span)


def _binary_leaf(token: Token, span: Span) -> ast.Literal:
    return ast.Literal(bytes.fromhex(token.value), "BINARY", span=span)


def _null(token: Token, span: Span) -> ast.Literal:
    return ast.Literal(None, "NULL", span=span)


def _vector(token: Token, span: Span) -> ast.VectorLiteral:
    return ast.VectorLiteral(token.value, span=span)


def _variable(token: Token, span: Span) -> ast.Variable:
    return ast.Variable(token.value, span=span)


def _parameter(token: Token, span: Span) -> ast.Placeholder:
    return ast.Placeholder(token.value, None, span=span)


def _question(token: Token, span: Span) -> ast.Placeholder:
    return ast.Placeholder(None, token.value, span=span)


LEAVES: dict[str, Callable[[Token, Span], Any]] = {
    "NAME": _name_leaf,
    "LEFT": _name_leaf,
    "RIGHT": _name_leaf,
    "INTEGER": _integer,
    "DECIMAL": _decimal,
    "FLOAT": _float,
    "STRING": _string,
    "BINARY": _binary_leaf,
    "NULL": _null,
    "VECTOR": _vector,
    "VARIABLE": _variable,
    "PARAMETER": _parameter,
    "QUESTION": _question,
}


# --- names and types -----------------------------------------------------------------------------


def as_tuple(children: list[Any], span: Span) -> tuple[Any, ...]:
    """Builder of lists."""
    return tuple(children)


def constant(value: Any) -> Builder:
    """Builder of rules that stand for one value."""
    return lambda children, span: value


def only(children: list[Any], span: Span) -> Any:
    """Builder of rules whose single child says it all."""
    (child,) = children
    return child


def _object_name(children: list[Any], span: Span) -> ast.ObjectName:
    return ast.ObjectName(tuple(children), span=span)


def _type(children: list[Any], span: Span) -> ast.TypeName:
    name, arguments = children
    return ast.TypeName(name.text, arguments or (), span=span)


def _type_arguments(children: list[Any], span: Span) -> tuple[str, ...]:
    return tuple(
        str(child.value) if isinstance(child, ast.Literal) else child.text for child in children
    )


def _double_precision(children: list[Any], span: Span) -> ast.TypeName:
    return ast.TypeName("DOUBLE PRECISION", span=span)


# --- operators and predicates --------------------------------------------------------------------


def binary(op: str, left: ast.Expression, right: ast.Expression, span: Span) -> ast.Binary:
    return ast.Binary(op, left, right, span=span)


def _binary(children: list[Any], span: Span) -> ast.Binary:
    left, op, right = children
    return ast.Binary(op.value, left, right, span=span)


def _or(children: list[Any], span: Span) -> ast.Binary:
    return ast.Binary("OR", *children, span=span)


def _and(children: list[Any], span: Span) -> ast.Binary:
    return ast.Binary("AND", *children, span=span)


def _not(children: list[Any], span: Span) -> ast.Unary:
    return ast.Unary("NOT", *children, span=span)


def _unary(children: list[Any], span: Span) -> ast.Unary:
    op, operand = children
    return ast.Unary(op.value, operand, span=span)


def _quantified(children: list[Any], span: Span) -> ast.Quantified:
    left, op, quantifier, query = children
    word = "ALL" if quantifier.upper == "ALL" else "ANY"
    return ast.Quantified(op.value, left, word, query, span=span)


def _negatable(node: type[Any], negated: bool) -> Builder:
    """Builder of a predicate whose children are its fields, but for `negated`."""

    def build(children: list[Any], span: Span) -> Any:
        return node(*children, negated=negated, span=span)

    return build


def _paren(children: list[Any], span: Span) -> ast.Expression:
    (inner,) = children
    if isinstance(inner, ast.Binary) and inner.op == "=" and isinstance(inner.left, ast.Variable):
        # its place tells _argument that it stood in parentheses
        return ast.Binary("=", inner.left, inner.right, span=span)
    return inner  # type: ignore[no-any-return]


def _argument(children: list[Any], span: Span) -> ast.Expression:
    """`@name = value` is a named argument; `(@name = value)` is a comparison."""
    (node,) = children
    if (
        isinstance(node, ast.Binary)
        and node.op == "="
        and isinstance(node.left, ast.Variable)
        and node.left.span.start == node.span.start
    ):
        return ast.NamedArgument(node.left.name, node.right, span=span)
    return node  # type: ignore[no-any-return]


# --- atoms ---------------------------------------------------------------------------------------


def _column(children: list[Any], span: Span) -> ast.ColumnName:
    return ast.ColumnName(tuple(children), span=span)


def _star(children: list[Any], span: Span) -> ast.Star:
    return ast.Star(span=span)


def _case(children: list[Any], span: Span) -> ast.Case:
    operand, whens, otherwise = children
    return ast.Case(operand, whens, otherwise, span=span)


def _subquery(children: list[Any], span: Span) -> ast.Subquery:
    return ast.Subquery(*children, span=span)


def _exists(children: list[Any], span: Span) -> ast.Exists:
    return ast.Exists(*children, span=span)


def _collate(children: list[Any], span: Span) -> ast.Collate:
    operand, collation = children
    return ast.Collate(operand, collation.text, span=span)


def _cast(try_: bool) -> Builder:
    def build(children: list[Any], span: Span) -> ast.Cast:
        operand, type_ = children
        return ast.Cast(operand, type_, try_, span=span)

    return build


def _convert(try_: bool) -> Builder:
    def build(children: list[Any], span: Span) -> ast.Cast:
        type_, operand, style = children
        return ast.Cast(operand, type_, try_, style, span=span)

    return build


def _plain_call(children: list[Any], span: Span) -> ast.FunctionCall:
    name, arguments = children
    if isinstance(arguments, Token):  # COUNT(*)
        arguments = (ast.Star(),)
    return ast.FunctionCall(name, arguments or (), span=span)


def _call_from(children: list[Any], span: Span) -> ast.FunctionCall:
    """TRIM(characters FROM text)"""
    name, characters, text = children
    return ast.FunctionCall(name, (text, characters), span=span)


def _at_time_zone(children: list[Any], span: Span) -> ast.FunctionCall:
    name = ast.ObjectName((ast.Identifier("AT_TIME_ZONE", span=span),), span=span)
    return ast.FunctionCall(name, tuple(children), span=span)


def _distinct_call(children: list[Any], span: Span) -> ast.FunctionCall:
    name, _, arguments = children
    return ast.FunctionCall(name, arguments, True, span=span)


def _call_with(children: list[Any], span: Span) -> ast.FunctionCall:
    call, *clauses = children
    given = dict(clause for clause in clauses if clause is not None)
    return ast.FunctionCall(call.name, call.arguments, call.distinct, **given, span=span)


def _clause(name: str) -> Builder:
    """Builder of a call's clause: the field it fills, and its value."""
    return lambda children, span: (name, children[0])


def _over(children: list[Any], span: Span) -> tuple[str, ast.WindowSpec]:
    partition, order, frame = children
    return "over", ast.WindowSpec(partition or (), order or (), frame, span=span)


def _frame(children: list[Any], span: Span) -> ast.Frame:
    unit, start, exclude = children
    return ast.Frame(unit.upper, start, None, exclude, span=span)


def _frame_between(children: list[Any], span: Span) -> ast.Frame:
    unit, start, end, exclude = children
    return ast.Frame(unit.upper, start, end, exclude, span=span)


def _bound(kind: str) -> Builder:
    return lambda children, span: ast.FrameBound(kind, *children, span=span)


def _method(children: list[Any], span: Span) -> ast.MethodCall:
    target, name, arguments = children
    return ast.MethodCall(target, name, arguments or (), span=span)


def _method_bare(children: list[Any], span: Span) -> ast.MethodCall:
    target, name = children
    return ast.MethodCall(target, name, span=span)


def _static_call(children: list[Any], span: Span) -> ast.StaticCall:
    type_, name, arguments = children
    return ast.StaticCall(type_.text, name, arguments or (), span=span)


BUILDERS: dict[str, Builder] = {
    "name": _object_name,
    "function_name": _object_name,
    "names": as_tuple,
    "type": _type,
    "type_arguments": _type_arguments,
    "double_precision": _double_precision,
    "binary": _binary,
    "disjunction_of": _or,
    "conjunction_of": _and,
    "negation_of": _not,
    "unary": _unary,
    "quantified": _quantified,
    "is_null": _negatable(ast.IsNull, False),
    "is_not_null": _negatable(ast.IsNull, True),
    "is_distinct": _negatable(ast.IsDistinct, False),
    "is_not_distinct": _negatable(ast.IsDistinct, True),
    "between": _negatable(ast.Between, False),
    "not_between": _negatable(ast.Between, True),
    "like": _negatable(ast.Like, False),
    "not_like": _negatable(ast.Like, True),
    "in_list": _negatable(ast.InList, False),
    "not_in_list": _negatable(ast.InList, True),
    "in_query": _negatable(ast.InQuery, False),
    "not_in_query": _negatable(ast.InQuery, True),
    "in_values": as_tuple,
    "paren": _paren,
    "argument": _argument,
    "arguments": as_tuple,
    "column": _column,
    "star": _star,
    "case": _case,
    "whens": as_tuple,
    "when": as_tuple,
    "subquery": _subquery,
    "exists": _exists,
    "collate": _collate,
    "cast": _cast(False),
    "try_cast": _cast(True),
    "convert": _convert(False),
    "try_convert": _convert(True),
    "plain_call": _plain_call,
    "call_from": _call_from,
    "at_time_zone": _at_time_zone,
    "distinct_call": _distinct_call,
    "call_with": _call_with,
    "within_group": _clause("within"),
    "filter": _clause("filter"),
    "over": _over,
    "partition_by": as_tuple,
    "frame": _frame,
    "frame_between": _frame_between,
    "unbounded_preceding": _bound("UNBOUNDED PRECEDING"),
    "unbounded_following": _bound("UNBOUNDED FOLLOWING"),
    "current_row": _bound("CURRENT ROW"),
    "preceding": _bound("PRECEDING"),
    "following": _bound("FOLLOWING"),
    "exclude_current_row": constant("CURRENT ROW"),
    "exclude_group": constant("GROUP"),
    "exclude_ties": constant("TIES"),
    "exclude_no_others": constant("NO OTHERS"),
    "method": _method,
    "method_bare": _method_bare,
    "static_call": _static_call,
}
