"""Aggregate functions, also over windows.

Their renderers get two more texts after the arguments: what follows the last argument inside the
parentheses (ORDER BY) and what follows the parentheses (FILTER, OVER). The first argument begins
with DISTINCT where that was asked for.

Differences from the engine: SUM of integers is BIGINT (the engine's 128-bit sum is cast, so that it
overflows), COUNT of anything is BIGINT.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Renderer, Resolver
from hartonomous.hql.functions.geometry import GEOMETRY_AGGREGATES
from hartonomous.hql.functions.resolve import (
    P,
    anything,
    approximate,
    exactly,
    narrow,
    number,
    resolver,
    text,
)
from hartonomous.hql.functions.vectors import VECTOR_AGGREGATES
from hartonomous.hql.types import BIGINT, FLOAT, INT, NVARCHAR, Type, decimal

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span


def call(name: str, cast: bool = False) -> Renderer:
    """`name(arguments)` with what was asked for inside and behind the parentheses."""

    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        *values, inside, behind = args
        made = f"{name}({', '.join(values)}{inside}){behind}"
        return f"CAST({made} AS {result.relational})" if cast else made

    return render


def _sum_type(types: Sequence[Type]) -> Type:
    given = types[0]
    if given.is_integer:
        return BIGINT
    return decimal(38, given.b or 0) if given.kind == "DECIMAL" else FLOAT


def _count_star(name: str) -> Resolver:
    """COUNT(*) has no argument here."""
    one = resolver(name, (P("value", anything),), BIGINT)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        return one(types, constants) if types else (BIGINT, ())

    return resolve


def _render_count(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    *values, _, behind = args
    return f"count({values[0] if values else '*'}){behind}"


def _nocase(name: str) -> Renderer:
    """The first or last text in lower case; of texts that differ in case only, by code point."""

    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        value, inside, behind = args
        value = value.removeprefix("DISTINCT ")
        return f"{name}({value}, (lower({value}), {value}){inside}){behind}"

    return render


def _resolve_grouping(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if not types:
        raise BindFault("GROUPING takes one or more grouped expressions", code="ARGUMENTS")
    return INT, tuple(types)


def over_rows(
    kind: str,
    name: str,
    parameters: tuple[P, ...],
    result: Any,
    render: Renderer,
    doc: str,
    example: str,
    resolve: Resolver | None = None,
) -> Function:
    """A function of many rows: kind is aggregate or window."""
    return Function(
        name=name,
        kind=kind,
        resolve=resolve or resolver(name, parameters, result),
        render=render,
        parameters=tuple(p.name for p in parameters),
        doc=doc,
        example=example,
        null_on_null=False,
    )


_aggregate = partial(over_rows, "aggregate")


_N = (P("number", number),)
_F = (P("number", approximate),)
_V = (P("value", narrow),)
_T = (P("text", text),)

AGGREGATES: tuple[Function, ...] = (
    _aggregate("COUNT", (P("value", anything),), BIGINT, _render_count,
               "How many rows, or how many values that are not NULL.", "COUNT(*)",
               _count_star("COUNT")),
    _aggregate("SUM", _N, _sum_type, call("sum", cast=True),
               "The sum: BIGINT of integers, DECIMAL(38,s) of decimals, else FLOAT.", "SUM(n)"),
    _aggregate("AVG", _N, FLOAT, call("avg"), "The mean, as FLOAT.", "AVG(n)"),
    _aggregate("MIN", _V, 0, call("min"), "The least value.", "MIN(n)"),
    _aggregate("MAX", _V, 0, call("max"), "The greatest value.", "MAX(n)"),
    _aggregate("__NOCASE_MIN", _T, 0, _nocase("arg_min"), "MIN under COLLATE NOCASE.", ""),
    _aggregate("__NOCASE_MAX", _T, 0, _nocase("arg_max"), "MAX under COLLATE NOCASE.", ""),
    _aggregate("STDEV", _F, FLOAT, call("stddev_samp"),
               "Standard deviation of a sample; NULL for one value.", "STDEV(n)"),
    _aggregate("STDEVP", _F, FLOAT, call("stddev_pop"), "Standard deviation of a population.",
               "STDEVP(n)"),
    _aggregate("VAR", _F, FLOAT, call("var_samp"), "Variance of a sample; NULL for one value.",
               "VAR(n)"),
    _aggregate("VARP", _F, FLOAT, call("var_pop"), "Variance of a population.", "VARP(n)"),
    _aggregate("STRING_AGG", (P("text", text), P("separator", exactly(NVARCHAR))), NVARCHAR,
               call("string_agg"), "The texts joined, in the order of WITHIN GROUP.",
               "STRING_AGG(s, ',') WITHIN GROUP (ORDER BY s)"),
    _aggregate("APPROX_COUNT_DISTINCT", _V, BIGINT, call("approx_count_distinct"),
               "About how many different values, from a sketch.", "APPROX_COUNT_DISTINCT(n)"),
    _aggregate("GROUPING", (P("expression", anything),), INT, call("grouping", cast=True),
               "1 when the grouping set leaves the expression out; of several, their bits.",
               "GROUPING(s)", _resolve_grouping),
    *VECTOR_AGGREGATES,
    *GEOMETRY_AGGREGATES,
)  # fmt: skip
