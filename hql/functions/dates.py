"""Functions of dates and times. Times without a zone are UTC.

A `part` is a bare word (`day`, `dd` …) that the binder hands over as a string constant: functions
whose first parameter is named `part` take one. Weeks begin on Sunday, as in T-SQL's default;
`iso_week` is the standard's. Results outside the years 1 to 9999 are an OVERFLOW error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function, Resolver
from hartonomous.hql.functions.casts import cast_sql
from hartonomous.hql.functions.coerce import can_cast
from hartonomous.hql.functions.resolve import P, anything, exactly, raise_sql, scalar, text, whole
from hartonomous.hql.types import (
    BIGINT,
    DATE,
    DATETIME2,
    DATETIMEOFFSET,
    INT,
    NVARCHAR,
    TIME,
    Type,
)

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

#: part -> its abbreviations
PARTS = {
    "year": ("yy", "yyyy"),
    "quarter": ("qq", "q"),
    "month": ("mm", "m"),
    "dayofyear": ("dy", "y"),
    "day": ("dd", "d"),
    "week": ("wk", "ww"),
    "iso_week": ("isowk", "isoww"),
    "weekday": ("dw", "w"),
    "hour": ("hh",),
    "minute": ("mi", "n"),
    "second": ("ss", "s"),
    "millisecond": ("ms",),
    "microsecond": ("mcs",),
    "nanosecond": ("ns",),
}
_NAMES = {name: part for part, short in PARTS.items() for name in (part, *short)}
_DAY_OR_MORE = ("year", "quarter", "month", "dayofyear", "day", "week", "iso_week", "weekday")


def part_of(name: str, constant: Any) -> str:
    """The part that a constant names; a BindFault with the nearest one."""
    part = _NAMES.get(str(constant).lower()) if isinstance(constant, str) else None
    if part is None:
        import difflib

        near = difflib.get_close_matches(str(constant).lower(), list(_NAMES), 1)
        raise BindFault(
            f"{name}: {constant if constant is not None else 'this'} is not a part of a date",
            code="ARGUMENTS",
            hint=f"did you mean {near[0]}?" if near else "year, month, day, hour …",
        )
    return part


def _temporal(name: str, given: Type) -> Type:
    if given.is_temporal:
        return given
    if can_cast(given, DATETIME2):
        return DATETIME2
    raise BindFault(f"{name}: {given} is neither date nor time", code="TYPE_MISMATCH")


def _resolver(
    name: str, count: int, pattern: Callable[[str, Sequence[Type]], tuple[Type, tuple[Type, ...]]]
) -> Resolver:
    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        if len(types) != count:
            raise BindFault(f"{name} takes {count} arguments", code="ARGUMENTS")
        result, casts = pattern(part_of(name, constants[0]), types)
        return result, (NVARCHAR, *casts)

    return resolve


def _check_fits(name: str, part: str, given: Type) -> None:
    if given.kind == "DATE" and part not in _DAY_OR_MORE:
        raise BindFault(f"{name}: a DATE has no {part}; cast it to DATETIME2", code="TYPE_MISMATCH")
    if given.kind == "TIME" and part in _DAY_OR_MORE:
        raise BindFault(f"{name}: a TIME has no {part}", code="TYPE_MISMATCH")


def _add_types(part: str, types: Sequence[Type]) -> tuple[Type, tuple[Type, ...]]:
    given = _temporal("DATEADD", types[2])
    _check_fits("DATEADD", part, given)
    if not can_cast(types[1], BIGINT):
        raise BindFault(f"DATEADD: {types[1]} is not a number", code="TYPE_MISMATCH")
    return given, (BIGINT, given)


def _difference_types(result: Type) -> Callable[[str, Sequence[Type]], Any]:
    def pattern(part: str, types: Sequence[Type]) -> tuple[Type, tuple[Type, ...]]:
        first, second = (_temporal("DATEDIFF", t) for t in types[1:])
        both_times = first.kind == second.kind == "TIME"
        if (first.kind == "TIME") != (second.kind == "TIME"):
            raise BindFault("DATEDIFF: a TIME and a date do not compare", code="TYPE_MISMATCH")
        both = TIME if both_times else DATETIME2
        if first.kind == second.kind == "DATE" and part in _DAY_OR_MORE:
            both = DATE
        _check_fits("DATEDIFF", part, both)
        return result, (both, both)

    return pattern


def _part_types(name: str, result: Type | None) -> Callable[[str, Sequence[Type]], Any]:
    def pattern(part: str, types: Sequence[Type]) -> tuple[Type, tuple[Type, ...]]:
        given = _temporal(name, types[1])
        if name == "DATETRUNC" or given.kind == "TIME":
            _check_fits(name, part, given)
        if given.kind == "DATE" and part not in _DAY_OR_MORE:
            given = DATETIME2
        return result or given, (given,)

    return pattern


# --- rendering -----------------------------------------------------------------------------------

_INTERVALS = {
    "year": ("to_years", 1),
    "quarter": ("to_months", 3),
    "month": ("to_months", 1),
    "week": ("to_days", 7),
    "iso_week": ("to_days", 7),
    "hour": ("to_hours", 1),
    "minute": ("to_minutes", 1),
    "second": ("to_seconds", 1),
    "millisecond": ("to_milliseconds", 1),
    "microsecond": ("to_microseconds", 1),
    "nanosecond": ("to_microseconds", 1),
}


def word_of(sql: str) -> str:
    """The part back from its constant's SQL."""
    return _NAMES[sql.split("'")[1].lower()]


def _render_add(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part = word_of(args[0])
    function, factor = _INTERVALS.get(part, ("to_days", 1))
    count = args[1] if factor == 1 else f"({args[1]} * {factor})"
    if part == "nanosecond":
        count = f"({count} // 1000)"
    if function in ("to_years", "to_months", "to_days"):
        count = f"CAST({count} AS INTEGER)"
    moved = f"CAST({args[2]} + {function}({count}) AS {result.relational})"
    return moved if result.kind == "TIME" else within_years(moved, result, span, "DATEADD")


def within_years(sql: str, result: Type, span: Span, name: str) -> str:
    """`sql`, or OVERFLOW when it lies outside the years 1 to 9999."""
    beyond = raise_sql(
        "OVERFLOW", span, f"{name}: the result is outside the years 1 to 9999", result.relational
    )
    return f"(CASE WHEN year({sql}) NOT BETWEEN 1 AND 9999 THEN {beyond} ELSE {sql} END)"


def _render_difference(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part, first, second = word_of(args[0]), args[1], args[2]
    if part == "week":
        difference = f"({_weeks(second)} - {_weeks(first)})"
    elif part == "iso_week":
        difference = f"({_weeks(second, 0)} - {_weeks(first, 0)})"
    elif part == "nanosecond":
        difference = f"(date_diff('microsecond', {first}, {second}) * 1000)"
    else:
        unit = "day" if part in ("dayofyear", "weekday") else part
        difference = f"date_diff('{unit}', {first}, {second})"
    return f"CAST({difference} AS {result.relational})"


def _weeks(sql: str, shift: int = 1) -> str:
    """Weeks since the beginning of the calendar, a Monday; shifted by one day, those of Sundays."""
    return f"((date_diff('day', DATE '0001-01-01', CAST({sql} AS DATE)) + {shift}) // 7)"


_FIELDS = {
    "weekday": "(dayofweek({0}) + 1)",
    "iso_week": "week({0})",
    "week": "((dayofyear({0}) + dayofweek(CAST(date_trunc('year', {0}) AS DATE)) - 1) // 7 + 1)",
    "millisecond": "(millisecond({0}) % 1000)",
    "microsecond": "(microsecond({0}) % 1000000)",
    "nanosecond": "(microsecond({0}) % 1000000 * 1000)",
}


def _render_field(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part = word_of(args[0])
    return f"CAST({_FIELDS.get(part, part + '({0})').format(args[1])} AS INTEGER)"


def _render_name(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part = word_of(args[0])
    if part in ("month", "weekday"):
        return f"{'monthname' if part == 'month' else 'dayname'}({args[1]})"
    return f"CAST({_render_field(args, types, INT, span)} AS VARCHAR)"


def _render_truncate(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    part, value = word_of(args[0]), args[1]
    if part == "week":
        cut = f"(date_trunc('week', {value} + to_days(1)) - to_days(1))"
    elif part in ("nanosecond", "microsecond"):
        cut = value
    else:
        unit = {"iso_week": "week", "dayofyear": "day", "weekday": "day"}.get(part, part)
        if result.kind == "TIME":
            cut = f"CAST(date_trunc('{unit}', DATE '2000-01-01' + {value}) AS TIME)"
        else:
            cut = f"date_trunc('{unit}', {value})"
    return f"CAST({cut} AS {result.relational})"


def _render_month_end(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    if len(args) == 1:
        return f"last_day({args[0]})"
    moved = f"CAST(last_day({args[0]} + to_months(CAST({args[1]} AS INTEGER))) AS DATE)"
    return within_years(moved, result, span, "EOMONTH")


def _render_make(name: str, made: str) -> Any:
    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        year = raise_sql("BAD_VALUE", span, f"{name}: the year is outside 1 to 9999", "BIGINT")
        checked = f"(CASE WHEN {args[0]} NOT BETWEEN 1 AND 9999 THEN {year} ELSE {args[0]} END)"
        return made.format(checked, *args[1:])

    return render


def _render_is_date(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
    moment = cast_sql(args[0], NVARCHAR, DATETIME2, True, span)
    return f"(CASE WHEN {moment} IS NULL THEN 0 ELSE 1 END)"


_P = P("datepart", text)
_V = P("value", anything)
_DATE = P("date", exactly(DATE))
_NOW = "CAST(now() AS TIMESTAMP)"
_NUMBERS = tuple(P(n, whole) for n in ("year", "month", "day"))


def _now(name: str, result: Type, sql: str, doc: str) -> Function:
    return scalar(name, (), result, sql, doc, f"DATEDIFF(day, {name}(), {name}())", volatile=True)


DATES: tuple[Function, ...] = (
    _now("GETDATE", DATETIME2, _NOW, "This moment, UTC."),
    _now("SYSDATETIMEOFFSET", DATETIMEOFFSET, _NOW, "This moment."),
    _now("CURRENT_DATE", DATE, f"CAST({_NOW} AS DATE)", "Today, UTC."),
    scalar("DATEADD", (_P, P("number", whole), _V), 2, _render_add,
           "`number` parts later; the end of a month stays in the month.",
           "DATEADD(month, 1, CAST('2026-01-31' AS DATE))",
           resolve=_resolver("DATEADD", 3, _add_types)),
    scalar("DATEDIFF", (_P, P("from", anything), P("to", anything)), INT, _render_difference,
           "How many boundaries of the part lie between.",
           "DATEDIFF(day, '2026-01-31', '2026-02-02')",
           resolve=_resolver("DATEDIFF", 3, _difference_types(INT))),
    scalar("DATEDIFF_BIG", (_P, P("from", anything), P("to", anything)), BIGINT,
           _render_difference, "As DATEDIFF, as BIGINT.",
           "DATEDIFF_BIG(second, '0001-01-01', '9999-01-01')",
           resolve=_resolver("DATEDIFF_BIG", 3, _difference_types(BIGINT))),
    scalar("DATEPART", (_P, _V), INT, _render_field, "A part as a number; Sunday is weekday 1.",
           "DATEPART(weekday, '2026-11-22')",
           resolve=_resolver("DATEPART", 2, _part_types("DATEPART", INT))),
    scalar("DATENAME", (_P, _V), NVARCHAR, _render_name,
           "A part as text; months and weekdays by their English names.",
           "DATENAME(weekday, '2026-11-22')",
           resolve=_resolver("DATENAME", 2, _part_types("DATENAME", NVARCHAR))),
    scalar("DATETRUNC", (_P, _V), 1, _render_truncate, "Cut off after the part.",
           "DATETRUNC(month, CAST('2026-11-22' AS DATE))",
           resolve=_resolver("DATETRUNC", 2, _part_types("DATETRUNC", None))),
    scalar("YEAR", (_DATE,), INT, "CAST(year({0}) AS INTEGER)", "The year.",
           "YEAR('2026-11-22')"),
    scalar("MONTH", (_DATE,), INT, "CAST(month({0}) AS INTEGER)", "The month, 1 to 12.",
           "MONTH('2026-11-22')"),
    scalar("DAY", (_DATE,), INT, "CAST(day({0}) AS INTEGER)", "The day of the month.",
           "DAY('2026-11-22')"),
    scalar("EOMONTH", (_DATE, P("months", whole, optional=True)), DATE, _render_month_end,
           "The last day of the month, or of one `months` later.", "EOMONTH('2026-02-01')"),
    scalar("DATEFROMPARTS", _NUMBERS, DATE,
           _render_make("DATEFROMPARTS", "make_date({0}, {1}, {2})"),
           "A date from its numbers.", "DATEFROMPARTS(2026, 11, 22)"),
    scalar("ISDATE", (P("text", text),), INT,
           _render_is_date, "1 when the text casts to DATETIME2.", "ISDATE('2026-02-30')",
           null_on_null=False),
)  # fmt: skip
