"""Reads sqllogictest files: their format and nothing else, the SQL is handed on as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HASHED = re.compile(r"(\d+) values hashing to ([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Condition:
    """`skipif x` or `onlyif x`, with the comment behind it."""

    kind: str
    engine: str
    comment: str


@dataclass(frozen=True, slots=True)
class Statement:
    line: int
    sql: str
    conditions: tuple[Condition, ...]
    must_fail: bool


@dataclass(frozen=True, slots=True)
class Query:
    """`types` has one letter a column (I, R, T); `expected` holds values, or hash and count."""

    line: int
    sql: str
    conditions: tuple[Condition, ...]
    types: str
    sort: str  # nosort, rowsort, valuesort
    label: str | None
    expected: tuple[str, ...]

    @property
    def expected_hash(self) -> tuple[int, str] | None:
        """(number of values, MD5) where the file gives only that."""
        match = HASHED.fullmatch(self.expected[0]) if len(self.expected) == 1 else None
        return (int(match[1]), match[2]) if match else None


@dataclass(frozen=True, slots=True)
class Halt:
    line: int
    conditions: tuple[Condition, ...]


Record = Statement | Query | Halt


class Malformed(Exception):
    """A file that is not a sqllogictest file."""


def read(path: Path) -> Iterator[Record]:
    """The records of a file, in order."""
    number, block = 0, []
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if line.strip():
            block.append((number, line))
        elif block:
            yield from read_block(path, block)
            block = []
    if block:
        yield from read_block(path, block)


def read_block(path: Path, block: list[tuple[int, str]]) -> Iterator[Record]:
    """The record between two empty lines; none if it is a comment or sets the hash threshold."""
    conditions: list[Condition] = []
    for place, (number, line) in enumerate(block):
        words, _, comment = line.partition("#")
        match words.split():
            case []:
                continue
            case ["skipif" | "onlyif" as kind, engine]:
                conditions.append(Condition(kind, engine, comment.strip()))
            case ["hash-threshold", _]:
                continue  # how the file was written: `expected` itself shows whether it is hashed
            case ["halt"]:
                yield Halt(number, tuple(conditions))
                return
            case ["statement", "ok" | "error" as outcome]:
                sql = "\n".join(text for _, text in block[place + 1 :])
                yield Statement(number, sql, tuple(conditions), outcome == "error")
                return
            case ["query", types, *rest]:
                yield read_query(number, types, rest, block[place + 1 :], conditions)
                return
            case _:
                raise Malformed(f"{path}:{number}: {line!r}")


def read_query(
    number: int,
    types: str,
    rest: list[str],
    body: list[tuple[int, str]],
    conditions: list[Condition],
) -> Query:
    lines = [text for _, text in body]
    bar = lines.index("----") if "----" in lines else len(lines)
    return Query(
        line=number,
        sql="\n".join(lines[:bar]),
        conditions=tuple(conditions),
        types=types,
        sort=rest[0] if rest else "nosort",
        label=rest[1] if len(rest) > 1 else None,
        expected=tuple(lines[bar + 1 :]),
    )
