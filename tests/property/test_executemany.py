"""executemany of UPDATE and DELETE at once: the same as set by set, whatever the sets are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.changes import many, many_changes
from hartonomous.storage.errors import Error

TABLE = """
CREATE TABLE t (id INT PRIMARY KEY, code NVARCHAR(4) UNIQUE, n INT, s NVARCHAR(6), p DECIMAL(6, 2),
    d DATE, f FLOAT, u INT UNIQUE, twice AS (n * 2), CHECK (n < 1000));
INSERT INTO t SELECT value, 'c' || value, value * 10, 's' || value, value, NULL, 0.5, 100 + value
FROM GENERATE_SERIES(1, 12);
"""
#: texts, and what their parameters are
TEXTS: dict[str, str] = {
    "UPDATE t SET n = ?, s = ? WHERE id = ?": "nsk",
    "UPDATE t SET n = n + ? WHERE ? = id": "nk",
    "UPDATE t SET p = ?, d = ?, f = ? WHERE t.code = ?": "pdfc",
    "UPDATE t AS x SET p = p * ? WHERE x.id = ? AND x.n > ?": "pkn",
    "UPDATE t SET s = s + CASE WHEN n > ? THEN ? ELSE 'z' END WHERE id = ?": "nsk",
    "UPDATE t SET u = ? WHERE id = ?": "nk",
    "UPDATE t SET code = ? WHERE id = ?": "ck",
    "UPDATE t SET n = (SELECT MAX(n) FROM t) + ? WHERE id = ?": "nk",
    "DELETE FROM t WHERE id = ?": "k",
    "DELETE FROM t WHERE code = ? AND s <> ?": "cs",
    "DELETE FROM t WHERE n = ?": "n",
    "DELETE FROM t WHERE id = ? OR id = ?": "kk",
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(-5, 5) | st.sampled_from([None, 990, 2**31, 2**40, "7"]),
    "s": st.text("abé ", max_size=4) | st.sampled_from([None, 5, "too long"]),
    "k": st.integers(0, 14) | st.sampled_from([None, 2**33, 3.0, "04", True]),
    "p": st.decimals(-99, 99, places=2) | st.sampled_from([None, 7, Decimal("1e3")]),
    "d": st.dates(date(1990, 1, 1), date(2030, 1, 1)) | st.sampled_from([None, "2001-02-03", "no"]),
    "f": st.floats(-1e6, 1e6) | st.integers(0, 3),
    "c": st.sampled_from([*(f"c{i}" for i in range(14)), "C3", "c4 ", None]),
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[tuple[Any, ...]]]:
    text = draw(st.sampled_from(sorted(TEXTS)))
    parts = [VALUES[kind] for kind in TEXTS[text]]
    is_tame = draw(st.booleans())  # values of one type, distinct keys: what is done at once
    if not is_tame:
        return text, draw(st.lists(st.tuples(*parts), min_size=2, max_size=14))
    tame: dict[str, Any] = {"s": "x", "d": None, "f": 1.5}
    columns = []
    for kind in TEXTS[text]:
        if kind in "kc":
            values = [i if kind == "k" else f"c{i}" for i in draw(st.permutations(range(14)))]
        else:
            values = [draw(st.integers(0, 80)) if kind in "np" else tame[kind]] * 14
        columns.append(values)
    return text, list(zip(*columns, strict=True))


@pytest.fixture(scope="module")
def database() -> Iterator[hql.Connection]:
    with hql.connect() as database:
        database.execute(TABLE)
        yield database


def outcome(database: hql.Connection, text: str, sets: list[tuple[Any, ...]]) -> Any:
    """What is said, and what the table is then, until it is undone."""
    database.begin()
    cursor = database.cursor()
    said: Any = None
    try:
        cursor.executemany(text, sets)
    except Error as error:
        said = (error.code, error.message, error.line, error.column)
    rows = database.execute("SELECT * FROM t ORDER BY id").fetchall()
    database.rollback()
    return said or cursor.rowcount, rows


@settings(max_examples=40, deadline=None)
@given(calls())
@example(("UPDATE t SET n = n + ? WHERE id = ?", [(1, 3)] * 9))
@example(("UPDATE t SET p = ? WHERE id = ?", [(Decimal("1.5"), 1), (Decimal("22.25"), 2)] * 1))
def test_at_once_or_one_by_one(
    database: hql.Connection, call: tuple[str, list[tuple[Any, ...]]]
) -> None:
    text, sets = call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many_changes, "SETS_MIN", 2)
        at_once = outcome(database, text, sets)
        patch.setattr(many_changes, "SETS_MIN", 1_000)
        assert outcome(database, text, sets) == at_once


@pytest.mark.parametrize(
    ("text", "sets", "is_at_once"),
    [
        ("UPDATE t SET n = n + ? WHERE id = ?", [(1, i) for i in range(9)], True),
        ("UPDATE t SET p = ? WHERE id = ?", [(Decimal(i) / 4, i) for i in range(9)], True),
        ("UPDATE t SET p = p * ? WHERE id = ?", [(Decimal(i) / 4, i) for i in range(9)], False),
        ("UPDATE t SET n = ? WHERE id = @k", [{"n": 1, "k": i} for i in range(9)], False),
        ("UPDATE t SET n = @n WHERE id = @k", [{"N": 1, "@k": i} for i in range(9)], True),
        ("DELETE FROM t WHERE t.code = :c", [{"c": f"c{i}"} for i in range(9)], True),
        ("DELETE FROM t WHERE id = ?", [(i % 8,) for i in range(9)], False),
        ("DELETE FROM t WHERE id = ?", [(i,) for i in range(7)], False),
        ("UPDATE t SET u = ? WHERE id = ?", [(i, i) for i in range(9)], False),
        ("UPDATE t SET n = (SELECT ?) WHERE id = ?", [(i, i) for i in range(9)], False),
    ],
)
def test_what_is_done_at_once(
    text: str, sets: list[Any], is_at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    change = many._change_chunk
    monkeypatch.setattr(many, "_change_chunk", lambda *a: taken.append(change(*a)) or taken[-1])
    with hql.connect() as db:
        db.execute(TABLE)
        try:
            db.executemany(text, sets)
        except Error:
            assert not is_at_once  # a ? among names
    assert (taken != [None]) == is_at_once
