"""CAST as the relational engine's SQL, with HQL's meaning.

The engine's own casts differ: to an integer it rounds (we cut off), of strings it takes `1_000`,
`0x10` and `1e3` for integers, `epoch` and `infinity` for dates, and drops an offset it should
convert. A string that the engine would take and we do not is made unacceptable before its cast: a
`?` is put before it, which relational.py takes off again in the message. So nothing has to be
rendered twice, and errors name the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.functions.resolve import raise_sql
from hartonomous.hql.types import BITS, Type

if TYPE_CHECKING:
    from hartonomous.hql.ast import Span

#: words, years outside 1 to 9999, offsets over 14 hours, offsets but 0 at both ends of the calendar
_MOMENT = (
    r"[^0-9:+\-./ TZ]|[0-9]{5,}[-/]|^[-+]|^0+[-/]|:[0-9.]+ *[-+](1[5-9]|[2-9][0-9])"
    r"|^(0001-01-01|9999-12-31).*:.*[-+].*[1-9]"
)

#: what a string must not contain, by the kind it is cast to
_FOREIGN = {
    "DECIMAL": r"[^0-9+\-.eE \t\r\n]",
    "REAL": "_",
    "FLOAT": "_",
    "DATE": _MOMENT,
    "DATETIME2": _MOMENT,
    "DATETIMEOFFSET": _MOMENT,
    "TIME": r"[^0-9:.]|^24",
} | dict.fromkeys(BITS, r"[^0-9+\- \t\r\n]")

#: longest text of a number or time; longer than the target's length is an error, not a cut
_LONGEST = {
    "BIT": 1,
    "TINYINT": 4,
    "SMALLINT": 6,
    "INT": 11,
    "BIGINT": 20,
    "REAL": 16,
    "FLOAT": 24,
    "DATE": 10,
    "TIME": 15,
    "DATETIME2": 26,
    "DATETIMEOFFSET": 32,
    "UNIQUEIDENTIFIER": 36,
}

#: blanks around a value
_BLANKS = r"E' \t\r\n'"


def cast_sql(sql: str, source: Type, target: Type, try_: bool, span: Span) -> str:
    """`sql` of type `source` as `target`; neither is wide."""
    kind = target.kind
    if source.kind == "NULL":
        return f"CAST({sql} AS {target.relational})"
    if kind in ("NVARCHAR", "JSON"):
        return _to_text(sql, source, target, try_, span)
    if kind == "VARBINARY":
        return _to_binary(sql, source, target)
    if kind == "UNIQUEIDENTIFIER":
        return _to_uuid(sql, source, try_, span)
    if source.is_string:
        return _from_text(sql, target, try_)
    if kind in BITS and not (source.is_integer or source.kind == "BIT"):
        sql = f"trunc({sql})"
    elif kind == "TIME" and source.kind == "TIME":
        return sql
    elif source.kind == "TIME":
        return f"(DATE '1900-01-01' + {sql})"
    return _cast(sql, target.relational, try_)


def _cast(sql: str, name: str, try_: bool) -> str:
    return f"{'TRY_CAST' if try_ else 'CAST'}({sql} AS {name})"


def _from_text(sql: str, target: Type, try_: bool) -> str:
    kind = target.kind
    if kind == "BIT":
        return _cast(f"trim({sql}, {_BLANKS})", "BOOLEAN", try_)
    foreign = _FOREIGN[kind]
    if target.is_temporal:
        trimmed = f"trim({sql}, {_BLANKS})"
        checked = f"regexp_replace({trimmed}, '(?s)^(.*({foreign}).*)$', '?\\1')"
        if kind == "TIME":
            return _cast(checked, "TIME", try_)
        # 20261122 is a date too, and a blank or a missing colon in the offset does no harm
        plain = rf"regexp_replace({checked}, '^(\d{{4}})(\d\d)(\d\d)\b', '\1-\2-\3')"
        if kind == "DATE":
            return _cast(plain, "DATE", try_)
        offset = rf"regexp_replace({plain}, ' +([-+]\d\d(:?\d\d)?|[zZ])$', '\1')"
        # through TIMESTAMPTZ: an offset moves the value to UTC, where none is given it is UTC
        return _cast(_cast(offset, "TIMESTAMPTZ", try_), "TIMESTAMP", False)
    checked = f"regexp_replace({sql}, '(?s)^(.*{foreign}.*)$', '?\\1')"
    return _cast(checked, target.relational, try_)


def text_sql(sql: str, source: Type) -> str:
    """The text form of a value, without a bound on its length; values.format_value gives the
    same."""
    match source.kind:
        case "NVARCHAR" | "JSON":
            return sql
        case "BIT":
            return f"CAST(CAST({sql} AS INTEGER) AS VARCHAR)"
        case "UNIQUEIDENTIFIER":
            return f"CAST(CAST({sql} AS UUID) AS VARCHAR)"
        case "VARBINARY":
            return f"decode({sql})"
        case "DATETIMEOFFSET":
            return f"(CAST({sql} AS VARCHAR) || '+00:00')"
    return f"CAST({sql} AS VARCHAR)"


def _to_text(sql: str, source: Type, target: Type, try_: bool, span: Span) -> str:
    if target.kind == "JSON":
        if source.kind == "NVARCHAR":
            return f"CAST({_cast(sql, 'JSON', try_)} AS VARCHAR)"
        return text_sql(sql, source)
    text = text_sql(sql, source)
    if source.kind == "VARBINARY" and try_:
        text = f"TRY({text})"
    if target.a is None:
        return text
    if source.is_string or source.kind == "VARBINARY":
        if source.a is not None and source.kind == "NVARCHAR" and source.a <= target.a:
            return text
        return f"left({text}, {target.a})"
    longest = (source.a or 38) + 2 if source.kind == "DECIMAL" else _LONGEST[source.kind]
    if longest <= target.a:
        return text
    beyond = raise_sql("OVERFLOW", span, f"too long for {target}: ", "VARCHAR", text)
    instead = "NULL" if try_ else beyond
    return f"(CASE WHEN length({text}) > {target.a} THEN {instead} ELSE {text} END)"


def _to_binary(sql: str, source: Type, target: Type) -> str:
    if source.is_string:
        sql = f"encode({sql})"
    if target.a is None or (source.kind == "VARBINARY" and (source.a or 1 << 62) <= target.a):
        return sql
    return f"array_slice({sql}, 1, {target.a})"


def _to_uuid(sql: str, source: Type, try_: bool, span: Span) -> str:
    if source.kind == "VARBINARY":
        wrong = raise_sql("BAD_CAST", span, "a UNIQUEIDENTIFIER has 16 bytes", "BLOB")
        instead = "NULL" if try_ else wrong
        return f"(CASE WHEN octet_length({sql}) <> 16 THEN {instead} ELSE {sql} END)"
    if source.kind == "UNIQUEIDENTIFIER":
        return sql
    return _cast(_cast(f"trim({sql}, {_BLANKS})", "UUID", try_), "BLOB", False)


def check_length_sql(sql: str, target: Type, span: Span, column: str) -> str:
    """`sql`, already of the target's kind, or BAD_VALUE if it is longer than a column of type
    `target` takes: for assignments, which never cut."""
    if target.a is None or target.kind not in ("NVARCHAR", "VARBINARY"):
        return sql
    measure = "length" if target.kind == "NVARCHAR" else "octet_length"
    wrong = raise_sql(
        "BAD_VALUE", span, f"a value is too long for {column} {target}", target.relational
    )
    return f"(CASE WHEN {measure}({sql}) > {target.a} THEN {wrong} ELSE {sql} END)"
