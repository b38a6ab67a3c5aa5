"""How golden scripts show values: one line a row, the same on every machine."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from hartonomous.hql.geometry_value import values_of_array

TWISTS = ("none", "reparse", "reopen", "batch1", "norules")
UNCLEAR = re.compile(r"^$|^\s|\s$|[\n\r\t|]|^NULL$|^ok$")
#: what must be stepped over to see the words of a statement's outermost level
SKIPPED = re.compile(
    r"--[^\n]*|/\*.*?\*/|N?'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[[^\]]*\]", re.DOTALL
)
#: what differs from run to run in a plan that was run
MEASURED = re.compile(r"\d+(\.\d+)?(?= (ms|µs|s|bytes|KiB|MiB)\b)")
#: columns of the machine's own time and of bytes on its disk, as INGEST and VACUUM have them
MEASURED_COLUMNS = {"Seconds", "BytesBefore", "BytesAfter"}
PLACE = re.compile(r" \((?:[^()]+, )?line \d+, column \d+[^()]*\)")
PLAN_LINE = re.compile(r"(\w+: )?\| ")


def format_value(value: Any, type_: pa.DataType) -> str:
    """One value: exact for everything but floats, which get six significant digits."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "1" if value else "0"
        case float():
            return f"{value:.6g}"
        case Decimal():
            return f"{value:f}"
        case bytes() if pa.types.is_fixed_size_binary(type_) and len(value) == 16:
            return str(uuid.UUID(bytes=value))
        case bytes():
            return "0x" + value.hex()
        case datetime.datetime():
            return value.isoformat(" ")
        case list():
            return "[" + ", ".join(format_value(v, type_.value_type) for v in value) + "]"
        case str() if UNCLEAR.search(value):
            return "'" + value.replace("'", "''").replace("\n", "\\n").replace("\r", "\\r") + "'"
    return str(value)


def format_rows(table: pa.Table, *, ordered: bool) -> list[str]:
    """`1 | abc | NULL`, one line a row; sorted where the statement promises no order."""
    columns = [
        [
            "…" if field.name in MEASURED_COLUMNS else format_value(v, field.type)
            for v in _values(table.column(i))
        ]
        for i, field in enumerate(table.schema)
    ]
    lines = [" | ".join(row) for row in zip(*columns, strict=True)]
    return lines if ordered else sorted(lines)


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_struct(column.type):  # as Geometry, whose text is well-known
        return values_of_array(column.combine_chunks())
    return column.to_pylist()


def format_types(description: Sequence[tuple[Any, ...]]) -> str:
    """`a INT, b NVARCHAR(3)` from PEP 249's description."""
    return ", ".join(f"{column[0]} {column[1]}" for column in description)


def format_messages(messages: Iterable[str]) -> list[str]:
    return [f"-- {line}" for message in messages for line in message.splitlines() or [""]]


def is_ordered(statement: str) -> bool:
    """Whether the outermost query of the statement's text has an ORDER BY."""
    plain = SKIPPED.sub(" ", statement)
    while (inner := re.sub(r"\([^()]*\)", " ", plain)) != plain:
        plain = inner
    return bool(re.search(r"\bORDER\s+BY\b", plain, re.IGNORECASE)) or bool(
        re.match(r"\s*(EXPLAIN|SHOW|VERIFY)\b", plain, re.IGNORECASE)
    )


def format_plan(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """EXPLAIN's rows as `| ` lines, with measured numbers left out."""
    return [f"| {MEASURED.sub('…', line)}" for row in rows for line in row[0].splitlines()]


def comparable(text: str, twist: str) -> list[str]:
    """The lines of a script that must be equal under a twist: plans and places may differ."""
    lines = text.strip("\n").split("\n")
    if twist == "none":
        return lines
    return [PLACE.sub("", line) for line in lines if not PLAN_LINE.match(line)]
