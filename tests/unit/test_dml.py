"""INSERT's fast way gives what the general way gives; rows are completed batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous import hql
from hartonomous.hql.changes import fast_insert
from hartonomous.hql.changes.plain_values import Unusual, plain
from hartonomous.hql.types import parse_type
from hartonomous.storage.errors import Error


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


TYPES = [
    "BIT",
    "TINYINT",
    "INT",
    "BIGINT",
    "REAL",
    "FLOAT",
    "DECIMAL(6,2)",
    "NVARCHAR(6)",
    "VARBINARY(3)",
    "DATE",
    "VECTOR(2)",
    "JSON",
]
LITERALS = st.one_of(
    st.just("NULL"),
    st.integers(-(2**33), 2**33).map(str),
    st.decimals(-20_000, 20_000, places=2).map(str),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:e}"),
    st.sampled_from(["'x'", "'1'", "'much too long'", "'2024-02-29'", "'2023-02-29'", "'1.5'"]),
    st.sampled_from(["0x00FF", "0x", "[1, 2]", "[1, 2, 3]", "'[1, 2]'", "'{}'", "'{'"]),
)


def attempt(db: Any, text: str) -> Any:
    """What an INSERT leaves, or its error's code."""
    db.execute("DELETE FROM t")
    try:
        db.execute(text)
    except Error as error:
        return error.code
    return db.execute("SELECT * FROM t").fetch_arrow_table().to_pylist()


@settings(max_examples=150, deadline=None)
@given(type_=st.sampled_from(TYPES), literal=LITERALS)
def test_fast_and_general_insert_agree(type_: str, literal: str) -> None:
    with hql.connect() as db:
        db.execute(f"CREATE TABLE t (a {type_})")
        text = f"INSERT INTO t VALUES ({literal})"
        fast = attempt(db, text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fast_insert, "run_fast", lambda statement, context: None)
            general = attempt(db, text)
        assert fast == general, text


def test_plain_inserts_do_not_plan(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    db.execute("CREATE TABLE t (a INT IDENTITY, b INT, c NVARCHAR(5) DEFAULT 'x', v VECTOR(2))")
    monkeypatch.setattr(
        "hartonomous.hql.queries.start_query", lambda *a, **k: pytest.fail("a plan")
    )
    db.execute("INSERT INTO t (b) VALUES (1), (-2), (NULL)")
    db.execute("INSERT INTO t (b, v) VALUES (@b, @v)", {"b": 3, "v": [1, 2]})
    db.executemany("INSERT INTO t (b, c) VALUES (?, ?)", [(4, "y"), (5, None)])
    monkeypatch.undo()
    rows = db.execute("SELECT a, b, c FROM t ORDER BY a").fetchall()
    assert rows == [
        (1, 1, "x"),
        (2, -2, "x"),
        (3, None, "x"),
        (4, 3, "x"),
        (5, 4, "y"),
        (6, 5, None),
    ]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("INT", 2**31),
        ("INT", "1"),
        ("INT", 1.0),
        ("BIGINT", True + 0.5),
        ("DECIMAL(4,2)", 100),
        ("DECIMAL(4,2)", 1.5),
        ("NVARCHAR", 5),
        ("NVARCHAR", "\ud800"),
        ("REAL", 1e39),
        ("VECTOR(2)", [1, 2, 3]),
        ("VECTOR(2)", ["a", "b"]),
        ("DATE", "2023-02-29"),
        ("JSON", "{}"),
    ],
)
def test_what_needs_thought_is_left_to_the_general_way(type_: str, value: Any) -> None:
    with pytest.raises(Unusual):
        plain(parse_type(type_))(value)


def test_a_large_insert_is_completed_in_batches(db: Any) -> None:
    db.execute(
        "CREATE TABLE t (id BIGINT IDENTITY, a BIGINT CHECK (a >= 0), d INT DEFAULT (1 + 1),"
        " twice AS (a * 2) PERSISTED, u UNIQUEIDENTIFIER DEFAULT NEWID())"
    )
    db.execute("INSERT INTO t (a) SELECT value FROM GENERATE_SERIES(0, 199999)")
    row = db.execute(
        "SELECT COUNT(*), COUNT(DISTINCT id), MAX(id), SUM(a), SUM(twice), SUM(d),"
        " COUNT(DISTINCT u) FROM t"
    ).fetchone()
    total = 199_999 * 200_000 // 2
    assert row == (200_000, 200_000, 200_000, total, 2 * total, 400_000, 200_000)
    with pytest.raises(Error, match="CHECK"):
        db.execute("INSERT INTO t (a) SELECT 150000 - value FROM GENERATE_SERIES(0, 199999)")
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(200_000,)]


def test_an_update_gives_each_row_its_own_values(db: Any) -> None:
    """Addresses and rows must not be mixed up, whatever order the engine gives them in."""
    db.execute("CREATE TABLE t (a BIGINT, b BIGINT, c AS (b + 1) PERSISTED, CHECK (b >= 0))")
    db.execute("INSERT INTO t (a, b) SELECT value, 0 FROM GENERATE_SERIES(0, 149999)")
    db.execute(
        "UPDATE t SET b = s.value * 3 FROM GENERATE_SERIES(0, 149999) AS s WHERE s.value = t.a"
    )
    bad = "SELECT COUNT(*) FROM t WHERE b <> a * 3 OR c <> b + 1"
    assert db.execute(bad).fetchall() == [(0,)]
    cursor = db.execute("UPDATE t SET b = b + 1 OUTPUT inserted.b, deleted.b, inserted.a")
    assert all(new == old + 1 and old == a * 3 for new, old, a in cursor.fetchall())


def test_set_names_what_it_cannot_find(db: Any) -> None:
    db.execute("CREATE TABLE t (amount INT)")
    with pytest.raises(Error, match="did you mean amount"):
        db.execute("UPDATE t SET amout = 1")
