"""Functions of bits: counting, shifting, reading and setting them; checksums.

Shifts are logical, as T-SQL's: what is shifted in is 0, also on the left of a negative number, and
a shift by a negative number goes the other way. Checksums are ours, not T-SQL's: 32 bits of the MD5
of the values' texts, the same on every machine and in every version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hartonomous.hql.functions.base import Function, Renderer
from hartonomous.hql.functions.casts import text_sql
from hartonomous.hql.functions.resolve import P, narrow, raise_sql, scalar, whole
from hartonomous.hql.types import BIGINT, BIT, BITS, INT, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span


def _integer(given: Type) -> Type | None:
    """An integer of any width; BIT and NULL count as INT."""
    if given.is_integer:
        return given
    return INT if given.kind in ("BIT", "NULL") else None


def _integer_or_binary(given: Type) -> Type | None:
    return given if given.kind == "VARBINARY" else _integer(given)


def _render_count(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    if types[0].kind == "VARBINARY":
        bits = f"bit_count(CAST({args[0]} AS BIT))"
        return f"CAST((CASE WHEN octet_length({args[0]}) = 0 THEN 0 ELSE {bits} END) AS BIGINT)"
    return f"CAST(bit_count({args[0]}) AS BIGINT)"


def _shift(sign: str, back: str) -> Renderer:
    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        bits, by = f"CAST({args[0]} AS BIT)", args[1]
        there = f"({bits} {sign} CAST(least({by}, 64) AS INTEGER))"
        other = f"({bits} {back} CAST(least(0 - greatest({by}, -64), 64) AS INTEGER))"
        shifted = f"CASE WHEN {by} < 0 THEN {other} WHEN {by} >= 0 THEN {there} END"
        return f"CAST(({shifted}) AS {result.relational})"

    return render


def _place(name: str, place: str, type_: Type, span: Span) -> str:
    """The engine's place of a bit, counted from the left, or BAD_VALUE."""
    last = BITS[type_.kind] - 1
    wrong = raise_sql("BAD_VALUE", span, f"{name}: {type_} has bits 0 to {last}", "BIGINT")
    checked = f"(CASE WHEN {place} NOT BETWEEN 0 AND {last} THEN {wrong} ELSE {place} END)"
    return f"CAST({last} - {checked} AS INTEGER)"


def _render_get(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    place = _place("GET_BIT", args[1], types[0], span)
    return f"(get_bit(CAST({args[0]} AS BIT), {place}) = 1)"


def _render_set(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    place = _place("SET_BIT", args[1], types[0], span)
    bit = f"CAST({args[2]} AS INTEGER)" if len(args) > 2 else "1"
    return f"CAST(set_bit(CAST({args[0]} AS BIT), {place}, {bit}) AS {result.relational})"


def _bit(given: Type) -> Type | None:
    return BIT if given.is_numeric or given.kind in ("BIT", "NULL") else None


# --- checksums -----------------------------------------------------------------------------------


def _render_checksum(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    """NULL counts as a control character, and another stands between values."""
    texts = [
        f"hex({sql})" if type_.kind == "VARBINARY" else text_sql(sql, type_)
        for sql, type_ in zip(args, types, strict=True)
    ]
    joined = ", ".join(f"coalesce({t}, chr(30))" for t in texts)
    number = f"md5_number_lower(concat_ws(chr(31), {joined}))"
    return f"CAST(CAST({number} & CAST(4294967295 AS UBIGINT) AS BIGINT) - 2147483648 AS INTEGER)"


_N = P("number", _integer)
_VALUES = (P("value", narrow, many=True),)
_CHECKSUM = "A number made of all arguments' texts, NULLs too: equal lists have equal ones."

BIT_FUNCTIONS: tuple[Function, ...] = (
    scalar("BIT_COUNT", (P("value", _integer_or_binary),), BIGINT, _render_count,
           "How many bits are 1, in an integer or in bytes.", "BIT_COUNT(7)"),
    scalar("LEFT_SHIFT", (_N, P("by", whole)), 0, _shift("<<", ">>"),
           "The bits moved to the left; those that leave the type are lost.", "LEFT_SHIFT(5, 2)"),
    scalar("RIGHT_SHIFT", (_N, P("by", whole)), 0, _shift(">>", "<<"),
           "The bits moved to the right; zeros come in on the left, of negative numbers too.",
           "RIGHT_SHIFT(20, 2)"),
    scalar("GET_BIT", (_N, P("place", whole)), BIT, _render_get,
           "The bit at a place; 0 is the lowest.", "GET_BIT(4, 2)"),
    scalar("SET_BIT", (_N, P("place", whole), P("bit", _bit, optional=True)), 0, _render_set,
           "With the bit at a place set to 1, or to what is given.", "SET_BIT(4, 0)"),
    scalar("CHECKSUM", _VALUES, INT, _render_checksum, _CHECKSUM, "CHECKSUM('a', 1, NULL)",
           null_on_null=False),
)  # fmt: skip
