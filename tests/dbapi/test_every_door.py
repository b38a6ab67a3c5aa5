"""One suite through every door: the embedded engine, the wire, asyncio, and psycopg."""

from __future__ import annotations

import datetime
import decimal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql

DOORS = ("embedded", "wire", pytest.param("async", marks=pytest.mark.slow), "psycopg")


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


VALUES: dict[str, Any] = {
    "BIT": True,
    "SMALLINT": -7,
    "INT": 2**31 - 1,
    "BIGINT": -(2**63),
    "DECIMAL(38,10)": decimal.Decimal("-1234567890123456789012345678.0123456789"),
    "REAL": 0.5,
    "FLOAT": -1.25e300,
    "NVARCHAR": "Zoë 🌍 'quoted' \\ \t\n",
    "NVARCHAR(5)": "",
    "VARBINARY": b"\x00\\\xff",
    "DATE": datetime.date(1066, 10, 14),
    "TIME": datetime.time(23, 59, 59, 999999),
    "DATETIME2": datetime.datetime(9999, 12, 31, 23, 59, 59, 1),
    "DATETIMEOFFSET": datetime.datetime(1969, 7, 20, 20, 17, tzinfo=datetime.UTC),
    "UNIQUEIDENTIFIER": uuid.UUID(int=2**127 + 1),
}


def test_values(db: Any) -> None:
    """Each type goes in as a parameter and comes out of a column, NULL too."""
    columns = ", ".join(f"c{i} {type_}" for i, type_ in enumerate(VALUES))
    db.execute(f"CREATE TABLE kinds (id INT PRIMARY KEY, {columns})")
    marks = ", ".join("?" * len(VALUES))
    db.execute(f"INSERT INTO kinds VALUES (1, {marks})", list(VALUES.values()))
    db.execute(f"INSERT INTO kinds VALUES (2, {marks})", [None] * len(VALUES))
    names = ", ".join(f"c{i}" for i in range(len(VALUES)))
    rows = db.execute(f"SELECT {names} FROM kinds ORDER BY id").fetchall()
    assert rows == [tuple(VALUES.values()), (None,) * len(VALUES)]
    for i, (type_, value) in enumerate(VALUES.items()):
        found = db.execute(f"SELECT id FROM kinds WHERE c{i} = @v", {"v": value}).fetchall()
        assert found == [(1,)], type_


def test_vectors(db: Any) -> None:
    db.execute("CREATE TABLE v (id INT, e VECTOR(3))")
    db.execute("INSERT INTO v VALUES (1, ?), (2, [0, 1, 0])", [[1.5, 0.0, -2.25]])
    found = db.execute("SELECT e FROM v WHERE id = 1").fetchone()
    assert [float(x) for x in found[0]] == [1.5, 0.0, -2.25]
    near = "SELECT TOP (1) id FROM v ORDER BY VECTOR_DISTANCE('euclidean', e, @q)"
    assert db.execute(near, {"q": [0.0, 0.9, 0.0]}).fetchone() == (2,)


def test_marks(db: Any) -> None:
    assert db.execute("SELECT ? - ?", [5, 3]).fetchone() == (2,)
    assert db.execute("SELECT @a - :b, @a, '@a ?'", {"a": 5, "b": 3}).fetchone() == (2, 5, "@a ?")
    assert db.execute("SELECT 1").fetchone() == (1,)


def test_rows_come_forward(db: Any) -> None:
    cursor = db.execute("SELECT value FROM GENERATE_SERIES(1, 20000) ORDER BY value")
    assert [c[0] for c in cursor.description] == ["value"]
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany(2) == [(2,), (3,)]
    assert sum(value for (value,) in cursor) == 200_010_000 - 6
    assert cursor.fetchone() is None
    assert db.execute("SELECT 1 AS a WHERE 1 = 0").fetchall() == []


def test_counts(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    assert db.execute("INSERT INTO t VALUES (1), (2), (3)").rowcount == 3
    assert db.execute("UPDATE t SET a = a + 1 WHERE a > 1").rowcount == 2
    assert db.execute("DELETE FROM t WHERE a = 99").rowcount == 0
    db.executemany("INSERT INTO t VALUES (?)", [(10,), (11,)])
    assert db.execute("SELECT COUNT(*), MAX(a) FROM t").fetchone() == (5, 11)
    changed = db.execute("DELETE FROM t OUTPUT deleted.a WHERE a >= 10")
    assert sorted(changed.fetchall()) == [(10,), (11,)]


def test_results_and_messages(db: Any) -> None:
    cursor = db.execute("PRINT 'one'; SELECT 1 AS a; DECLARE @x INT = 2; SELECT @x AS b, 'x' AS c")
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(2, "x")]
    assert not cursor.nextset()
    assert cursor.messages == ["one"]


def test_procedures_and_scripts(db: Any) -> None:
    db.execute("CREATE PROCEDURE twice @n INT AS SELECT @n * 2 AS doubled")
    assert db.execute("EXEC twice @n = 21").fetchall() == [(42,)]
    total = "DECLARE @i INT = 0, @s INT = 0; WHILE @i < 10 BEGIN SET @i += 1; SET @s += @i END; "
    assert db.execute(total + "SELECT @s").fetchone() == (55,)
    caught = "BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT 'caught' END CATCH"
    assert db.execute(caught).fetchall() == [("caught",)]


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("SELECT FROM", hql.ProgrammingError, "SYNTAX"),
        ("SELECT nope", hql.ProgrammingError, "UNKNOWN_COLUMN"),
        ("SELECT * FROM nowhere", hql.ProgrammingError, "UNKNOWN_TABLE"),
        ("SELECT 1 / 0", hql.DataError, "DIVISION_BY_ZERO"),
        ("SELECT CAST('x' AS INT)", hql.DataError, "BAD_CAST"),
        ("INSERT INTO keyed VALUES (1)", hql.IntegrityError, "UNIQUE_VIOLATION"),
        ("INSERT INTO keyed VALUES (NULL)", hql.IntegrityError, "NOT_NULL_VIOLATION"),
        ("CREATE TABLE keyed (a INT)", hql.ProgrammingError, "ALREADY_EXISTS"),
        ("THROW 50001, 'mine', 1", hql.DatabaseError, "RAISED"),
    ],
)
def test_errors(db: Any, text: str, kind: type[hql.Error], code: str) -> None:
    db.execute("CREATE TABLE keyed (a INT PRIMARY KEY); INSERT INTO keyed VALUES (1)")
    with pytest.raises(kind) as caught:
        db.execute(text).fetchall()
    assert caught.value.code == code
    assert db.execute("SELECT COUNT(*) FROM keyed").fetchone() == (1,)


def test_transactions(tmp_path: Path) -> None:
    folder = tmp_path / "atlas.hdb"
    with hql.connect(folder, autocommit=False) as db:
        db.execute("CREATE TABLE t (a INT PRIMARY KEY)")
        db.commit()
        db.execute("INSERT INTO t VALUES (1)")
        assert db.in_transaction
        db.rollback()
        assert not db.in_transaction
        db.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(hql.IntegrityError):
            db.execute("INSERT INTO t VALUES (3), (2)")
        db.commit()
    with hql.connect(folder) as db:
        assert db.execute("SELECT a FROM t").fetchall() == [(2,)]


def test_a_savepoint(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    db.execute("BEGIN TRAN; INSERT INTO t VALUES (1); SAVE TRAN s; INSERT INTO t VALUES (2)")
    db.execute("ROLLBACK TRAN s; COMMIT")
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_branches(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    db.execute("CREATE BRANCH side; USE BRANCH side; INSERT INTO t VALUES (1)")
    assert db.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)
    db.execute("USE BRANCH main")
    assert db.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)


def test_cancel(db: Any, door: Any) -> None:
    if type(door).__name__ == "Async":
        pytest.skip("a task is cancelled in its own way: test_async.py")
    timer = threading.Timer(0.2, db.cancel)
    timer.start()
    with pytest.raises(hql.OperationalError) as caught:
        db.execute("WAITFOR DELAY '00:01:00'")
    timer.join()
    assert caught.value.code == "CANCELLED"
    assert db.execute("SELECT 1").fetchone() == (1,)
