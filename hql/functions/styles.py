"""CONVERT with a style: T-SQL's numbers for how dates, bytes and FLOATs are written as text.

Dates and times (of a DATE or TIME the part that it has), those below 100 with years of two digits,
which read 00 to 49 as 2000 to 2049:

    0 100  Nov  2 2026 10:30AM          1 101  11/02/2026       2 102  2026.11.02
    9 109  … 10:30:15:123AM             3 103  02/11/2026       4 104  02.11.2026
    13 113 02 Nov 2026 10:30:15:123     5 105  02-11-2026       6 106  02 Nov 2026
    14 114 10:30:15:123                 7 107  Nov 02, 2026     10 110 11-02-2026
    8 24 108   10:30:15                 11 111 2026/11/02       12 112 20261102
    20 120 2026-11-02 10:30:15          21 25 121 … .123        23     2026-11-02
    22     11/02/26 10:30:15 AM         126    2026-11-02T10:30:15.123     127 with Z

Bytes: 0 as CAST, 1 hexadecimal with 0x, 2 without. FLOAT: 0 six digits, 1 eight and 2 sixteen with
an exponent, 3 as CAST. Elsewhere a style changes nothing. Unlike CAST, a text that is too long is
cut: `CONVERT(VARCHAR(10), moment, 120)` is the date.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import BindFault
from hartonomous.hql.functions.base import Function
from hartonomous.hql.functions.resolve import quote, raise_sql
from hartonomous.hql.types import Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

_CLOCK, _MILLIS = "%H:%M:%S", "%H:%M:%S:%g"
#: style -> formats of date and time, and what parts them; `%e` and `%l` are day and hour after
#: blanks in place of zeros. Styles below 100 with a year of four digits have it in T-SQL too.
_FORMATS: Final[dict[int, tuple[str, str, str]]] = {
    100: ("%b %e %Y", " ", "%l:%M%p"),
    101: ("%m/%d/%Y", "", ""),
    102: ("%Y.%m.%d", "", ""),
    103: ("%d/%m/%Y", "", ""),
    104: ("%d.%m.%Y", "", ""),
    105: ("%d-%m-%Y", "", ""),
    106: ("%d %b %Y", "", ""),
    107: ("%b %d, %Y", "", ""),
    108: ("", "", _CLOCK),
    109: ("%b %e %Y", " ", "%l:%M:%S:%g%p"),
    110: ("%m-%d-%Y", "", ""),
    111: ("%Y/%m/%d", "", ""),
    112: ("%Y%m%d", "", ""),
    113: ("%d %b %Y", " ", _MILLIS),
    114: ("", "", _MILLIS),
    120: ("%Y-%m-%d", " ", _CLOCK),
    121: ("%Y-%m-%d", " ", "%H:%M:%S.%g"),
    22: ("%m/%d/%y", " ", "%l:%M:%S %p"),
    23: ("%Y-%m-%d", "", ""),
    126: ("%Y-%m-%d", "T", _CLOCK + "%F"),
    127: ("%Y-%m-%d", "T", _CLOCK + "%F"),
}
_SAME: Final = {0: 100, 9: 109, 13: 113, 8: 108, 24: 108, 14: 114, 20: 120, 21: 121, 25: 121}


def _formats(style: int) -> tuple[str, str, str] | None:
    style = _SAME.get(style, style)
    if style in _FORMATS:
        return _FORMATS[style]
    if style + 100 not in _FORMATS or not 1 <= style <= 12:
        return None
    date, between, clock = _FORMATS[style + 100]
    return date.replace("%Y", "%y"), between, clock


def styled(source: Type, target: Type, style: int, try_: bool) -> Function | None:
    """The function that converts with this style; None where it changes nothing. BindFault for a
    style that there is not."""
    is_time = source.is_temporal and target.is_string
    if is_time or (source.is_string and target.is_temporal):
        formats = _formats(style)
        wanted = source if is_time else target
        if formats is None or (wanted.kind == "TIME" and not formats[2]):
            there = sorted([*_FORMATS, *_SAME, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12])
            raise BindFault(
                f"CONVERT: {wanted} has no style {style}",
                code="ARGUMENTS",
                hint="there are " + ", ".join(map(str, there)),
            )
        if not is_time and style in (20, 21, 23, 25, 120, 121, 126, 127):
            return None  # they are read as CAST reads them
    elif "VARBINARY" in (source.kind, target.kind) and (source.is_string or target.is_string):
        if style not in (0, 1, 2):
            raise BindFault("CONVERT: bytes have the styles 0, 1 and 2", code="ARGUMENTS")
        if style == 0:
            return None
    elif source.is_float and target.is_string:
        if style not in (0, 1, 2, 3):
            raise BindFault("CONVERT: FLOAT has the styles 0 to 3", code="ARGUMENTS")
        if style == 3:
            return None
    else:
        return None
    return _function(source, target, style, try_)


@cache
def _function(source: Type, target: Type, style: int, try_: bool) -> Function:
    """One object for equal conversions, so that calls compare."""

    def resolve(types: Sequence[Type], constants: Sequence[Any]) -> tuple[Type, tuple[Type, ...]]:
        return target, (source,)

    def render(args: Sequence[str], types: Sequence[Type], result: Type, span: Span) -> str:
        if source.is_temporal:
            return _cut(_written(args[0], source, style), target)
        if target.is_temporal:
            return _read(args[0], target, style, try_, span)
        if source.kind == "VARBINARY":
            return _cut(f"('{'0x' if style == 1 else ''}' || hex({args[0]}))", target)
        if target.kind == "VARBINARY":
            return _bytes(args[0], target, style, try_, span)
        return _cut(_number(args[0], style), target)

    return Function(name="CONVERT", kind="scalar", resolve=resolve, render=render)


def _cut(text: str, target: Type) -> str:
    return text if target.a is None else f"left({text}, {target.a})"


# --- times as text -------------------------------------------------------------------------------


def _written(sql: str, source: Type, style: int) -> str:
    formats = _formats(style)
    assert formats is not None
    date, between, clock = formats
    moment = sql
    if source.kind == "DATE":
        moment, (between, clock) = f"CAST({sql} AS TIMESTAMP)", ("", "" if date else clock)
    elif source.kind == "TIME":
        moment, (date, between) = f"(DATE '1900-01-01' + {sql})", ("", "")
    text = " || ".join(_piece(moment, f) for f in _pieces(date + between + clock))
    if source.kind == "DATETIMEOFFSET" and date and clock:
        text += " || '" + ("Z" if style == 127 else "+00:00" if style == 126 else " +00:00") + "'"
    elif style == 127 and clock:
        text += " || 'Z'"
    return f"({text})"


def _pieces(form: str) -> list[str]:
    """The format cut where the engine has no letter of its own."""
    pieces, last = [], 0
    for at in range(len(form)):
        if form[at : at + 2] in ("%e", "%l", "%F"):
            pieces += [form[last:at], form[at : at + 2]]
            last = at + 2
    return [p for p in (*pieces, form[last:]) if p]


def _piece(moment: str, form: str) -> str:
    if form == "%e":
        return f"lpad(strftime({moment}, '%-d'), 2, ' ')"
    if form == "%l":
        return f"lpad(strftime({moment}, '%-I'), 2, ' ')"
    if form == "%F":  # of no fraction nothing, of milliseconds three digits, else six
        whens = f"WHEN microsecond({moment}) % 1000000 = 0 THEN '' "
        whens += f"WHEN microsecond({moment}) % 1000 = 0 THEN strftime({moment}, '.%g')"
        return f"(CASE {whens} ELSE strftime({moment}, '.%f') END)"
    return f"strftime({moment}, {quote(form)})"


# --- text as times -------------------------------------------------------------------------------

_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M%p", "%I:%M:%S%p", "%I:%M:%S.%f%p")


def _read(sql: str, target: Type, style: int, try_: bool, span: Span) -> str:
    """Read by the order of the style; `/`, `-` and `.` part a date alike, a time may follow."""
    formats = _formats(style)
    assert formats is not None
    date = formats[0].replace("/", "-").replace(".", "-").replace("%e", "%d").replace(",", "")
    all_forms = [f"{date} {c}" for c in _CLOCKS] if date else list(_CLOCKS)
    if date:
        all_forms.append(date)
    blanks = rf"regexp_replace(replace(trim({sql}, E' \t\r\n'), ',', ' '), '\s+', ' ', 'g')"
    even = rf"regexp_replace({blanks}, '^(\d+)[-/.](\d+)[-/.](\d+)', '\1-\2-\3')"
    point = rf"regexp_replace({even}, '(:\d\d:\d\d):(\d{{1,6}})', '\1.\2')"
    joined = rf"regexp_replace({point}, ' ([AaPp][Mm])$', '\1')"
    parsed = f"try_strptime({joined}, [{', '.join(map(quote, all_forms))}])"
    if "%y" in date:
        parsed = (
            f"(CASE WHEN year({parsed}) > 2049 THEN {parsed} - to_years(100) ELSE {parsed} END)"
        )
    elif date:
        parsed = f"(CASE WHEN year({parsed}) >= 1000 THEN {parsed} END)"
    if not date and target.kind != "TIME":
        parsed = f"(DATE '1900-01-01' + CAST({parsed} AS TIME))"
    value = f"CAST({parsed} AS {target.relational})"
    if try_:
        return value
    wrong = raise_sql(
        "BAD_CAST", span, f"CONVERT: not a {target} of style {style}: ", target.relational, sql
    )
    return f"(CASE WHEN {sql} IS NOT NULL AND {parsed} IS NULL THEN {wrong} ELSE {value} END)"


# --- bytes and numbers ---------------------------------------------------------------------------


def _bytes(sql: str, target: Type, style: int, try_: bool, span: Span) -> str:
    prefix = "0[xX]" if style == 1 else ""
    digits = f"substring({sql}, 3)" if style == 1 else sql
    wrong = raise_sql(
        "BAD_CAST", span, f"CONVERT: not the hexadecimal digits of style {style}: ", "BLOB", sql
    )
    instead = "CAST(NULL AS BLOB)" if try_ else wrong
    is_one = f"regexp_full_match({sql}, '{prefix}([0-9a-fA-F]{{2}})*')"
    made = f"from_hex({digits})"
    if target.a is not None:
        made = f"array_slice({made}, 1, {target.a})"
    return f"(CASE WHEN NOT {is_one} THEN {instead} ELSE {made} END)"


def _number(sql: str, style: int) -> str:
    """Exponents have three digits."""
    form = {0: "%.6g", 1: "%.7e", 2: "%.15e"}[style]
    text = f"printf('{form}', CAST({sql} AS DOUBLE))"
    return rf"regexp_replace({text}, 'e([-+])(\d\d)$', 'e\10\2')"
