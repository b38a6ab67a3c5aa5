"""Moments made of numbers, cut into buckets, moved between zones.

A DATETIMEOFFSET keeps the instant and not the offset. So `moment AT TIME ZONE 'z'` of a DATETIME2,
which it takes for a clock in that zone, is the instant; of a DATETIMEOFFSET it is what the zone's
clock shows then, a DATETIME2. `m AT TIME ZONE 'UTC' AT TIME ZONE 'z'` shows in both worlds what a
clock in z shows when UTC's shows m. Zones have the names of the tz database, or Windows' names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Renderer, Resolver
from hartonomous.hql.functions.coerce import can_cast
from hartonomous.hql.functions.dates import part_of, within_years, word_of
from hartonomous.hql.functions.resolve import (
    P,
    anything,
    exactly,
    quote,
    raise_sql,
    resolver,
    scalar,
    text,
    whole,
)
from hartonomous.hql.types import BIGINT, DATETIME2, DATETIMEOFFSET, NVARCHAR, TIME, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

# --- made of numbers -----------------------------------------------------------------------------

_RANGES = {
    "year": (1, 9999),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "milliseconds": (0, 999),
    "hour_offset": (-14, 14),
    "minute_offset": (-59, 59),
}
_DATE_PARTS = ("year", "month", "day")
_TIME_PARTS = ("hour", "minute", "second", "fractions")


def _numbers(names: Sequence[str]) -> tuple[P, ...]:
    return tuple([P(n, whole) for n in names])


def _with_precision(name: str, names: Sequence[str], result: Type) -> Resolver:
    """The precision, last, is a constant from 0 to 7."""
    plain = resolver(name, _numbers(names), result)

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        resolved = plain(types, constants)
        precision = constants[-1]
        if not isinstance(precision, int) or not 0 <= precision <= 7:
            raise BindFault(
                f"{name}: the precision must be a constant from 0 to 7", code="ARGUMENTS"
            )
        return resolved

    return resolve


def _made(name: str, names: Sequence[str], made: str) -> Renderer:
    """`made` over the parts by name, once each is within its range. `{micros}` are the fractions
    as an interval."""

    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        given = dict(zip(names, args, strict=True))
        ranges = {n: _RANGES[n] for n in names if n in _RANGES}
        if "precision" in given:
            precision = int(args[-1].removeprefix("CAST(").split(" ")[0])
            ranges["fractions"] = (0, 10**precision - 1)
            scale = f"* {10 ** (6 - precision)}" if precision < 7 else "// 10"
            given["micros"] = f"to_microseconds({given['fractions']} {scale})"
        whens = []
        for part, (low, high) in ranges.items():
            message = f"{name}: {part} must be from {low} to {high}"
            wrong = raise_sql("BAD_VALUE", span, message, result.relational)
            whens.append(f"WHEN {given[part]} NOT BETWEEN {low} AND {high} THEN {wrong}")
        if "hour_offset" in given:
            wrong = raise_sql(
                "BAD_VALUE", span, f"{name}: the offset is over 14:00, or has two signs",
                result.relational,
            )  # fmt: skip
            hours, minutes = given["hour_offset"], given["minute_offset"]
            whens.append(
                f"WHEN sign({hours}) * sign({minutes}) < 0 OR abs({hours} * 60 + {minutes}) > 840 "
                f"THEN {wrong}"
            )
        value = f"CAST({made.format(**given)} AS {result.relational})"
        if "hour_offset" in given:
            value = within_years(value, result, span, name)
        return f"(CASE {' '.join(whens)} ELSE {value} END)"

    return render


_CLOCK = "make_timestamp({year}, {month}, {day}, {hour}, {minute}, CAST({second} AS DOUBLE))"


def _parts_function(
    name: str, names: tuple[str, ...], result: Type, made: str, doc: str, example: str
) -> Function:
    has_precision = names[-1] == "precision"
    return scalar(
        name, _numbers(names), result, _made(name, names, made), doc, example,
        resolve=_with_precision(name, names, result) if has_precision else None,
    )  # fmt: skip


# --- buckets -------------------------------------------------------------------------------------

#: part -> microseconds, or months
_MICROSECONDS = {
    "week": 604_800_000_000,
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1000,
}
_MONTHS = {"year": 12, "quarter": 3, "month": 1}


def _resolve_bucket(
    types: Sequence[Type], constants: Sequence[Any]
) -> tuple[Type, tuple[Type, ...]]:
    if len(types) not in (3, 4):
        raise BindFault("DATE_BUCKET takes (datepart, number, value, [origin])", code="ARGUMENTS")
    part = part_of("DATE_BUCKET", constants[0])
    given = types[2] if types[2].is_temporal else DATETIME2
    if part not in _MICROSECONDS and part not in _MONTHS:
        raise BindFault(f"DATE_BUCKET: there are no buckets of a {part}", code="ARGUMENTS")
    if given.kind == "TIME" or not can_cast(types[2], given):
        raise BindFault(f"DATE_BUCKET: {types[2]} is no date", code="TYPE_MISMATCH")
    if given.kind == "DATE" and _MICROSECONDS.get(part, 1 << 62) < _MICROSECONDS["day"]:
        raise BindFault(f"DATE_BUCKET: a DATE has no {part}", code="TYPE_MISMATCH")
    for place in (1, 3)[: len(types) - 2]:
        wanted = BIGINT if place == 1 else given
        if not can_cast(types[place], wanted):
            raise BindFault(
                f"DATE_BUCKET: argument {place + 1} cannot be {types[place]}", code="TYPE_MISMATCH"
            )
    return given, (NVARCHAR, BIGINT, given, given)[: len(types)]


def _render_bucket(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part, number, value = word_of(args[0]), args[1], args[2]
    origin = args[3] if len(args) > 3 else f"CAST(DATE '1900-01-01' AS {result.relational})"
    unit = _MONTHS.get(part) or _MICROSECONDS[part]
    most = (1 << 31) - 1 if part in _MONTHS else (1 << 61) // unit
    wrong = raise_sql(
        "BAD_VALUE", span, f"DATE_BUCKET: the number must be from 1 to {most // 12:,}", "BIGINT"
    )
    checked = f"(CASE WHEN {number} NOT BETWEEN 1 AND {most // 12} THEN {wrong} ELSE {number} END)"
    width = f"({checked} * {unit})"
    if part in _MONTHS:
        apart = f"date_diff('month', {origin}, {value})"
        first = f"({apart} - ({apart} % {width} + {width}) % {width})"
        begun = f"({origin} + to_months(CAST({first} AS INTEGER)))"
        before = f"({origin} + to_months(CAST({first} - {width} AS INTEGER)))"
        cut = f"(CASE WHEN {begun} > {value} THEN {before} ELSE {begun} END)"
    else:
        apart = f"date_diff('microsecond', CAST({origin} AS TIMESTAMP), CAST({value} AS TIMESTAMP))"
        first = f"({apart} - ({apart} % {width} + {width}) % {width})"
        cut = f"(CAST({origin} AS TIMESTAMP) + to_microseconds({first}))"
    return within_years(f"CAST({cut} AS {result.relational})", result, span, "DATE_BUCKET")


# --- zones ---------------------------------------------------------------------------------------


def _resolve_zone(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
    if len(types) != 2:
        raise BindFault("AT_TIME_ZONE takes (value, zone)", code="ARGUMENTS")
    if types[0].kind == "TIME" or not can_cast(types[0], DATETIME2):
        raise BindFault(f"AT TIME ZONE: {types[0]} is no moment", code="TYPE_MISMATCH")
    if not can_cast(types[1], NVARCHAR):
        raise BindFault(f"AT TIME ZONE: {types[1]} is no name of a zone", code="TYPE_MISMATCH")
    if types[0].kind == "DATETIMEOFFSET":
        return DATETIME2, (DATETIMEOFFSET, NVARCHAR)
    return DATETIMEOFFSET, (DATETIME2, NVARCHAR)


def _render_zone(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    from hartonomous.hql.functions.windows_zones import WINDOWS_ZONES

    zone = args[1]
    if zone.startswith("'") and zone.endswith("'") and zone.count("'") == 2:
        zone = quote(WINDOWS_ZONES.get(zone[1:-1].lower(), zone[1:-1]))
    else:
        names = ", ".join(map(quote, WINDOWS_ZONES))
        zones = ", ".join(map(quote, WINDOWS_ZONES.values()))
        zone = f"coalesce(map([{names}], [{zones}])[lower({zone})], {zone})"
    if result.kind == "DATETIME2":
        moved = f"timezone({zone}, timezone('UTC', {args[0]}))"
    else:
        moved = f"timezone('UTC', timezone({zone}, {args[0]}))"
    return within_years(moved, result, span, "AT TIME ZONE")


def _offset(given: Type) -> Type | None:
    """`'+05:30'`, or minutes."""
    return BIGINT if given.is_integer else exactly(NVARCHAR)(given)


def _minutes(name: str, sql: str, type_: Type, span: Span) -> str:
    wrong = raise_sql("BAD_VALUE", span, f"{name}: offsets go from '-14:00' to '+14:00'", "BIGINT")
    if type_.is_integer:
        return f"(CASE WHEN abs({sql}) > 840 THEN {wrong} ELSE {sql} END)"
    hours = f"TRY_CAST(substring({sql}, 2, 2) AS BIGINT)"
    minutes = f"TRY_CAST(substring({sql}, 5, 2) AS BIGINT)"
    sign = f"(CASE WHEN left({sql}, 1) = '-' THEN -1 ELSE 1 END)"
    is_one = rf"regexp_full_match({sql}, '[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00')"
    value = f"{sign} * ({hours} * 60 + {minutes})"
    return f"(CASE WHEN NOT {is_one} THEN {wrong} ELSE {value} END)"


def _render_switch(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    minutes = _minutes("SWITCHOFFSET", args[1], types[1], span)
    return f"(CASE WHEN {minutes} IS NOT NULL THEN {args[0]} END)"


def _render_to_offset(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    minutes = _minutes("TODATETIMEOFFSET", args[1], types[1], span)
    moved = f"({args[0]} - to_minutes({minutes}))"
    return within_years(moved, result, span, "TODATETIMEOFFSET")


_OFFSETS = (*_DATE_PARTS, *_TIME_PARTS, "hour_offset", "minute_offset", "precision")

MOMENTS: tuple[Function, ...] = (
    _parts_function(
        "DATETIMEFROMPARTS", (*_DATE_PARTS, "hour", "minute", "second", "milliseconds"), DATETIME2,
        _CLOCK + " + to_milliseconds({milliseconds})",
        "A moment from its numbers.", "DATETIMEFROMPARTS(2026, 11, 22, 10, 30, 0, 500)"),
    _parts_function(
        "DATETIME2FROMPARTS", (*_DATE_PARTS, *_TIME_PARTS, "precision"), DATETIME2,
        _CLOCK + " + {micros}",
        "A moment from its numbers; `fractions` of a second have `precision` (0 to 7) digits, of "
        "which six are kept.", "DATETIME2FROMPARTS(2026, 11, 22, 10, 30, 0, 5, 1)"),
    _parts_function(
        "SMALLDATETIMEFROMPARTS", (*_DATE_PARTS, "hour", "minute"), DATETIME2,
        "make_timestamp({year}, {month}, {day}, {hour}, {minute}, CAST(0 AS DOUBLE))",
        "A moment from its numbers, to the minute.",
        "SMALLDATETIMEFROMPARTS(2026, 11, 22, 10, 30)"),
    _parts_function(
        "TIMEFROMPARTS", (*_TIME_PARTS, "precision"), TIME,
        "make_time({hour}, {minute}, CAST({second} AS DOUBLE)) + {micros}",
        "A time from its numbers, as DATETIME2FROMPARTS.", "TIMEFROMPARTS(10, 30, 0, 500, 3)"),
    _parts_function(
        "DATETIMEOFFSETFROMPARTS", _OFFSETS, DATETIMEOFFSET,
        _CLOCK + " + {micros} - to_minutes({hour_offset} * 60 + {minute_offset})",
        "The instant of a clock that is so far from UTC.",
        "DATETIMEOFFSETFROMPARTS(2026, 11, 22, 10, 30, 0, 0, 1, 0, 0)"),
    scalar("DATE_BUCKET", (P("datepart", text), P("number", whole), P("value", anything),
                           P("origin", anything, optional=True)), 2, _render_bucket,
           "The beginning of the bucket of `number` parts that a moment lies in; buckets are "
           "counted from the origin, 1900-01-01 unless given.",
           "DATE_BUCKET(week, 2, CAST('2026-11-22' AS DATE))", resolve=_resolve_bucket),
    scalar("AT_TIME_ZONE", (P("value", anything), P("zone", text)), DATETIMEOFFSET, _render_zone,
           "The instant when a clock in the zone shows a DATETIME2; of a DATETIMEOFFSET, what a "
           "clock there shows then. Written `value AT TIME ZONE zone` too.",
           "CAST('2026-07-01 12:00' AS DATETIME2) AT TIME ZONE 'Europe/Berlin'",
           resolve=_resolve_zone),
    scalar("SWITCHOFFSET", (P("value", exactly(DATETIMEOFFSET)), P("offset", _offset)),
           DATETIMEOFFSET, _render_switch,
           "The same instant: a DATETIMEOFFSET keeps no offset. AT TIME ZONE shows other clocks.",
           "SWITCHOFFSET('2026-11-22 10:30+01:00', '+05:30')"),
    scalar("TODATETIMEOFFSET", (P("value", exactly(DATETIME2)), P("offset", _offset)),
           DATETIMEOFFSET, _render_to_offset,
           "The instant of a clock that is so far from UTC: '+05:30', or minutes.",
           "TODATETIMEOFFSET('2026-11-22 10:30', '+05:30')"),
    scalar("CURRENT_TIMEZONE", (), NVARCHAR, "'UTC'", "The zone of times without one: UTC.",
           "CURRENT_TIMEZONE()"),
)  # fmt: skip
