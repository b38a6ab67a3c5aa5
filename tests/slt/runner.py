"""Runs the records of a sqllogictest file against a fresh database and compares the answers."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from slt.reader import Condition, Halt, Query, Statement, read

from hartonomous import hql
from hartonomous.storage.errors import Error

ENGINE = "hartonomous"
SKIPS = Path(__file__).with_name("skips.txt")


@dataclass(frozen=True, slots=True)
class Skip:
    """One line of skips.txt: a reason, and how a record that it excuses is known."""

    reason: str
    kind: str  # statement, condition, error
    pattern: re.Pattern[str]


@dataclass
class Score:
    """What became of the records of one file."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    #: of those, the ones that are only known by the error they ended in
    excused_by_error: int = 0
    not_drawn: int = 0

    @property
    def ran(self) -> int:
        return self.passed + len(self.failures)

    @property
    def rate(self) -> float:
        return self.passed / self.ran if self.ran else 0.0

    def __str__(self) -> str:
        skipped = "; ".join(f"{count} skipped: {why}" for why, count in self.skipped.most_common())
        return f"{self.rate:8.2%} of {self.ran:6,}" + (f"   ({skipped})" if skipped else "")


def read_skips(path: Path = SKIPS) -> list[Skip]:
    """The reviewed reasons; nothing else excuses a record."""
    lines = [x.strip() for x in path.read_text(encoding="utf-8").splitlines()]
    rows = [[c.strip() for c in x.split("|", 2)] for x in lines if x and not x.startswith("#")]
    return [Skip(reason, kind, re.compile(pattern, re.I)) for reason, kind, pattern in rows]


def run_file(path: Path, *, fraction: float = 1.0, seed: int = 0) -> Score:
    """Every statement of the file, and a random `fraction` of its queries.

    Which queries are drawn depends on the seed and the file's name alone.
    """
    score, labels = Score(), dict[str, str]()
    dice = random.Random(f"{seed} {path.name}")
    skips = read_skips()
    with hql.connect(":memory:") as database:
        for record in read(path):
            if isinstance(record, Halt):
                if applies(record.conditions):
                    break
                continue
            drawn = isinstance(record, Statement) or dice.random() < fraction
            if not drawn:
                score.not_drawn += 1
                continue
            run_record(database, record, score, skips, labels)
    return score


def applies(conditions: Sequence[Condition]) -> bool:
    return all((c.engine == ENGINE) == (c.kind == "onlyif") for c in conditions)


def run_record(
    database: Any,
    record: Statement | Query,
    score: Score,
    skips: Sequence[Skip],
    labels: dict[str, str],
) -> None:
    if not applies(record.conditions):
        known = [f"{c.kind} {c.engine} {c.comment}" for c in record.conditions]
        score.skipped[excuse(skips, "condition", known) or f"unreviewed: {known}"] += 1
        return
    if reason := excuse(skips, "statement", [record.sql]):
        score.skipped[reason] += 1
        return
    problem: str | None
    try:
        cursor = database.execute(record.sql)
        problem = "no error" if isinstance(record, Statement) and record.must_fail else None
        if isinstance(record, Query):
            problem = compare(record, cursor.fetchall(), labels)
    except Error as error:
        if isinstance(record, Statement) and record.must_fail and error.code != "INTERNAL":
            score.passed += 1
            return
        if reason := excuse(skips, "error", [error.code]):
            score.skipped[reason] += 1
            score.excused_by_error += 1
            return
        problem = f"{error.code}: {error}"
    if problem is None:
        score.passed += 1
    else:
        score.failures.append(f"line {record.line}: {problem}\n{record.sql}")


def excuse(skips: Iterable[Skip], kind: str, texts: Sequence[str]) -> str | None:
    matching = (s.reason for s in skips if s.kind == kind and any(map(s.pattern.search, texts)))
    return next(matching, None)


def compare(query: Query, rows: list[tuple[Any, ...]], labels: dict[str, str]) -> str | None:
    """None if the rows are the expected ones, else what is wrong."""
    if rows and len(rows[0]) != len(query.types):
        return f"{len(rows[0])} columns, expected {len(query.types)}"
    cells = [[show(v, t) for v, t in zip(row, query.types, strict=True)] for row in rows]
    if query.sort == "rowsort":
        cells.sort()
    values = [value for row in cells for value in row]
    if query.sort == "valuesort":
        values.sort()
    digest = hashlib.md5("".join(v + "\n" for v in values).encode()).hexdigest()
    if query.label and labels.setdefault(query.label, digest) != digest:
        return f"not the answer of an earlier query labelled {query.label}"
    if query.expected_hash:
        if query.expected_hash != (len(values), digest):
            return f"{len(values)} values hashing to {digest}, expected {query.expected[0]}"
    elif tuple(values) != query.expected:
        return f"{values[:20]}, expected {list(query.expected[:20])}"
    return None


def show(value: Any, type_: str) -> str:
    """A value as sqllogictest writes it under a column letter."""
    if value is None:
        return "NULL"
    return SHOW[type_](value)


def show_integer(value: Any) -> str:
    if isinstance(value, str):  # as C's atoi
        match = re.match(r"\s*[+-]?\d+", value)
        return str(int(match[0])) if match else "0"
    return str(int(value))


def show_real(value: Any) -> str:
    return f"{float(value):.3f}"


def show_text(value: Any) -> str:
    if isinstance(value, bool):
        value = int(value)
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return "".join(c if " " <= c <= "~" else "@" for c in text) or "(empty)"


SHOW: dict[str, Callable[[Any], str]] = {"I": show_integer, "R": show_real, "T": show_text}
