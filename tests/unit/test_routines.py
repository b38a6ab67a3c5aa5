"""Procedures and functions: what golden scripts cannot show (threads, limits, other sessions)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from hartonomous import hql
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.session import Session
from hartonomous.storage.errors import Cancelled, Conflict, Error


@pytest.fixture
def db() -> Iterator[Connection]:
    with hql.connect(":memory:") as connection:
        yield connection


def test_functions_in_many_threads_of_the_engine(db: Connection) -> None:
    """A body that runs a query which calls another function: the engine's threads wait for each
    other in no circle."""
    db.execute("CREATE TABLE t (a INT); INSERT INTO t SELECT value FROM GENERATE_SERIES(1, 20000)")
    db.execute(
        "CREATE FUNCTION inner_one(@n INT) RETURNS INT AS BEGIN DECLARE @m INT = @n % 7; "
        "RETURN @m END"
    )
    db.execute(
        "CREATE FUNCTION outer_one(@n INT) RETURNS INT AS BEGIN DECLARE @r INT; "
        "SELECT @r = SUM(inner_one(a)) FROM t WHERE a <= @n; RETURN @r END"
    )
    rows = db.execute("SELECT SUM(outer_one(a % 3 + 1)) + SUM(inner_one(a % 2)) FROM t").fetchall()
    ones = sum(sum(i % 7 for i in range(1, a % 3 + 2)) for a in range(1, 20001))
    assert rows == [(ones + 10000,)]


def test_chance_that_another_function_asks_is_chance(db: Connection) -> None:
    db.execute("CREATE TABLE t (a INT); INSERT INTO t SELECT value FROM GENERATE_SERIES(1, 50)")
    db.execute("CREATE FUNCTION chance() RETURNS FLOAT AS BEGIN RETURN RAND() END")
    db.execute(
        "CREATE FUNCTION later() RETURNS FLOAT AS BEGIN DECLARE @y FLOAT = chance(); RETURN @y END"
    )
    assert db.execute("SELECT COUNT(DISTINCT later()) FROM t").fetchall() == [(50,)]


def test_a_function_sees_the_error_that_is_dealt_with(db: Connection) -> None:
    db.execute("CREATE FUNCTION told() RETURNS NVARCHAR(99) AS BEGIN RETURN ERROR_MESSAGE() END")
    db.execute(
        "CREATE FUNCTION told_later() RETURNS NVARCHAR(99) AS "
        "BEGIN DECLARE @m NVARCHAR(99) = ERROR_MESSAGE(); RETURN @m END"
    )
    text = "BEGIN TRY THROW 50001, 'gone', 1; END TRY "
    text += "BEGIN CATCH SELECT told(), told_later(); END CATCH"
    assert db.execute(text).fetchall() == [("gone", "gone")]


def test_equal_arguments_are_computed_once_unless_chance_is_asked(db: Connection) -> None:
    db.execute(
        "CREATE FUNCTION by_chance(@n INT) RETURNS FLOAT AS BEGIN DECLARE @r FLOAT = RAND(); "
        "RETURN @r + @n * 0 END"
    )
    sql = "SELECT COUNT(DISTINCT by_chance(1 + value * 0)) FROM GENERATE_SERIES(1, 5)"
    assert db.execute(sql).fetchall() == [(5,)]


@pytest.mark.parametrize(
    "body",
    [
        "WHILE 1 = 1 SET @n = @n; RETURN 1",
        "RETURN endless(@n) + endless(@n - 1)",
        "IF @n < 0 RETURN 1; RETURN endless(@n - 1) + endless(@n - 1)",
    ],
)
def test_limits_hold_in_functions(body: str, db: Connection) -> None:
    db.execute(f"CREATE FUNCTION endless(@n INT) RETURNS INT AS BEGIN {body} END")
    with pytest.raises(Error) as caught:
        db.execute("SELECT endless(30) OPTION (TIMEOUT '200ms')").fetchall()
    assert caught.value.code in ("TIMEOUT", "RECURSION")


def test_a_function_can_be_cancelled(db: Connection) -> None:
    db.execute(
        "CREATE FUNCTION endless(@n INT) RETURNS INT AS BEGIN WHILE 1 = 1 SET @n = 1; RETURN 1 END"
    )
    timer = threading.Timer(0.2, db.cancel)
    timer.start()
    with pytest.raises(Cancelled) as caught:
        db.execute("SELECT endless(value) FROM GENERATE_SERIES(1, 3)").fetchall()
    timer.join()
    assert caught.value.code == "CANCELLED"
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_a_function_leaves_no_trace_in_the_session(db: Connection) -> None:
    db.execute("CREATE TABLE t (a INT)")
    db.execute(
        "CREATE FUNCTION counted(@n INT) RETURNS INT AS BEGIN DECLARE @r INT; "
        "SELECT @r = COUNT(*) FROM t; RETURN @r + @@ROWCOUNT * 10 END"
    )
    found = []
    rows = db.execute(
        "BEGIN TRAN; INSERT INTO t VALUES (1), (2), (3);"
        "SELECT counted(1), @@ROWCOUNT, @@TRANCOUNT; SELECT @@ROWCOUNT, @@TRANCOUNT"
    )
    while True:
        if rows.description is not None:
            found.append(rows.fetchall())
        if not rows.nextset():
            break
    db.rollback()
    assert found == [[(13, 3, 1)], [(1, 1)]]


def test_two_sessions_that_change_one_procedure(db: Connection) -> None:
    db.execute("CREATE PROCEDURE p AS SELECT 1 AS x")
    other = Session(db.session.database)
    other.execute("BEGIN TRAN; ALTER PROCEDURE p AS SELECT 2 AS x")
    db.execute("ALTER PROCEDURE p AS SELECT 3 AS x")
    with pytest.raises(Conflict):
        other.execute("COMMIT")
    assert other.execute("EXEC p")[0].to_table().to_pylist() == [{"x": 3}]


def test_results_come_before_what_follows_them_runs(db: Connection) -> None:
    db.execute("CREATE TABLE seen (n INT)")
    db.execute(
        "CREATE PROCEDURE p AS BEGIN SELECT 1 AS n; INSERT INTO seen VALUES (1); "
        "SELECT COUNT(*) AS n FROM seen END"
    )
    results = db.session.results("EXEC p")
    first = next(results)
    assert db.session.execute("SELECT COUNT(*) FROM seen")[0].to_table().to_pylist() == [
        {"count": 0}
    ]
    assert first.to_table().to_pylist() == [{"n": 1}]
    assert [r.to_table().to_pylist() for r in results if r.has_rows] == [[{"n": 1}]]


def test_a_routine_is_read_once() -> None:
    from hartonomous.hql.scripts.routines import read_routine
    from hartonomous.storage.catalog import RoutineEntry

    text = "CREATE FUNCTION f(@x INT = 1) RETURNS INT AS BEGIN RETURN @x END"
    entry = RoutineEntry(7, "dbo", "f", "SCALAR FUNCTION", text)
    assert read_routine(entry) is read_routine(entry)
    assert read_routine(entry).value is not None
    assert str(read_routine(entry).parameters[0]) == "@x INT = 1"


def test_functions_that_stand_on_functions_do_not_grow_without_bound(db: Connection) -> None:
    """Each calls the one before twice: inlined, the last would be 2**20 expressions."""
    db.execute("CREATE FUNCTION f0(@x INT) RETURNS BIGINT AS BEGIN RETURN @x END")
    for i in range(1, 21):
        db.execute(
            f"CREATE FUNCTION f{i}(@x INT) RETURNS BIGINT AS "
            f"BEGIN RETURN f{i - 1}(@x) + f{i - 1}(@x) END"
        )
    started = time.monotonic()
    with pytest.raises(Error) as caught:
        db.execute("SELECT f20(value) FROM GENERATE_SERIES(1, 2) OPTION (TIMEOUT '1s')").fetchall()
    assert caught.value.code in ("TIMEOUT", "RECURSION")
    assert time.monotonic() - started < 60
    assert db.execute("SELECT f5(3)").fetchall() == [(96,)]


RECURSIVE = """CREATE FUNCTION down(@n INT) RETURNS BIGINT AS BEGIN
    DECLARE @sum BIGINT;
    WHILE @n = 0 AND 1 = 2 SET @n = 0;
    SELECT @sum = SUM(down(a - 1)) FROM t WHERE @n > 0 AND a = @n;
    RETURN @n + ISNULL(@sum, 0)
END"""


def test_how_deep_a_function_calls_itself_depends_on_no_stack_around_it(db: Connection) -> None:
    """Python allows 1,000 frames in a thread; the program that asks stands on 600 of them."""
    db.execute("CREATE TABLE t (a INT); INSERT INTO t SELECT value FROM GENERATE_SERIES(1, 40)")
    db.execute(RECURSIVE)

    def ask(frames: int, sql: str) -> object:
        return ask(frames - 1, sql) if frames else db.execute(sql).fetchall()

    for _ in range(5):  # the engine calls from another thread each time
        assert ask(600, "SELECT down(31)") == [(31 * 32 // 2,)]
        with pytest.raises(Error, match="nest deeper than 32 levels"):
            ask(600, "SELECT down(32)")


def test_ctrl_c_reaches_a_function_deep_down(db: Connection) -> None:
    db.execute("CREATE TABLE t (a INT); INSERT INTO t SELECT value FROM GENERATE_SERIES(1, 40)")
    db.execute(RECURSIVE.replace("1 = 2", "1 = 1"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for _ in range(3):
            timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                db.execute("SELECT down(20)").fetchall()
            timer.join()
            assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(40,)]
    finally:
        signal.signal(signal.SIGINT, before)
