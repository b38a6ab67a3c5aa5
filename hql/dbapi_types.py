"""PEP 249's constructors and type objects.

A column's type code (`cursor.description[i][1]`) is HQL's name of the type as text. A type object
equals every code of its group: `description[0][1] == NUMBER`.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day

__all__ = [
    "BINARY",
    "DATETIME",
    "GEOMETRY",
    "NUMBER",
    "ROWID",
    "STRING",
    "VECTOR",
    "Binary",
    "Date",
    "DateFromTicks",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "TypeObject",
]

#: PEP 249's constructors are Python's own classes
Date = date
Time = time_of_day
Timestamp = datetime
Binary = bytes


def DateFromTicks(ticks: float) -> date:  # noqa: N802 (PEP 249's name)
    """The local date at so many seconds since 1970."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> time_of_day:  # noqa: N802
    """The local time of day at so many seconds since 1970."""
    return TimestampFromTicks(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime:  # noqa: N802
    """The local moment, without a zone, at so many seconds since 1970."""
    return datetime.fromtimestamp(ticks, UTC).astimezone().replace(tzinfo=None)


class TypeObject:
    """Equal to the type codes of one group of types: DECIMAL(9,2) is a NUMBER."""

    def __init__(self, name: str, *kinds: str) -> None:
        self.name, self.kinds = name, frozenset(kinds)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self is other
        if not isinstance(other, str):
            return NotImplemented
        return other.partition("(")[0] in self.kinds

    # equal to texts that are not equal to each other: no hash can do that right
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return self.name


STRING = TypeObject("STRING", "NVARCHAR", "JSON", "UNIQUEIDENTIFIER")
BINARY = TypeObject("BINARY", "VARBINARY")
NUMBER = TypeObject(
    "NUMBER", "BIT", "TINYINT", "SMALLINT", "INT", "BIGINT", "DECIMAL", "REAL", "FLOAT"
)
DATETIME = TypeObject("DATETIME", "DATE", "TIME", "DATETIME2", "DATETIMEOFFSET")
#: a row's id (the column function $rowid gives) is a BIGINT like any other; no type is one only
ROWID = TypeObject("ROWID")
#: ours, beyond PEP 249
VECTOR = TypeObject("VECTOR", "VECTOR")
GEOMETRY = TypeObject("GEOMETRY", "GEOMETRY")
