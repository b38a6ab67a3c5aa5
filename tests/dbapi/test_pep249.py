"""PEP 249, sentence by sentence: every test quotes what it holds the module to.

What is not held, or held in another form, stands in DIFFERENCES with its reason; docs/PYTHON.md
shows the same list to users, and a test compares the two.
"""

from __future__ import annotations

import datetime
import inspect
import threading
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from booze import SAMPLES

from hartonomous import hql
from hartonomous.hql import dbapi_types
from hartonomous.hql import errors as leaves
from hartonomous.storage import errors as roots

DOCUMENT = Path(__file__).parents[2] / "docs" / "PYTHON.md"

#: sentences of PEP 249 that are not held as they stand -> why
DIFFERENCES = {
    "`.messages` holds (exception class, value) pairs": (
        "they are texts: what PRINT and COPY say is no exception; warnings come among them"
    ),
    "`Connection.messages`, `.errorhandler`": (
        "optional, and absent: messages are the cursor's, errors are raised"
    ),
    "`.scroll()`": "optional, and absent: rows come forward only; a SCROLL cursor of HQL can do it",
    "`ROWID` describes a row id": "no table shows one, so the type object equals no column's type",
    "two-phase commit (`.tpc_begin()` …)": (
        "optional, and absent: a transaction is of one database"
    ),
    "auto-commit must initially be off": (
        "it is on, as HQL's shell has it; `connect(autocommit=False)` turns it off"
    ),
    "`display_size` and `null_ok` of a description": (
        "None, which is allowed: a result's columns have neither"
    ),
    "closing a closed connection": "allowed, so that a `with` block may close it too",
    "`.executemany()` of a query": ("undefined in PEP 249; it runs, and the rows are thrown away"),
}


# --- module interface ----------------------------------------------------------------------------


def test_globals() -> None:
    """ "These module globals must be defined: apilevel, threadsafety, paramstyle" """
    assert hql.apilevel == "2.0"
    assert hql.threadsafety in (0, 1, 2, 3)
    assert hql.paramstyle in ("qmark", "numeric", "named", "format", "pyformat")


def test_threads_may_share_the_module_and_connections() -> None:
    """threadsafety 2"""
    with hql.connect() as shared:
        shared.execute("CREATE TABLE t (n INT); INSERT INTO t VALUES (0)")

        def work() -> None:
            for _ in range(10):
                shared.cursor().execute("UPDATE t SET n = n + 1")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shared.execute("SELECT n FROM t").fetchone() == (40,)


TREE = {
    "InterfaceError": "Error",
    "DatabaseError": "Error",
    "DataError": "DatabaseError",
    "OperationalError": "DatabaseError",
    "IntegrityError": "DatabaseError",
    "InternalError": "DatabaseError",
    "ProgrammingError": "DatabaseError",
    "NotSupportedError": "DatabaseError",
}


def test_exceptions() -> None:
    """ "This is the exception inheritance layout" """
    assert issubclass(hql.Warning, Exception) and issubclass(hql.Error, Exception)
    assert not issubclass(hql.Error, hql.Warning)
    for name, parent in TREE.items():
        assert getattr(hql, name).__bases__ == (getattr(hql, parent),), name


def test_exceptions_are_attributes_of_connections(db: Any) -> None:
    """ "All exception classes defined by the DB API standard should be exposed on the Connection
    objects as attributes" """
    for name in ("Warning", "Error", *TREE):
        assert getattr(db, name) is getattr(hql, name)


def test_every_error_of_ours_has_a_kind() -> None:
    """Nothing is raised that is an Error only."""
    own = [
        value
        for module in (roots, leaves)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, hql.Error)
    ]
    kinds = {name: [c for c in own if c.__bases__ == (getattr(hql, name),)] for name in TREE}
    raised = {c for classes in kinds.values() for c in classes if c.__name__ not in TREE}
    assert raised == {c for c in own if c.__name__ not in ("Error", *TREE)}
    # what THROW raises may mean anything
    assert {c.__name__ for c in kinds["DatabaseError"]} - set(TREE) == {"RaisedFault"}


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("SELECT 1 / 0", "DataError", "DIVISION_BY_ZERO"),
        ("SELECT CAST(300 AS TINYINT)", "DataError", "OVERFLOW"),
        ("SELECT CAST('x' AS INT)", "DataError", "BAD_CAST"),
        ("INSERT INTO k VALUES (1), (1)", "IntegrityError", "UNIQUE_VIOLATION"),
        ("INSERT INTO k VALUES (NULL)", "IntegrityError", "NOT_NULL_VIOLATION"),
        ("INSERT INTO k VALUES (-1)", "IntegrityError", "CHECK_VIOLATION"),
        ("SELEC 1", "ProgrammingError", "SYNTAX"),
        ("SELECT * FROM nowhere", "ProgrammingError", "UNKNOWN_TABLE"),
        ("CREATE TABLE k (a INT)", "ProgrammingError", "ALREADY_EXISTS"),
        ("DROP INDEX nothing ON k", "ProgrammingError", "NOT_FOUND"),
        ("COMMIT; COMMIT", "ProgrammingError", "TRANSACTION"),
        ("SELECT @missing", "ProgrammingError", "UNKNOWN_VARIABLE"),
        ("SELECT ?", "ProgrammingError", None),
        ("COPY k FROM '/nowhere.csv'", "OperationalError", "FILE"),
        (
            "SELECT COUNT(*) FROM GENERATE_SERIES(1, 300000) AS a, GENERATE_SERIES(1, 300000) AS b"
            " WHERE a.value + b.value < 0 OPTION (TIMEOUT '20ms')",
            "OperationalError",
            "TIMEOUT",
        ),
        ("CREATE QUEUE q", "NotSupportedError", "NOT_SUPPORTED"),
    ],
)
def test_which_error_is_of_which_kind(db: Any, text: str, kind: str, code: str | None) -> None:
    db.execute("CREATE TABLE k (a INT PRIMARY KEY CHECK (a > 0))")
    with pytest.raises(getattr(hql, kind)) as caught:
        db.execute(text).fetchall()
    assert code is None or caught.value.code == code
    assert type(caught.value).__mro__[1] is getattr(hql, kind)


def test_a_lock_is_an_operational_error(tmp_path: Path) -> None:
    with hql.connect(tmp_path), hql.connect(tmp_path, read_only=True) as reader:
        with pytest.raises(hql.OperationalError) as caught:
            reader.execute("CREATE TABLE t (a INT)")
        assert caught.value.code == "READ_ONLY"


# --- connections ---------------------------------------------------------------------------------


def test_commit_and_rollback(tmp_path: Path) -> None:
    """ "Closing a connection without committing the changes first will cause an implicit rollback
    to be performed." """
    one = hql.connect(tmp_path, autocommit=False)
    one.execute("CREATE TABLE t (a INT)")
    one.commit()
    one.execute("INSERT INTO t VALUES (1)")
    one.rollback()
    one.execute("INSERT INTO t VALUES (2)")
    one.close()
    with hql.connect(tmp_path) as two:
        assert two.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_a_closed_connection_is_unusable(db: Any) -> None:
    """ "The connection will be unusable from this point forward; an Error exception will be raised
    if any operation is attempted [...] The same applies to all cursor objects" """
    cursor = db.cursor()
    db.close()
    for attempt in (
        db.commit,
        db.rollback,
        db.cursor,
        cursor.fetchone,
        lambda: cursor.execute("SELECT 1"),
        lambda: cursor.executemany("SELECT ?", [(1,)]),
        lambda: cursor.callproc("p"),
    ):
        with pytest.raises(hql.Error):
            attempt()


def test_cursors_of_one_connection_are_not_isolated(filled: Any) -> None:
    """ "any changes done to the database by a cursor are immediately visible by the other
    cursors" """
    one, two = filled.cursor(), filled.cursor()
    one.execute("DELETE FROM booze WHERE name = 'Ouzo'")
    two.execute("SELECT COUNT(*) FROM booze")
    assert two.fetchone() == (4,)


# --- type objects and constructors ---------------------------------------------------------------


def test_constructors() -> None:
    """Date(year, month, day) … Binary(string)"""
    assert hql.Date(2002, 12, 25) == datetime.date(2002, 12, 25)
    assert hql.Time(13, 45, 30) == datetime.time(13, 45, 30)
    assert hql.Timestamp(2002, 12, 25, 13, 45, 30) == datetime.datetime(2002, 12, 25, 13, 45, 30)
    assert hql.Binary(b"\0x") == b"\0x"
    ticks = time.mktime((2002, 12, 25, 13, 45, 30, 0, 0, 0))
    assert hql.DateFromTicks(ticks) == hql.Date(2002, 12, 25)
    assert hql.TimeFromTicks(ticks) == hql.Time(13, 45, 30)
    assert hql.TimestampFromTicks(ticks) == hql.Timestamp(2002, 12, 25, 13, 45, 30)


TYPED: list[tuple[str, Any, Any]] = [
    ("NVARCHAR(9)", "STRING", "x"),
    ("JSON", "STRING", '{"a":1}'),
    ("UNIQUEIDENTIFIER", "STRING", uuid.UUID(int=1)),
    ("VARBINARY(9)", "BINARY", b"x"),
    ("BIT", "NUMBER", True),
    ("TINYINT", "NUMBER", 1),
    ("SMALLINT", "NUMBER", 1),
    ("INT", "NUMBER", 1),
    ("BIGINT", "NUMBER", 1),
    ("DECIMAL(9, 2)", "NUMBER", Decimal("1.50")),
    ("REAL", "NUMBER", 1.5),
    ("FLOAT", "NUMBER", 1.5),
    ("DATE", "DATETIME", datetime.date(2002, 12, 25)),
    ("TIME", "DATETIME", datetime.time(13, 45, 30)),
    ("DATETIME2", "DATETIME", datetime.datetime(2002, 12, 25, 13)),
    ("DATETIMEOFFSET", "DATETIME", datetime.datetime(2002, 12, 25, 13, tzinfo=datetime.UTC)),
    ("VECTOR(2)", "VECTOR", [1, 2]),
    ("GEOMETRY", "GEOMETRY", hql.Geometry.from_wkt("POINT (1 2)")),
]


@pytest.mark.parametrize(("type_", "group", "value"), TYPED, ids=lambda v: str(v)[:20])
def test_type_codes(db: Any, type_: str, group: str, value: Any) -> None:
    """ "The type_code must compare equal to one of Type Objects defined below." """
    cursor = db.execute(f"SELECT CAST(@v AS {type_}) AS v", {"v": value})
    code = cursor.description[0][1]
    objects = {n: o for n, o in vars(dbapi_types).items() if isinstance(o, dbapi_types.TypeObject)}
    assert [name for name, each in objects.items() if code == each] == [group]
    assert [name for name, each in objects.items() if code != each] != []
    (row,) = cursor.fetchall()
    assert list(row[0]) == [1, 2] if group == "VECTOR" else row[0] == value


def test_type_objects_are_told_apart() -> None:
    objects = [hql.STRING, hql.BINARY, hql.NUMBER, hql.DATETIME, hql.ROWID]
    for one in objects:
        assert [other for other in objects if one == other] == [one]
    assert hql.NUMBER != "NVARCHAR(5)" and hql.NUMBER == "DECIMAL(9,2)" and hql.NUMBER != 5


def test_none_is_null(db: Any) -> None:
    """ "SQL NULL values are represented by the Python None singleton on input and output." """
    cursor = db.execute("INSERT INTO booze VALUES (:n)", {"n": None})
    cursor.execute("SELECT name FROM booze WHERE name IS NULL")
    assert cursor.fetchone() == (None,)


# --- optional extensions -------------------------------------------------------------------------


def test_rownumber(filled: Any) -> None:
    """ "the current 0-based index of the cursor in the result set or None if the index cannot be
    determined"; "The next fetch operation will fetch the row indexed by .rownumber" """
    cursor = filled.cursor()
    assert cursor.rownumber is None
    cursor.execute("SELECT name FROM booze ORDER BY name")
    assert cursor.rownumber == 0
    cursor.fetchmany(3)
    assert cursor.rownumber == 3
    assert cursor.fetchone()[0] == SAMPLES[3]
    cursor.fetchall()
    assert cursor.rownumber == 5


def test_connection_attribute(db: Any) -> None:
    """ "This read-only attribute returns a reference to the Connection object" """
    assert db.cursor().connection is db


def test_iteration(filled: Any) -> None:
    """ "Return self to make cursors compatible to the iteration protocol"; "A StopIteration
    exception is raised when the result set is exhausted" """
    cursor = filled.execute("SELECT name FROM booze ORDER BY name")
    assert iter(cursor) is cursor
    assert next(cursor) == (SAMPLES[0],)
    assert [row[0] for row in cursor] == SAMPLES[1:]
    with pytest.raises(StopIteration):
        next(cursor)


def test_messages_are_cleared(db: Any) -> None:
    """ "The list is cleared by all standard cursor methods calls (prior to executing the call)" """
    cursor = db.execute("PRINT 'one'")
    assert cursor.messages == ["one"]
    assert cursor.execute("SELECT 1").messages == []


def test_lastrowid(db: Any) -> None:
    """ "If the operation does not set a rowid [...] this attribute should be set to None" """
    db.execute("CREATE TABLE t (id INT IDENTITY(5, 5), a INT)")
    cursor = db.cursor()
    assert cursor.lastrowid is None
    assert cursor.execute("INSERT INTO t (a) VALUES (1), (2)").lastrowid == 10
    assert cursor.execute("UPDATE t SET a = 0").lastrowid is None


def test_autocommit(db: Any) -> None:
    """ "Attribute to query and set the autocommit mode" """
    assert db.autocommit is False
    db.autocommit = True
    db.execute("INSERT INTO booze VALUES ('x')")
    db.rollback()
    assert db.execute("SELECT COUNT(*) FROM booze").fetchone() == (1,)


def test_with_blocks() -> None:
    with hql.connect() as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(hql.Error):
        cursor.fetchone()


# --- what differs --------------------------------------------------------------------------------


def test_differences_are_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition("## What differs from PEP 249")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if "|" in line][2:]
    assert {name.strip(): why.strip() for name, why in rows} == DIFFERENCES


def test_differences_are_real(db: Any) -> None:
    for name in ("scroll", "errorhandler"):
        assert not hasattr(db.cursor(), name)
    for name in ("messages", "errorhandler", "tpc_begin", "xid"):
        assert not hasattr(db, name)
    assert hql.ROWID.kinds == frozenset()
    assert hql.connect().autocommit
    assert all(c[2] is None and c[6] is None for c in db.execute("SELECT 1 AS a").description)
    assert db.executemany("SELECT @a", [{"a": 1}]).description is None
    db.close()
    db.close()
