"""Sessions: what is kept between statements, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql import texts as texts_module
from hartonomous.hql.context import PARTS_MAX, VARIANTS_MAX, Memory
from hartonomous.hql.run import STATEMENT_CHARACTERS_MAX
from hartonomous.storage.catalog import Catalog
from hartonomous.storage.errors import Error


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


def test_plans_are_made_once(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hartonomous.hql import queries

    made: list[Any] = []
    bind = queries._bind
    monkeypatch.setattr(queries, "_bind", lambda *a: made.append(a) or bind(*a))
    db.execute("CREATE TABLE t (a INT)")
    for value in (1, 2, 3):
        db.execute("SELECT a + @n FROM t", {"n": value}).fetchall()
    assert len(made) == 1
    db.execute("SELECT a + @n FROM t", {"n": 1.5}).fetchall()
    assert len(made) == 2, "another type is another plan"
    db.execute("CREATE TABLE u (a INT)")
    db.execute("SELECT a + @n FROM t", {"n": 1}).fetchall()
    assert len(made) == 3, "another catalog is another plan"


def test_plans_follow_the_catalog(db: Any) -> None:
    for type_ in ("INT", "NVARCHAR(5)"):
        db.execute(f"CREATE TABLE t (a {type_})")
        assert db.execute("SELECT a FROM t").description[0][1] == type_
        db.execute("DROP TABLE t")
    db.execute("BEGIN TRAN; CREATE TABLE t (a INT)")
    assert db.execute("SELECT * FROM t").description[0][0] == "a"
    db.execute("ROLLBACK; BEGIN TRAN; CREATE TABLE t (b INT)")
    assert db.execute("SELECT * FROM t").description[0][0] == "b"
    db.execute("ROLLBACK")
    with pytest.raises(Error):
        db.execute("SELECT * FROM t")


def test_memory_is_bounded() -> None:
    memory, catalog = Memory(), Catalog(1)
    for i in range(3 * VARIANTS_MAX):
        memory.keep(catalog, ("query", i), i)
        assert memory.find(catalog, ("query", i)) == i
    assert len(memory._parts["query"]) == VARIANTS_MAX
    for i in range(2 * PARTS_MAX):
        memory.keep(catalog, (i, "types"), i)
    assert len(memory._parts) == PARTS_MAX
    assert memory.find(catalog, (2 * PARTS_MAX - 1, "types")) == 2 * PARTS_MAX - 1
    assert memory.find(Catalog(2), (2 * PARTS_MAX - 1, "types")) is None


def test_texts_are_bounded(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts_module, "TEXTS_MAX", 4)
    for i in range(10):
        db.session.prepare(f"SELECT {i}")
    assert len(db.session._texts) == 4
    assert "SELECT 9" in db.session._texts
    assert "SELECT 0" not in db.session._texts


def test_commits_keep_the_statement_alone(db: Any) -> None:
    db.execute(
        "/* before */ CREATE TABLE t (a NVARCHAR(MAX)); -- after\nINSERT INTO t VALUES (@p)",
        {"p": "secret"},
    )
    texts = [
        text for (text,) in db.execute("SELECT Statement FROM Commits ORDER BY Sequence").fetchall()
    ]
    assert texts == ["CREATE TABLE t (a NVARCHAR(MAX))", "INSERT INTO t VALUES (@p)"]


def test_long_statements_are_cut_in_commits(db: Any) -> None:
    db.execute("CREATE TABLE t (a NVARCHAR(MAX))")
    db.execute(f"INSERT INTO t VALUES ('{'x' * 50_000}')")
    (text,) = db.execute("SELECT TOP (1) Statement FROM Commits ORDER BY Sequence DESC").fetchone()
    assert len(text) == STATEMENT_CHARACTERS_MAX
    assert text.endswith(" …")


def test_author(db: Any) -> None:
    with hql.connect(author="ada") as mine:
        mine.execute("CREATE TABLE t (a INT)")
        assert mine.execute("SELECT Author FROM Commits").fetchall() == [("ada",)]
    db.execute("CREATE TABLE t (a INT)")
    (name,) = db.execute("SELECT Author FROM Commits").fetchone()
    assert name


def test_a_failed_statement_commits_nothing(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT NOT NULL)")
    before = db.execute("SELECT COUNT(*) FROM Commits").fetchall()
    for text in ("INSERT INTO t VALUES (1), (NULL)", "INSERT INTO t SELECT 1 / 0", "DROP TABLE u"):
        with pytest.raises(Error):
            db.execute(text)
    assert db.execute("SELECT COUNT(*) FROM Commits").fetchall() == before


def test_deep_nesting_is_an_error_not_a_crash(db: Any) -> None:
    for text in (
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "-" * 0 + "NOT " * 3000 + "1",
    ):
        with pytest.raises(Error):
            db.execute(text)
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_explain_analyze_runs_the_query(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)")
    lines = [line for (line,) in db.execute("EXPLAIN ANALYZE SELECT a FROM t WHERE a > 1")]
    assert any("scan t" in line and "3 rows" in line for line in lines), lines
    assert any("2 rows" in line for line in lines), lines
    with pytest.raises(Error):
        db.execute("EXPLAIN ANALYZE SELECT 1 / (a - 1) FROM t")


def test_an_error_late_in_a_result_ends_the_text(db: Any) -> None:
    """Earlier results are computed to their end before the next statement runs."""
    db.execute("CREATE TABLE t (a INT)")
    late = "SELECT 1 / (value - 250000) FROM GENERATE_SERIES(1, 300000)"
    with pytest.raises(Error, match="division"):
        db.execute(f"{late}; INSERT INTO t VALUES (1)")
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]
