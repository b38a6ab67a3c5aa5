"""HQL text of names and expressions; printer.py has the rest.

Parentheses stand only where the grammar needs them: each kind of expression has a binding
strength, and an operand that binds more weakly than its place asks for is put in parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from hartonomous.grammar.words import (
    CALL_WORDS,
    FREE_STATEMENT_WORDS,
    FUNCTION_WORDS,
    LATER_WORDS,
    NARROW_WORDS,
    RESERVED,
)
from hartonomous.hql import ast

# binding strengths, weak to strong
OR, AND, NOT, PREDICATE, SUM, PRODUCT, SIGN, CHAIN, ATOM = range(1, 10)

_STRENGTH = {
    "OR": OR,
    "AND": AND,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), PREDICATE),
    **dict.fromkeys(("+", "-", "&", "|", "^", "||"), SUM),
    **dict.fromkeys(("*", "/", "%"), PRODUCT),
}
_PREDICATES = (
    ast.NamedArgument,
    ast.IsNull,
    ast.IsDistinct,
    ast.Between,
    ast.Like,
    ast.InList,
    ast.InQuery,
    ast.Quantified,
)
#: words that are not names everywhere
_QUOTED = RESERVED | FREE_STATEMENT_WORDS | LATER_WORDS | NARROW_WORDS
_PLAIN_NAME = re.compile(r"#{0,2}[^\W\d][\w$#@]*")


# --- helpers for statements ----------------------------------------------------------------------


def line(*parts: object) -> str:
    """The parts that say something, with spaces between them."""
    return " ".join(str(p) for p in parts if p)


def commas(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


def parens(items: Iterable[object]) -> str:
    """`(a, b)`, or nothing for no items."""
    text = commas(items)
    return f"({text})" if text else ""


def statements(body: Iterable[object], last: str = ";") -> str:
    """Statements with `;` between them; `last` stands after the last one."""
    return "; ".join(map(str, body)) + last


def operand(node: ast.Expression, strength: int = SIGN) -> str:
    """The expression, in parentheses if it binds more weakly than `strength`."""
    text = print_expression(node)
    return text if strength_of(node) >= strength else f"({text})"


def value(node: ast.Expression) -> str:
    """The expression where the grammar wants a value: a comparison gets parentheses."""
    return operand(node, SUM)


def values(nodes: Iterable[ast.Expression]) -> str:
    return ", ".join(map(value, nodes))


def quote(name: str) -> str:
    """A name as it can stand anywhere: quoted if it is reserved or has odd characters."""
    if _PLAIN_NAME.fullmatch(name) and name.upper() not in _QUOTED:
        return name
    return '"' + name.replace('"', '""') + '"'


def print_expression(node: ast.Node) -> str:
    """The node's text; kinds that are not of this file print themselves."""
    printer = PRINTERS.get(type(node))
    return str(node) if printer is None else printer(node)


def strength_of(node: ast.Expression) -> int:
    """How strongly the expression's outermost operator binds."""
    if isinstance(node, ast.Binary):
        return _STRENGTH[node.op]
    if isinstance(node, ast.Unary):
        return NOT if node.op == "NOT" else SIGN
    if isinstance(node, _PREDICATES):
        return PREDICATE
    return CHAIN if isinstance(node, ast.Collate) else ATOM


# --- names and constants -------------------------------------------------------------------------


def _names(parts: Iterable[ast.Identifier]) -> str:
    return ".".join(quote(p.text) for p in parts)


def _type_name(node: ast.TypeName) -> str:
    name = node.name if node.name.upper() == "DOUBLE PRECISION" else quote(node.name)
    return name + (f"({', '.join(node.arguments)})" if node.arguments else "")


def literal(node: ast.Literal) -> str:
    match node.value:
        case None:
            return "NULL"
        case str():
            return "'" + node.value.replace("'", "''") + "'"
        case bytes():
            return "0x" + node.value.hex()
        case Decimal():
            text = format(node.value, "f")
            return text if "." in text else text + "."
        case float():
            return _float(node.value)
    return str(node.value)


def _float(number: float) -> str:
    text = repr(number)
    return text if "e" in text else text + "e0"


def _placeholder(node: ast.Placeholder) -> str:
    return f":{node.name}" if node.name is not None else "?"


# --- expressions ---------------------------------------------------------------------------------


def _unary(node: ast.Unary) -> str:
    if node.op == "NOT":
        return f"NOT {operand(node.operand, NOT)}"
    text = operand(node.operand, SIGN)
    return f"{node.op} {text}" if text.startswith(("-", "+")) else f"{node.op}{text}"


def _binary(node: ast.Binary) -> str:
    strength = _STRENGTH[node.op]
    if strength == PREDICATE:  # comparisons do not chain
        return f"{value(node.left)} {node.op} {value(node.right)}"
    left, right = operand(node.left, strength), operand(node.right, strength + 1)
    return f"{left} {node.op} {right}"


def _not(negated: bool) -> str:
    return "NOT " if negated else ""


def _is_null(node: ast.IsNull) -> str:
    return f"{value(node.operand)} IS {_not(node.negated)}NULL"


def _is_distinct(node: ast.IsDistinct) -> str:
    return f"{value(node.left)} IS {_not(node.negated)}DISTINCT FROM {value(node.right)}"


def _between(node: ast.Between) -> str:
    ends = f"{value(node.low)} AND {value(node.high)}"
    return f"{value(node.operand)} {_not(node.negated)}BETWEEN {ends}"


def _like(node: ast.Like) -> str:
    escape = f" ESCAPE {value(node.escape)}" if node.escape else ""
    return f"{value(node.operand)} {_not(node.negated)}LIKE {value(node.pattern)}{escape}"


def _in_list(node: ast.InList) -> str:
    return f"{value(node.operand)} {_not(node.negated)}IN ({values(node.values)})"


def _in_query(node: ast.InQuery) -> str:
    return f"{value(node.operand)} {_not(node.negated)}IN ({node.query})"


def _quantified(node: ast.Quantified) -> str:
    return f"{value(node.left)} {node.op} {node.quantifier} ({node.query})"


def _case(node: ast.Case) -> str:
    condition = value if node.operand else print_expression
    return line(
        "CASE",
        node.operand and value(node.operand),
        *(f"WHEN {condition(when)} THEN {value(then)}" for when, then in node.whens),
        node.otherwise and f"ELSE {value(node.otherwise)}",
        "END",
    )


def _cast(node: ast.Cast) -> str:
    attempt = "TRY_" if node.try_ else ""
    if node.style is not None:
        parts = f"{node.type}, {value(node.operand)}, {value(node.style)}"
        return f"{attempt}CONVERT({parts})"
    return f"{attempt}CAST({value(node.operand)} AS {node.type})"


def _argument(node: ast.Expression) -> str:
    text = print_expression(node)
    if isinstance(node, ast.Binary) and node.op == "=" and isinstance(node.left, ast.Variable):
        return f"({text})"  # else it would be a named argument
    return text


def _arguments(nodes: Iterable[ast.Expression]) -> str:
    return ", ".join(map(_argument, nodes))


def _function_name(name: ast.ObjectName) -> str:
    if len(name.parts) == 1:
        word = name.last
        if word.upper() in FUNCTION_WORDS:
            return word
        if word.upper() in CALL_WORDS:
            return f'"{word}"'
    return _names(name.parts)


def _function_call(node: ast.FunctionCall) -> str:
    distinct = "DISTINCT " if node.distinct else ""
    return line(
        f"{_function_name(node.name)}({distinct}{_arguments(node.arguments)})",
        node.within and f"WITHIN GROUP (ORDER BY {commas(node.within)})",
        node.filter and f"FILTER (WHERE {node.filter})",
        node.over and f"OVER ({node.over})",
    )


_CHAINS = (ast.Variable, ast.MethodCall, ast.StaticCall, ast.Cast, ast.Subquery)


def _method_call(node: ast.MethodCall) -> str:
    target = node.target
    bare = isinstance(target, _CHAINS) or (
        isinstance(target, ast.FunctionCall) and not (target.within or target.filter or target.over)
    )
    text = print_expression(target) if bare else f"({target})"
    return f"{text}.{node.name}({_arguments(node.arguments)})"


def _static_call(node: ast.StaticCall) -> str:
    return f"{quote(node.type)}::{node.name}({_arguments(node.arguments)})"


def _order_item(node: ast.OrderItem) -> str:
    return line(
        value(node.expression),
        "DESC" if node.descending else "",
        node.nulls and f"NULLS {node.nulls}",
    )


def _window(node: ast.WindowSpec) -> str:
    return line(
        node.partition_by and f"PARTITION BY {values(node.partition_by)}",
        node.order_by and f"ORDER BY {commas(node.order_by)}",
        node.frame,
    )


def _frame(node: ast.Frame) -> str:
    bounds = f"BETWEEN {node.start} AND {node.end}" if node.end else node.start
    return line(node.unit, bounds, node.exclude and f"EXCLUDE {node.exclude}")


def _frame_bound(node: ast.FrameBound) -> str:
    return line(node.offset and value(node.offset), node.kind)


PRINTERS: dict[type, Callable[[Any], str]] = {
    ast.Identifier: lambda n: quote(n.text),
    ast.ObjectName: lambda n: _names(n.parts),
    ast.TypeName: _type_name,
    ast.Literal: literal,
    ast.VectorLiteral: lambda n: f"[{', '.join(map(repr, n.values))}]",
    ast.Default: lambda n: "DEFAULT",
    ast.ColumnName: lambda n: _names(n.parts),
    ast.Star: lambda n: f"{_names(n.qualifier)}.*" if n.qualifier else "*",
    ast.Variable: lambda n: f"@{n.name}",
    ast.Placeholder: _placeholder,
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.IsNull: _is_null,
    ast.IsDistinct: _is_distinct,
    ast.Between: _between,
    ast.Like: _like,
    ast.InList: _in_list,
    ast.InQuery: _in_query,
    ast.Quantified: _quantified,
    ast.Exists: lambda n: f"EXISTS ({n.query})",
    ast.Subquery: lambda n: f"({n.query})",
    ast.Case: _case,
    ast.Cast: _cast,
    ast.Collate: lambda n: f"{operand(n.operand, CHAIN)} COLLATE {quote(n.collation)}",
    ast.NamedArgument: lambda n: f"@{n.name} = {value(n.value)}",
    ast.FrameBound: _frame_bound,
    ast.Frame: _frame,
    ast.OrderItem: _order_item,
    ast.WindowSpec: _window,
    ast.FunctionCall: _function_call,
    ast.MethodCall: _method_call,
    ast.StaticCall: _static_call,
}
