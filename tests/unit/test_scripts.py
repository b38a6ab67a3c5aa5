"""Scripts: limits and cancellation inside, results as they come, frames, plans that are kept."""

from __future__ import annotations

import itertools
import platform
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql import queries, texts
from hartonomous.hql.context import VARIANTS_MAX
from hartonomous.hql.limits import Limits
from hartonomous.hql.scripts.message_format import MessageFormat, format_message
from hartonomous.hql.syntax import parse
from hartonomous.storage.errors import Cancelled, Error

#: loops without end, each busy with something else
LOOPS = {
    "values": "DECLARE @i INT = 0; WHILE 1 = 1 SET @i = 1 - @i",
    "engine": "DECLARE @n BIGINT; WHILE 1 = 1 SELECT @n = COUNT(*) FROM sys.tables",
    "changes": "WHILE 1 = 1 UPDATE t SET a = a",
    "nothing": "WHILE 1 = 1 BEGIN IF 1 = 2 BREAK END",
    "continue": "WHILE 1 = 1 CONTINUE",
    "errors": "WHILE 1 = 1 BEGIN TRY THROW 50000, 'x', 1; END TRY BEGIN CATCH PRINT 'x'; END CATCH",
    "text": "WHILE 1 = 1 EXEC ('PRINT 1')",
    "waiting": "WAITFOR DELAY '01:00:00'",
    "a long query": "SELECT COUNT(*) AS n FROM GENERATE_SERIES(1, 1000000000) AS a (x), "
    "GENERATE_SERIES(1, 1000) AS b (y)",
}


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        connection.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        yield connection


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
def test_a_time_limit_holds_inside(db: Any, loop: str) -> None:
    db.session.timeout = 0.1
    with pytest.raises(Cancelled) as caught:
        db.execute(f"BEGIN TRY {LOOPS[loop]}; END TRY BEGIN CATCH PRINT 'caught' END CATCH")
    assert caught.value.code == "TIMEOUT" and "0.1 seconds" in caught.value.message
    db.session.timeout = None
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


@pytest.mark.parametrize("loop", LOOPS)
def test_cancel_reaches_what_runs_inside(db: Any, loop: str) -> None:
    timer = threading.Timer(0.1, db.cancel)
    timer.start()
    with pytest.raises(Cancelled) as caught:
        db.execute(f"BEGIN TRY {LOOPS[loop]}; END TRY BEGIN CATCH PRINT 'caught' END CATCH")
    timer.join()
    assert caught.value.code == "CANCELLED"


@pytest.mark.parametrize("loop", ["values", "engine", "changes", "waiting"])
def test_ctrl_c_ends_a_loop(db: Any, loop: str) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            db.execute(f"BEGIN TRAN; {LOOPS[loop]}")
            pytest.fail("the loop has no end")
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert db.in_transaction
    db.execute("ROLLBACK")
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_a_limit_inside_holds_for_that_statement_alone(db: Any) -> None:
    text = f"""DECLARE @i INT = 0;
        WHILE @i < 5 BEGIN
            SET @i += 1;
            WAITFOR DELAY '00:00:00.05';
            SELECT @i AS i OPTION (TIMEOUT '200ms');
        END
        BEGIN {LOOPS["a long query"]} OPTION (TIMEOUT '50ms') END"""
    with pytest.raises(Cancelled, match=r"0\.05 seconds"):
        db.execute(text)


def test_nested_limits_are_stopped_by_those_around() -> None:
    outer = Limits(timeout=600, memory_bytes=1000)
    inner = outer.nested().nested()
    assert inner.memory_bytes == 1000
    outer.cancel()
    assert inner.flag[0] == 1
    with pytest.raises(Cancelled):
        inner.check()
    with pytest.raises(Cancelled):
        outer.nested()
    later = Limits()
    stopped = later.nested()
    stopped.stop()
    later.cancel()
    stopped.check()  # it is over: nothing reaches it


# --- results -------------------------------------------------------------------------------------


def test_results_and_messages_come_as_they_arise(db: Any) -> None:
    messages: list[str] = []
    text = """DECLARE @i INT = 0;
        WHILE @i < 3 BEGIN SET @i += 1; PRINT @i; SELECT @i AS i; END PRINT 'end'"""
    seen = []
    for result in db.session.results(text, None, messages):
        if result.has_rows:
            seen.append((list(messages), result.to_table().to_pydict()["i"]))
    assert seen == [(["1"], [1]), (["1", "2"], [2]), (["1", "2", "3"], [3])]
    assert messages == ["1", "2", "3", "end"]


def test_rows_not_taken_are_those_of_their_time(db: Any) -> None:
    results = db.session.results("IF 1 = 1 BEGIN SELECT a FROM t; UPDATE t SET a = 2 END")
    first = next(results)
    list(results)
    assert first.to_table().to_pydict() == {"a": [1]}


def test_the_last_rows_of_a_script_stream(db: Any) -> None:
    (result,) = db.session.results("IF 1 = 1 SELECT a FROM t")
    db.session.execute("UPDATE t SET a = 2")
    assert result.to_table().to_pydict() == {"a": [1]}  # from the snapshot it holds


def test_a_script_that_nobody_reads_on_is_over(db: Any) -> None:
    results = db.session.results("WHILE 1 = 1 SELECT a FROM t")
    next(results)
    results.close()
    assert db.execute("SELECT @@TRANCOUNT AS n").fetchall() == [(0,)]


@pytest.mark.parametrize("text", ["INSERT INTO t VALUES (?)", "IF ? > 0 INSERT INTO t VALUES (1)"])
def test_executemany_has_a_time_limit(text: str) -> None:
    with hql.connect(":memory:", timeout=0.2) as db:
        db.execute("CREATE TABLE t (a INT)")
        with pytest.raises(Cancelled, match="time limit"):
            db.executemany(text, ((i,) for i in itertools.count()))
        assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_executemany_runs_scripts(db: Any) -> None:
    text = "IF ? > 1 INSERT INTO t VALUES (?) ELSE RETURN; DELETE FROM t WHERE a = 1"
    cursor = db.executemany(text, [(1, 1), (2, 2), (3, 3)])
    assert cursor.rowcount == 3  # two inserted, one deleted
    assert db.execute("SELECT a FROM t ORDER BY a").fetchall() == [(2,), (3,)]


# --- frames --------------------------------------------------------------------------------------


def test_a_frame_keeps_variables_from_text_to_text(db: Any) -> None:
    session = db.session
    frame = session.open_frame({"p": 5})
    list(session.results("DECLARE @a INT = @p; RETURN; SET @a = 0", frame=frame))
    _, result = session.results("SET @a += 1; SELECT @a AS a", frame=frame)
    assert result.to_table().to_pydict() == {"a": [6]}
    frame.close()
    with pytest.raises(Error, match="no variable or parameter @a"):
        db.execute("SELECT @a AS a")


def test_a_loop_binds_its_statements_once(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = []
    bind = queries._bind

    def counting(*arguments: Any) -> Any:
        bound.append(arguments)
        return bind(*arguments)

    monkeypatch.setattr(queries, "_bind", counting)
    text = """DECLARE @i INT = 0, @n BIGINT;
        WHILE @i < {}
        BEGIN
            SET @i += 1;
            SELECT @n = COUNT(*) FROM t WHERE a < @i;
            IF EXISTS (SELECT 1 AS x FROM t WHERE a = @n) SET @n = 0;
        END"""
    db.execute(text.format(2))
    once = len(bound)
    bound.clear()
    db.execute(text.format(20))
    assert len(bound) == once


def test_a_long_declare_binds_its_values_once(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = []
    bind = queries._bind
    monkeypatch.setattr(queries, "_bind", lambda *a: bound.append(a) or bind(*a))
    values = ", ".join(f"@v{i} INT = {i}" for i in range(3 * VARIANTS_MAX))
    text = "DECLARE @i INT = 0; WHILE @i < {} BEGIN SET @i += 1; DECLARE " + values + " END"
    db.execute(text.format(2))  # in its second turn it sees variables that are there already
    once = len(bound)
    bound.clear()
    db.execute(text.format(5))
    assert len(bound) == once


def test_a_long_function_is_read_once(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    remark = "-" * 2 + "x" * texts.TEXT_CHARACTERS_MAX
    db.execute(
        f"CREATE FUNCTION f(@a INT) RETURNS INT AS BEGIN {remark}\n"
        "DECLARE @b INT = @a; RETURN @b END"
    )
    read = []
    parse_batch = parse.parse_batch
    monkeypatch.setattr(parse, "parse_batch", lambda text: read.append(text) or parse_batch(text))
    query = "SELECT SUM(dbo.f(value)) FROM GENERATE_SERIES(1, 20)"
    assert db.execute(query).fetchone() == (210,)
    assert len([text for text in read if remark in text]) <= 2  # its signature, and its body


@pytest.mark.parametrize(
    "loop",
    [
        "WHILE 1 = 1 SELECT REPLICATE('x', 1000000) AS x",
        "WHILE 1 = 1 PRINT REPLICATE('x', 1000000)",
        "WHILE 1 = 1 RAISERROR (@long, 10, 1)",
        "BEGIN TRY WHILE 1 = 1 SELECT @long AS x END TRY BEGIN CATCH THROW END CATCH",
    ],
)
def test_what_a_loop_leaves_is_counted(loop: str) -> None:
    with hql.connect(memory=1 << 24) as db, pytest.raises(Error) as caught:
        db.execute("DECLARE @long NVARCHAR(MAX) = REPLICATE('x', 1000000); " + loop)
    assert caught.value.code == "MEMORY"


def test_results_that_are_taken_are_counted_no_more() -> None:
    with hql.connect(memory=1 << 24) as db:
        text = "DECLARE @i INT = 0; WHILE @i < 40 BEGIN SET @i += 1; {} END"
        results = db.session.results(text.format("SELECT REPLICATE('x', 1000000) AS x"))
        assert sum(result.to_table().num_rows for result in results if result.has_rows) == 40


# --- @@ERROR and XACT_ABORT ----------------------------------------------------------------------


def test_a_session_knows_its_number_and_version(db: Any) -> None:
    query = "SELECT @@SPID, @@SERVERNAME, @@VERSION"
    with hql.connect() as other:
        number, machine, version = db.execute(query).fetchone()
        assert other.execute(query).fetchone() == (other.session.number, machine, version)
    assert number == db.session.number != other.session.number
    assert machine == platform.node()
    assert version.startswith("Hartonomous ")


def test_error_is_that_of_the_last_statement_in_the_next_text_too(db: Any) -> None:
    for text in ("SELECT 1 / 0", "BEGIN SELECT 1 / 0 END", "SELECT 1 / (a - 1) AS x FROM t"):
        with pytest.raises(Error):
            db.execute(text).fetchall()
        assert db.execute("SELECT @@ERROR AS e").fetchone() == (8134,)
        assert db.execute("SELECT @@ERROR AS e").fetchone() == (0,)


def test_an_error_of_an_older_stream_leaves_a_newer_transaction_alone(db: Any) -> None:
    db.execute("SET XACT_ABORT ON")
    older = db.session.execute("SELECT 1 / (1900000 - value) AS x FROM GENERATE_SERIES(1, 2000000)")
    db.execute("BEGIN TRAN")
    with pytest.raises(Error, match="division by zero"):
        older[-1].to_table()
    assert db.in_transaction
    inside = db.session.execute(
        "SELECT 1 / (1900000 - value) AS x FROM GENERATE_SERIES(1, 2000000)"
    )
    with pytest.raises(Error, match="division by zero"):
        inside[-1].to_table()
    assert not db.in_transaction


# --- messages of RAISERROR -----------------------------------------------------------------------


def test_formats_are_those_of_c() -> None:
    for pattern in ("%d", "%5d", "%-5d|", "%05d", "%+d", "% d", "%.3d", "%8.3d", "%x", "%X"):
        for value in (0, 7, 123456):
            assert format_message(pattern, [value]) == pattern % value, (pattern, value)
    for pattern in ("%s", "%5s", "%-5s|", "%.2s", "%6.2s"):
        for text in ("", "abc", "abcdefgh"):
            assert format_message(pattern, [text]) == pattern % text, (pattern, text)
    assert format_message("%d %05d", [-5, -5]) == "-5 -0005"


@pytest.mark.parametrize("pattern", ["%", "%d", "%y", "%*d", "100%"])
def test_a_bad_format_says_so(pattern: str) -> None:
    with pytest.raises(MessageFormat):
        format_message(pattern, ["text"])


def test_a_format_cannot_make_an_endless_text() -> None:
    assert len(format_message("%999999999d", [1])) <= 2_047
    assert len(format_message("%.999999999d", [1])) <= 2_047
