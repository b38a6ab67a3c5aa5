"""Completion: what is offered at a place, `|` in the texts of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hartonomous import hql
from hartonomous.hql.shell.completion import Candidate, complete
from hartonomous.hql.shell.completion_commands import complete_typed
from hartonomous.hql.shell.completion_names import Names

SETUP = """
CREATE TABLE customers (id INT PRIMARY KEY, name NVARCHAR(20), [first name] NVARCHAR(9),
    g GEOMETRY);
CREATE TABLE orders (id INT, customer_id INT, total DECIMAL(9,2), CONSTRAINT few CHECK (total > 0));
CREATE SCHEMA sales;
CREATE TABLE sales.regions (code INT);
CREATE VIEW big AS SELECT id, total AS much FROM orders WHERE total > 9;
CREATE INDEX by_total ON orders (total);
CREATE TABLE #tmp (q INT);
"""


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    with hql.connect() as database:
        database.execute(SETUP)
        yield Names(database.session)


def offered(names: Names, marked: str) -> list[Candidate]:
    cursor = marked.index("|")
    return complete(marked[:cursor] + marked[cursor + 1 :], cursor, names)


def texts(names: Names, marked: str) -> list[str]:
    return [candidate.text for candidate in offered(names, marked)]


def test_keywords_that_may_follow(names: Names) -> None:
    assert texts(names, "SEL|") == ["SELECT"]
    assert texts(names, "SELECT * FROM orders GRO|") == ["GROUP BY"]
    assert texts(names, "select * from orders gro|") == ["group by"]
    assert texts(names, "SELECT * FROM orders GROUP |") == ["BY"]
    assert texts(names, "SELECT 1 WHERE 1 NOT |") == ["BETWEEN", "IN", "LIKE"]
    assert "TRY" in texts(names, "BEGIN TR|")
    assert "BEGIN TRY" not in texts(names, "BEGIN TR|")
    assert texts(names, "CREATE TABLE t (a INT PRI|") == ["PRIMARY KEY"]
    assert "WHERE" not in texts(names, "SELECT |")
    assert texts(names, "CREATE TABLE |") == ["IF NOT EXISTS"]


def test_what_stands_there_already_is_not_offered(names: Names) -> None:
    assert texts(names, "SELECT * FROM orders|") == []


def test_relations(names: Names) -> None:
    found = texts(names, "SELECT * FROM |")
    assert {"customers", "orders", "big", "sales.regions", "#tmp", "sys.tables"} <= set(found)
    assert found.index("orders") < found.index("Atoms")
    assert texts(names, "SELECT * FROM sales.|") == ["regions"]
    assert texts(names, "SELECT * FROM orders o JOIN cu|") == ["customers"]
    assert texts(names, "SELECT * FROM #|") == ["#tmp"]
    assert "nearby" in texts(names, "WITH nearby AS (SELECT 1 AS a) SELECT * FROM n|")
    assert {"customers", "orders"} <= set(texts(names, "DROP TABLE |"))
    assert texts(names, "DROP VIEW b|") == ["big"]
    assert texts(names, "DROP INDEX by|") == ["by_total"]
    assert texts(names, "INSERT INTO ord|") == ["orders"]
    assert texts(names, "CREATE INDEX i ON ord|") == ["orders"]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("SELECT c.| FROM customers AS c", ["id", "name", '"first name"', "g"]),
        ("SELECT customers.na| FROM customers", ["name", '"first name"']),
        ("SELECT b.| FROM big b", ["id", "much"]),
        ("WITH c AS (SELECT id AS k FROM orders) SELECT c.| FROM c", ["k"]),
        ("WITH c (z) AS (SELECT id FROM orders) SELECT c.| FROM c", ["z"]),
        ("SELECT d.| FROM (SELECT id AS z, total FROM orders) d", ["z", "total"]),
        ("SELECT d.| FROM (SELECT id, total FROM orders) AS d (p, q)", ["p", "q"]),
        ("SELECT s.| FROM GENERATE_SERIES(1, 3) s", ["value"]),
        ("SELECT * FROM orders o JOIN customers c ON c.id = o.cus|", ["customer_id"]),
        ("SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM big WHERE id = o.to|", ["total"]),
        ("INSERT INTO orders (id, |", ["id", "customer_id", "total"]),
        ("UPDATE orders SET tot|", ["total"]),
        ("UPDATE orders SET id = 1, tot|", ["total"]),
        ("ALTER TABLE orders DROP COLUMN cus|", ["customer_id"]),
        ("ALTER TABLE orders DROP CONSTRAINT f|", ["few"]),
        ("MERGE INTO orders AS o USING customers AS c ON o.cus|", ["customer_id"]),
        ('SELECT "fir| FROM customers', ['first name"']),
        ("SELECT [fir| FROM customers", ["first name]"]),
        ("SELECT t.| FROM #tmp t", ["q"]),
        ("DELETE FROM orders WHERE tot|", ["total"]),
        ("SELECT 1; SELECT o.much| FROM orders o; SELECT 2", []),
    ],
)  # fmt: skip
def test_columns(names: Names, marked: str, expected: list[str]) -> None:
    assert texts(names, marked) == expected


def test_columns_come_before_functions_and_say_their_types(names: Names) -> None:
    first, *rest = offered(names, "SELECT | FROM orders")
    assert (first.text, first.what) == ("id", "INT")
    assert "SUM(" in [candidate.text for candidate in rest]
    assert texts(names, "SELECT tota|")[0] == "total"  # no FROM yet: any table's


def test_the_statement_around_an_error_is_completed_after_it(names: Names) -> None:
    assert texts(names, "SELECT FROM FROM; SELECT o.tot| FROM orders o") == ["total"]


def test_types_functions_methods(names: Names) -> None:
    assert "DECIMAL" in texts(names, "SELECT CAST(1 AS |")
    assert "DATETIME2" in texts(names, "DECLARE @d DATET|")
    assert "Point(" in texts(names, "SELECT geometry::|")
    assert "STDistance(" in texts(names, "SELECT g.STD| FROM customers")
    assert "STX()" in texts(names, "SELECT g.STX| FROM customers")
    assert texts(names, "SELECT name.STX| FROM customers") == []
    assert "NO INDEX" in texts(names, "SELECT 1 AS a FROM orders OPTION (|")


def test_variables_and_named_arguments(names: Names) -> None:
    assert texts(names, "DECLARE @total INT = 1; SELECT @|") == ["@total"]
    assert "@max_tokens = " in texts(names, "SELECT * FROM GENERATE('m', 'p', @|")


def test_files_in_strings(names: Names, tmp_path: Path) -> None:
    (tmp_path / "it's.csv").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden").touch()
    for begin in ("COPY orders FROM '", "COPY orders TO '", "INGEST '"):
        found = texts(names, f"{begin}{tmp_path}/|")
        assert found == [f"{tmp_path}/it''s.csv", f"{tmp_path}/folder/"]
    assert texts(names, f"SELECT '{tmp_path}/|") == []


def test_nothing_in_comments_and_aliases(names: Names) -> None:
    for marked in ("SELECT 1 -- sel|", "/* sel|", "SELECT a AS na|", "SELECT 1.5|"):
        assert texts(names, marked) == []


def test_places_in_any_text(names: Names) -> None:
    """No place of any text makes completion fail."""
    text = (
        "WITH a AS (SELECT [x], 'y''z' FROM b JOIN c ON b.i = c.i) UPDATE t SET @v += 1, q = N'z' "
        "FROM a, (b CROSS JOIN (SELECT 1 AS k) d) WHERE EXISTS (SELECT geometry::Point(1, 2, 0)) "
        "GO\nEXEC p @a = 1; $ MERGE INTO t USING s ON 1 = 1 WHEN MATCHED THEN DELETE;)))"
    )
    for cursor in range(len(text) + 1):
        complete(text, cursor, names)
        complete(text[:cursor], cursor, names)


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (r"\tim|", [r"\timing"]),
        (r"SELECT 1 AS a \gx|", []),
        (r"\timing |", ["on", "off"]),
        (r"\format mark|", ["markdown"]),
        (r"\d cust|", ["customers", "PK_customers"]),
        (r"\dv |", ["big"]),
        (r"\set null|", []),
        (r"\set nul|", ["null"]),
        (r"\h create tab|", ["CREATE TABLE"]),
        (r"\explain SELECT tot| FROM orders", ["total"]),
        (r"\copy ord|", ["orders"]),
        (r"\nothing |", []),
        ("SELECT 1;\n\\timing of|", ["off"]),
        ("\\timing on\nSEL|", ["SELECT"]),
    ],
)  # fmt: skip
def test_commands(names: Names, marked: str, expected: list[str]) -> None:
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    found = complete_typed(text, cursor, names)
    assert [candidate.text for candidate in found] == expected
    for candidate in found:
        assert text[candidate.start : cursor] in ("", marked[candidate.start : cursor])


def test_commands_files(names: Names, tmp_path: Path) -> None:
    (tmp_path / "script.hql").touch()
    text = f"\\i {tmp_path}/scr"
    assert [c.text for c in complete_typed(text, len(text), names)] == [f"{tmp_path}/script.hql"]
