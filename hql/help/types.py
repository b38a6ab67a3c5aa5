"""Types as topics."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from hartonomous.hql.help.topics import Topic
from hartonomous.hql.types import SYNONYMS

#: kind -> how it is written, what it holds, a literal or expression that makes one
TYPES: Final[dict[str, tuple[str, str, str]]] = {
    "BIT": ("BIT", "0 or 1; what comparisons give.", "CAST(1 AS BIT)"),
    "TINYINT": (
        "TINYINT",
        "Whole numbers of 8 bits with sign: -128 to 127.",
        "CAST(100 AS TINYINT)",
    ),
    "SMALLINT": ("SMALLINT", "Whole numbers of 16 bits with sign.", "CAST(-30000 AS SMALLINT)"),
    "INT": ("INT", "Whole numbers of 32 bits with sign.", "42"),
    "BIGINT": ("BIGINT", "Whole numbers of 64 bits with sign.", "9000000000"),
    "DECIMAL": (
        "DECIMAL[(precision[, scale])]",
        "Exact decimal numbers of up to 38 digits, `scale` of them behind the point; (18, 0) where "
        "nothing is said.",
        "12.50",
    ),
    "REAL": ("REAL", "Floating-point numbers of 32 bits.", "CAST(1.5 AS REAL)"),
    "FLOAT": ("FLOAT", "Floating-point numbers of 64 bits.", "1.5e0"),
    "NVARCHAR": (
        "NVARCHAR[(n | MAX)]",
        "Text, of at most n characters where n is given. It compares by code point unless a column "
        "or expression says COLLATE NOCASE.",
        "'It''s text'",
    ),
    "VARBINARY": ("VARBINARY[(n | MAX)]", "Bytes, at most n where n is given.", "0xDEADBEEF"),
    "DATE": ("DATE", "A day of the calendar.", "CAST('2024-02-29' AS DATE)"),
    "TIME": ("TIME", "A time of day, in microseconds.", "CAST('13:45:00' AS TIME)"),
    "DATETIME2": (
        "DATETIME2",
        "A moment in microseconds, UTC where nothing else is said.",
        "CAST('2024-02-29 13:45:00' AS DATETIME2)",
    ),
    "DATETIMEOFFSET": (
        "DATETIMEOFFSET",
        "An instant in microseconds; the offset it is written with is not kept.",
        "CAST('2024-02-29 13:45:00+02:00' AS DATETIMEOFFSET)",
    ),
    "UNIQUEIDENTIFIER": (
        "UNIQUEIDENTIFIER",
        "A UUID.",
        "CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS UNIQUEIDENTIFIER)",
    ),
    "JSON": (
        "JSON",
        "Text that is JSON, checked when it is written.",
        """CAST('{"a": [1, 2]}' AS JSON)""",
    ),
    "VECTOR": ("VECTOR(n)", "n numbers of 32 bits; + - * work by element.", "[0.5, -1, 2e-3]"),
    "GEOMETRY": (
        "GEOMETRY",
        "A point, line, polygon, point set or hull in three dimensions, perhaps with a radius.",
        "geometry::Parse('POINT Z (1 2 3)')",
    ),
}


def topics() -> Iterator[Topic]:
    for kind, (_, about, _) in TYPES.items():
        yield Topic(kind, "type", about, partial(page, kind), _others(kind))


def _others(kind: str) -> tuple[str, ...]:
    """Other words for the same type."""
    return tuple(word for word, meant in SYNONYMS.items() if meant == kind)


def page(kind: str) -> str:
    written, about, example = TYPES[kind]
    others = _others(kind)
    lines = [f"{written}    (type)", "", about]
    if others:
        lines.append(f"Also written {', '.join(others)}.")
    return "\n".join([*lines, "", f"    {example}"])
