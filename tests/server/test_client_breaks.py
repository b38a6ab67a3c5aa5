"""Connections of clients that break, with and without what would be lost; KILL, Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asides import Aside, cancel_until_it_ends
from client_sessions import cut, remote, running, wait_until
from servers import ServerThread, serving

from hartonomous import hql
from hartonomous.hql import errors
from hartonomous.storage.errors import Cancelled

LONG = "SELECT COUNT(*) FROM GENERATE_SERIES(1, 300000) AS a, GENERATE_SERIES(1, 300000) AS b"


# --- connections that break ----------------------------------------------------------------------


def test_it_connects_again_where_nothing_is_lost(server: ServerThread, db: Any) -> None:
    number = remote(db).number
    db.execute("CREATE BRANCH other")
    db.session.use_branch("other")
    db.autocommit = False
    cut(db)
    assert not db.is_alive() and not db.is_closed
    assert db.execute("SELECT 1").fetchall() == [(1,)]
    assert remote(db).number != number and db.session.branch == "other" and not db.autocommit


@pytest.mark.parametrize(
    "before",
    [
        "BEGIN TRAN",
        "CREATE TABLE #own (a INT)",
        "SET XACT_ABORT ON",
        "DECLARE c CURSOR FOR SELECT 1",
    ],
)
def test_it_does_not_where_something_is(server: ServerThread, before: str) -> None:
    db = hql.connect(server.url)
    db.execute(before)
    cut(db)
    assert db.is_closed
    for _ in range(2):
        with pytest.raises(errors.ConnectionFault, match="lost"):
            db.execute("SELECT 1")
    db.close()
    with pytest.raises(errors.TransactionFault, match="closed"):
        db.execute("SELECT 1")


def test_it_does_not_if_told_so_or_while_rows_are_read(server: ServerThread) -> None:
    db = hql.connect(server.url, reconnect=False)
    cut(db)
    with pytest.raises(errors.ConnectionFault):
        db.execute("SELECT 1")
    db = hql.connect(server.url)
    rows = db.execute("SELECT value FROM GENERATE_SERIES(1, 30000000)")
    rows.fetchone()
    cut(db)
    with pytest.raises(errors.ConnectionFault):
        db.execute("SELECT 1")
    with pytest.raises(errors.ConnectionFault):
        rows.fetchall()
    assert db.execute("SELECT 1").fetchall() == [(1,)]


class _Deaf:
    """A transport whose connection breaks when the first statement was sent."""

    def __init__(self, inner: Any) -> None:
        self.__dict__["inner"] = inner

    def send(self, message: bytes) -> None:
        self.inner.send(message)
        self.inner._socket.shutdown(2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)


def test_only_what_reads_is_sent_twice(server: ServerThread, db: Any) -> None:
    db.execute("DROP TABLE IF EXISTS twice; CREATE TABLE twice (a INT)")
    session = remote(db)
    session._transport = _Deaf(session._transport)  # type: ignore[assignment]
    assert db.execute("SELECT ? + 1", [1]).fetchall() == [(2,)]
    session._transport = _Deaf(session._transport)  # type: ignore[assignment]
    with pytest.raises(errors.ConnectionFault):
        db.execute("INSERT INTO twice VALUES (1)")
    assert db.execute("SELECT COUNT(*) FROM twice").fetchone()[0] in (0, 1)


def test_a_connection_is_dropped_under_who_reads(server: ServerThread) -> None:
    """As when sending fails in another thread."""
    db = hql.connect(server.url)
    aside = Aside(lambda: db.execute(LONG))
    wait_until(lambda: running(server) == 1)
    db.session._options = {"reconnect": False}  # type: ignore[attr-defined]
    remote(db)._transport.drop()
    error = aside.error()
    assert error is not None and error.code == "CONNECTION"
    wait_until(lambda: running(server) == 0)


def test_the_server_stops() -> None:
    with serving() as server:
        db = hql.connect(server.url)
        rows = db.execute("SELECT value FROM GENERATE_SERIES(1, 30000000)")
        rows.fetchone()
    with pytest.raises(hql.OperationalError):
        rows.fetchall()
    with pytest.raises(errors.ConnectionFault):
        db.execute("SELECT 1")


def test_what_kill_ends_does_not_come_back(server: ServerThread, db: Any) -> None:
    with hql.connect(server.url) as victim:
        aside = Aside(lambda: victim.execute(LONG).fetchall())
        wait_until(lambda: running(server) == 1)
        (number,) = db.execute(
            "SELECT session_id FROM sys.statements WHERE text LIKE '%300000%'"
            " AND text NOT LIKE '%sys.statements%'"
        ).fetchone()
        db.execute(f"KILL {number}")
        assert aside.error() is not None
        wait_until(lambda: running(server) == 0)


def test_a_server_that_is_silent_for_too_long(server: ServerThread) -> None:
    db = hql.connect(server.url, read_timeout=0.2)
    assert db.execute("SELECT 1").fetchall() == [(1,)]
    with pytest.raises(errors.ConnectionFault, match="silent"):
        db.execute("WAITFOR DELAY '00:00:05'")


# --- Ctrl-C --------------------------------------------------------------------------------------


@pytest.fixture
def pythons_own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_soon() -> threading.Timer:
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.usefixtures("pythons_own_handler")
def test_ctrl_c_stops_the_statement_and_the_connection_goes_on(
    server: ServerThread, db: Any
) -> None:
    number = remote(db).number
    db.execute("BEGIN TRAN")
    timer = press_soon()
    with pytest.raises(KeyboardInterrupt):
        db.execute(LONG).fetchall()
    timer.join()
    assert db.execute("SELECT 1").fetchall() == [(1,)]
    assert remote(db).number == number and db.in_transaction
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    db.rollback()


@pytest.mark.usefixtures("pythons_own_handler")
def test_ctrl_c_while_rows_are_read(server: ServerThread, db: Any) -> None:
    rows = db.execute("SELECT a.value FROM GENERATE_SERIES(1, 90000) AS a CROSS JOIN "
                      "GENERATE_SERIES(1, 90000) AS b")  # fmt: skip
    timer = press_soon()
    with pytest.raises(KeyboardInterrupt):
        for _ in rows.fetch_record_batches():
            pass
    timer.join()
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_cancelling_leaves_the_session_as_it_was(server: ServerThread, db: Any) -> None:
    db.cancel()  # nothing runs
    db.execute("CREATE TABLE #own (a INT)")
    error = cancel_until_it_ends(db, lambda: db.execute(LONG))
    assert isinstance(error, Cancelled)
    assert db.execute("SELECT COUNT(*) FROM #own").fetchall() == [(0,)]


def test_the_shells_ctrl_c(server: ServerThread, db: Any) -> None:
    from hartonomous.hql.shell.running import Interrupted, interruptibly

    timer = press_soon()
    with pytest.raises(Interrupted):
        interruptibly(db, lambda: db.execute(LONG), shows_time=True)
    timer.join()
    assert db.execute("SELECT 1").fetchall() == [(1,)]
