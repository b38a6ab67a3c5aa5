"""Operators: functions named by their sign.

Differences from the relational engine that live here: integer `/` is its `//`; `/` of DECIMAL is
FLOAT; negation of an integer is a subtraction, so that it overflows instead of widening; `^` is
exclusive or (the engine's is a power); `+` joins strings. Division by zero raises by itself: the
engine runs with `error_on_division_by_zero` and without `ieee_floating_point_ops` (relational.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.coerce import as_decimal, can_cast
from hartonomous.hql.functions.coerce import meet as meet_two
from hartonomous.hql.functions.resolve import anything, describe, meet, template
from hartonomous.hql.functions.vectors import ADD, MULTIPLY, SUBTRACT
from hartonomous.hql.types import BIT, FLOAT, INT, NVARCHAR, VARBINARY, Type, decimal

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

_Resolved = tuple[Type, tuple[Type, ...]]


def _mismatch(sign: str, types: Sequence[Type], hint: str | None = None) -> BindFault:
    return BindFault(
        f"{sign} is not defined for {describe(types)}", code="TYPE_MISMATCH", hint=hint
    )


# --- arithmetic ----------------------------------------------------------------------------------


def _operand(sign: str, given: Type, types: Sequence[Type]) -> Type:
    """An operand of arithmetic as a number: BIT and NULL count as INT, a string stays for now."""
    if given.is_numeric or given.kind == "NVARCHAR":
        return given
    if given.kind in ("BIT", "NULL"):
        return INT
    raise _mismatch(sign, types)


def _numbers(sign: str, types: Sequence[Type]) -> tuple[Type, Type]:
    """Both operands as numbers; a string is cast to the other's type, two strings to FLOAT."""
    left, right = (_operand(sign, t, types) for t in types)
    if left.kind == "NVARCHAR":
        left = FLOAT if right.kind == "NVARCHAR" else right
    return left, (left if right.kind == "NVARCHAR" else right)


def _arithmetic(
    sign: str, exact: Callable[[Type, Type], Type], vector: Function | None
) -> Resolver:
    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
        if len(types) == 1:
            return _sign(sign, types)
        if vector is not None and any(t.kind == "VECTOR" for t in types):
            return vector.resolve(types, constants)
        left, right = _numbers(sign, types)
        if "DECIMAL" in (left.kind, right.kind) and left.is_exact and right.is_exact:
            left, right = as_decimal(left), as_decimal(right)
            result = exact(left, right)
            return result, ((left, right) if sign != "%" else (result, result))
        both = meet_two(left, right)
        assert both is not None, (left, right)
        return both, (both, both)

    return resolve


def _sign(sign: str, types: Sequence[Type]) -> _Resolved:
    if types[0].kind == "VECTOR":
        return types[0], (types[0],)
    kind = types[0].kind
    if sign == "+" and types[0].is_string:
        return types[0], (types[0],)  # as T-SQL: it changes nothing
    number = FLOAT if kind == "NVARCHAR" else _operand(sign, types[0], types)
    return number, (number,)


def _sum_type(a: Type, b: Type) -> Type:
    """The engine's rule: a digit more than the wider whole part, the longer scale."""
    (ap, as_), (bp, bs) = _digits(a), _digits(b)
    scale = max(as_, bs)
    return decimal(min(38, max(ap - as_, bp - bs) + scale + 1), scale)


def _product_type(a: Type, b: Type) -> Type:
    (ap, as_), (bp, bs) = _digits(a), _digits(b)
    if as_ + bs > 38:
        raise BindFault(
            f"{a} * {b} needs {as_ + bs} digits after the point, DECIMAL has 38",
            code="TYPE_MISMATCH",
            hint="cast one side to fewer, or to FLOAT",
        )
    scale = as_ + bs
    # the engine stays in 64 bits (18 digits) while both factors do and the scale lets it
    digits = 18 if ap + bp > 18 >= max(ap, bp) and scale < 18 else ap + bp
    return decimal(min(38, digits), scale)


def _remainder_type(a: Type, b: Type) -> Type:
    both = meet_two(a, b)
    assert both is not None
    return both


def _digits(type_: Type) -> tuple[int, int]:
    assert type_.a is not None and type_.b is not None, type_
    return type_.a, type_.b


def _resolve_plus(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    if len(types) == 2 and not any(t.is_numeric or t.is_wide for t in types):
        joined = _joined(types)
        if joined is not None:
            return joined
    return _PLUS(types, constants)


def _joined(types: Sequence[Type]) -> _Resolved | None:
    """Joining: strings with strings or NULL, bytes with bytes or NULL."""
    kinds = {t.kind for t in types} - {"NULL"}
    if kinds and kinds <= {"NVARCHAR", "JSON"}:
        return NVARCHAR, (NVARCHAR, NVARCHAR)
    if kinds == {"VARBINARY"}:
        return VARBINARY, (VARBINARY, VARBINARY)
    return None


def _resolve_join(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    joined = _joined(types)
    if joined is not None:
        return joined
    if all(can_cast(t, NVARCHAR) for t in types):
        return NVARCHAR, (NVARCHAR, NVARCHAR)
    raise _mismatch("||", types)


def _resolve_divide(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    left, right = _numbers("/", types)
    if left.kind == "DECIMAL" or right.kind == "DECIMAL":
        return FLOAT, (FLOAT, FLOAT)
    both = meet_two(left, right)
    assert both is not None, (left, right)
    return both, (both, both)


_PLUS = _arithmetic("+", _sum_type, ADD)
REMAINDER = _arithmetic("%", _remainder_type, None)


def _render_plus(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    if len(args) == 1:
        return args[0]
    return f"({args[0]} {'+' if result.is_numeric else '||'} {args[1]})"


def _render_minus(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    if len(args) == 2:
        return f"({args[0]} - {args[1]})"
    # the engine widens the negation of a constant; 0 - x would lose the sign of a FLOAT zero
    return f"(CAST(0 AS {result.relational}) - {args[0]})" if result.is_integer else f"(-{args[0]})"


def _render_divide(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    return f"({args[0]} {'//' if result.is_integer else '/'} {args[1]})"


# --- bits ----------------------------------------------------------------------------------------


def _bits(sign: str) -> Resolver:
    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
        both = meet(sign, types)
        if both.kind != "BIT" and not both.is_integer:
            raise _mismatch(sign, types, "cast both sides to an integer type")
        return both, (both,) * len(types)

    return resolve


def _render_bits(number: str, bit: str) -> Any:
    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        return (bit if result.kind == "BIT" else number).format(*args)

    return render


# --- comparisons and logic -----------------------------------------------------------------------


def _comparison(sign: str, wide: bool = False) -> Resolver:
    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
        both = meet(sign, types)
        if both.is_wide and not wide:
            raise _mismatch(sign, types, "vectors and geometries have no order")
        return BIT, (both,) * len(types)

    return resolve


def _logic(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    for type_ in types:
        if not can_cast(type_, BIT):
            raise _mismatch("a condition", types, "compare it with something")
    return BIT, (BIT,) * len(types)


def _one(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    argument = anything(types[0])
    assert argument is not None
    return BIT, (argument,)


def _resolve_like(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    for type_ in types:
        if not can_cast(type_, NVARCHAR):
            raise _mismatch("LIKE", types)
    escape = constants[2] if len(constants) > 2 else None
    if isinstance(escape, str) and len(escape) != 1:
        raise BindFault(f"ESCAPE takes one character, not '{escape}'", code="ARGUMENTS")
    return BIT, (NVARCHAR,) * len(types)


def _render_like(negation: str) -> Any:
    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        escape = f" ESCAPE {args[2]}" if len(args) > 2 else ""
        return f"({args[0]} {negation}LIKE {args[1]}{escape})"

    return render


def _resolve_nocase(types: Sequence[Type], constants: Sequence[Any]) -> _Resolved:
    if not can_cast(types[0], NVARCHAR):
        raise _mismatch("COLLATE NOCASE", types)
    return NVARCHAR, (types[0] if types[0].kind == "NVARCHAR" else NVARCHAR,)


# --- registry ------------------------------------------------------------------------------------


def _operator(
    name: str,
    resolve: Resolver,
    sql: Any,
    doc: str,
    example: str,
    null_on_null: bool = True,
    parameters: tuple[str, ...] = ("left", "right"),
) -> Function:
    render = template(sql) if isinstance(sql, str) else sql
    return Function(
        name, "scalar", resolve, render, None, parameters, doc, example, False, null_on_null
    )


_EQUALS = "1 when both sides are equal; strings by code point, vectors by their elements."

OPERATORS = (
    _operator("+", _resolve_plus, _render_plus,
              "Sum of numbers or vectors; strings on both sides are joined.", "1 + 2"),
    _operator("-", _arithmetic("-", _sum_type, SUBTRACT), _render_minus,
              "Difference of numbers or vectors; with one operand, its negative.", "5 - 7"),
    _operator("*", _arithmetic("*", _product_type, MULTIPLY), "({0} * {1})",
              "Product of numbers; vectors by element or by a number.", "6 * 7"),
    _operator("/", _resolve_divide, _render_divide,
              "Quotient: integers truncate toward zero, DECIMAL gives FLOAT. By zero is an error.",
              "-7 / 2"),
    _operator("%", REMAINDER, "({0} % {1})",
              "Remainder with the sign of the left side. By zero is an error.", "-7 % 2"),
    _operator("&", _bits("&"), _render_bits("({0} & {1})", "({0} AND {1})"),
              "Bitwise and.", "6 & 3"),
    _operator("|", _bits("|"), _render_bits("({0} | {1})", "({0} OR {1})"),
              "Bitwise or.", "6 | 3"),
    _operator("^", _bits("^"), _render_bits("xor({0}, {1})", "({0} <> {1})"),
              "Bitwise exclusive or.", "6 ^ 3"),
    _operator("~", _bits("~"), _render_bits("(~{0})", "(NOT {0})"),
              "Bitwise not.", "~6", parameters=("operand",)),
    _operator("||", _resolve_join, "({0} || {1})",
              "Strings joined; NULL makes NULL.", "'a' || 'b'"),
    _operator("=", _comparison("=", wide=True), "({0} = {1})", _EQUALS, "(1 = 1)"),
    _operator("<>", _comparison("<>", wide=True), "({0} <> {1})",
              "1 when the sides differ.", "(1 <> 2)"),
    _operator("<", _comparison("<"), "({0} < {1})", "1 when left is less.", "(1 < 2)"),
    _operator("<=", _comparison("<="), "({0} <= {1})", "1 when left is not more.", "(1 <= 2)"),
    _operator(">", _comparison(">"), "({0} > {1})", "1 when left is more.", "(2 > 1)"),
    _operator(">=", _comparison(">="), "({0} >= {1})", "1 when left is not less.", "(2 >= 1)"),
    _operator("IS DISTINCT FROM", _comparison("IS DISTINCT FROM", wide=True),
              "({0} IS DISTINCT FROM {1})",
              "Like <>, but NULL is a value like others.", "(NULL IS DISTINCT FROM 1)", False),
    _operator("IS NOT DISTINCT FROM", _comparison("IS NOT DISTINCT FROM", wide=True),
              "({0} IS NOT DISTINCT FROM {1})",
              "Like =, but NULL equals NULL.", "(NULL IS NOT DISTINCT FROM NULL)", False),
    _operator("IS NULL", _one, "({0} IS NULL)", "1 for NULL.", "(NULL IS NULL)", False,
              ("operand",)),
    _operator("IS NOT NULL", _one, "({0} IS NOT NULL)", "0 for NULL.", "(1 IS NOT NULL)", False,
              ("operand",)),
    _operator("AND", _logic, "({0} AND {1})", "Both, in three-valued logic.",
              "(1 = 1 AND 2 = 2)", False),
    _operator("OR", _logic, "({0} OR {1})", "Either, in three-valued logic.",
              "(1 = 1 OR 2 = 3)", False),
    _operator("NOT", _logic, "(NOT {0})", "The opposite; NULL stays NULL.", "(NOT 1 = 2)", True,
              ("operand",)),
    _operator("BETWEEN", _comparison("BETWEEN"), "({0} BETWEEN {1} AND {2})",
              "1 from low to high, both included.", "(2 BETWEEN 1 AND 3)", False,
              ("operand", "low", "high")),
    _operator("LIKE", _resolve_like, _render_like(""),
              "Pattern: % is any characters, _ is one; ESCAPE makes the next one plain.",
              "('abc' LIKE 'a%')", True, ("text", "pattern", "escape")),
    _operator("NOT LIKE", _resolve_like, _render_like("NOT "),
              "The opposite of LIKE.", "('abc' NOT LIKE 'b%')", True,
              ("text", "pattern", "escape")),
    _operator("__nocase", _resolve_nocase, "lower({0})",
              "What COLLATE NOCASE compares: the text in lower case.", "", True, ("text",)),
)  # fmt: skip
