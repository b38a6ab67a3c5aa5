"""QueryLog, and who is at work: sums hold when only a sample is noted; nothing is kept alive."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from hartonomous import hql
from hartonomous.hql import query_log
from hartonomous.hql.normal_text import hash_of, normal_text, without_secrets
from hartonomous.hql.session import Session
from hartonomous.storage.clock import FixedClock
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Cancelled, Error


def rows(connection: hql.Connection, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(text, parameters or None).fetchall()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("select a from t where b = 'it''s' -- c", "SELECT A FROM T WHERE B = ?"),
        ("SELECT 1, 2.5, 1e3, 0xFF, [1, 2]", "SELECT ? , …"),
        ("a IN (1)", "A IN ( ? )"),
        ("a IN (1, 2)", "A IN ( ? , … )"),
        ("a IN (1, 2, 3, 4)", "A IN ( ? , … )"),
        ("f(1, 2, b, 3, 4, 5)", "F ( ? , … , B , ? , … )"),
        ("VALUES (1, 'a'), (2, 'b'), (3, 'c')", "VALUES ( ? , … ) , …"),
        ("VALUES (@a, 1), (@a, 2)", "VALUES ( @A , ? ) , …"),
        ("@@ROWCOUNT = :name + ?", "@@ROWCOUNT = :NAME + ?"),
        ('"od""d" . [x y]', '"od""d" . "x y"'),
        ("SELECT 'not closed", "SELECT …"),
        ("", ""),
    ],
)
def test_forms(text: str, form: str) -> None:
    assert normal_text(text) == form


def test_forms_of_long_texts_and_hashes() -> None:
    long = "SELECT 'x' + " * 10_000
    assert normal_text(long).endswith("…") and len(normal_text(long)) < 8_000
    assert hash_of("SELECT 1") == hash_of("select   2 /* two */")
    assert hash_of("SELECT 1") != hash_of("SELECT a")
    assert without_secrets("SELECT 'a'") == "SELECT 'a'"
    assert "hush" not in without_secrets("EXEC('CREATE USER u WITH PASSWORD = ''hush''')")


def test_many_statements_cost_few_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_log, "FAST_BURST", 5)
    monkeypatch.setattr(query_log, "FAST_RATE", 0.0)
    monkeypatch.setattr(query_log, "SLOW_SECONDS", 1e9)
    with hql.connect(":memory:") as connection:
        for _ in range(40):
            rows(connection, "SELECT 1 AS a")
        connection.session.activity.log._fast._tokens = 1.0
        rows(connection, "SELECT 1 AS a")
        for _ in range(3):
            with pytest.raises(Error):
                rows(connection, "SELECT 1 / 0 AS a")
        log = "SELECT COUNT(*), SUM(Executions) FROM QueryLog WHERE Error IS "
        assert rows(connection, log + "NULL") == [(6, 41)]
        assert rows(connection, log + "NOT NULL") == [(3, 3)]


def test_the_log_is_kept_when_the_database_is_closed(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db", author="anna") as connection:
        connection.execute("CREATE TABLE t (a INT)")
        connection.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(5)])
        connection.executemany("SELECT ?", [(1,), (2,)])
    with hql.connect(tmp_path / "db", read_only=True) as connection:
        noted = rows(connection, "SELECT Kind, RowCount, UserName FROM QueryLog ORDER BY StartedAt")
    assert noted[:2] == [("CREATE TABLE", 0, "anna"), ("INSERT", 5, "anna")]
    assert noted[2:] == [("SELECT", 1, "anna")] * 2


def test_a_clock_that_goes_back_makes_no_time_negative() -> None:
    database = Database.open(None, clock=FixedClock(step_us=-1_000_000))
    session = Session(database)
    for _ in range(3):
        session.execute("SELECT 1 AS a")[0].to_table()
    found = session.execute("SELECT Milliseconds FROM QueryLog")[0].to_table()
    assert len(found) == 3 and min(found.column(0).to_pylist()) >= 0
    session.close()


def test_rows_that_wait_cost_a_statement_no_time() -> None:
    with hql.connect(":memory:") as connection:
        cursor = connection.execute("SELECT value FROM GENERATE_SERIES(1, 300000)")
        cursor.fetchone()
        (watched,) = connection.session.activity.statements()
        assert watched.is_paused and watched.rows > 0
        first = watched.seconds
        rows(connection, "WAITFOR DELAY '00:00:00.05'; SELECT 1")
        assert watched.seconds == first
        cursor.fetchall()
        assert connection.session.activity.statements() == []
        assert watched.rows == 300_000


def test_what_is_given_up_is_forgotten() -> None:
    connection = hql.connect(":memory:given-up")
    session = connection.session
    cursor = connection.execute("SELECT value FROM GENERATE_SERIES(1, 300000)")
    cursor.fetchone()
    activity, gone = session.activity, weakref.ref(session)
    assert len(activity.statements()) == 1 and len(activity.sessions()) == 1
    del cursor, connection, session
    gc.collect()
    assert gone() is None
    assert activity.statements() == [] and activity.sessions() == []


def test_kill_stops_what_runs_and_undoes_what_is_open() -> None:
    victim, killer = hql.connect(":memory:killed"), hql.connect(":memory:killed")
    victim.execute("CREATE TABLE t (a INT); BEGIN TRAN; INSERT INTO t VALUES (1)")
    failed: list[Error] = []

    def wait() -> None:
        try:
            victim.execute("WAITFOR DELAY '00:01:00'")
        except Error as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting = "SELECT statement_id, session_id FROM sys.statements WHERE kind = 'WAITFOR DELAY'"
    while not (found := rows(killer, waiting)):
        pass
    killer.execute("KILL STATEMENT @n", {"n": found[0][0]})
    thread.join(10)
    assert isinstance(failed[0], Cancelled)
    assert victim.in_transaction and not rows(killer, waiting)
    killer.execute("KILL ?", [found[0][1]])
    with pytest.raises(hql.ProgrammingError, match="ended by KILL"):
        victim.execute("SELECT 1")
    assert rows(killer, "SELECT COUNT(*) FROM t") == [(0,)]
    assert [n for (n,) in rows(killer, "SELECT session_id FROM sys.sessions")] != [found[0][1]]
    killer.close()
