"""Queries that worker processes answer: the same rows, one's own writes, no harm when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from server_workers import Served
from unit.test_elsewhere import ANYWHERE, HERE, SCHEMA

from hartonomous import hql
from hartonomous.hql.errors import (
    AuthFault,
    ConfigurationFault,
    ExecutionFault,
    RaisedFault,
    ResourceFault,
)
from hartonomous.hql.security.accounts import Accounts
from hartonomous.server.engine import Engine
from hartonomous.server.events import Columns, Complete, Finished, Rows
from hartonomous.server.routing import start_workers
from hartonomous.server.running import Running
from hartonomous.server.settings import ServerSettings
from hartonomous.server.worker_frames import Ask, Failed, Frames, Some, packed
from hartonomous.storage.errors import Cancelled, Error

MANY = "SELECT a.value AS n, REPLICATE('x', 100) AS s FROM GENERATE_SERIES(1, 400000) AS a"
PAIRS = "SELECT COUNT(*) FROM GENERATE_SERIES(1, {0}) a CROSS JOIN GENERATE_SERIES(1, {0}) b"
ENDLESS = PAIRS.format(200_000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served") / "db", workers=1)
    made.run(made.session(), SCHEMA)
    yield made
    pids = made.pids
    made.stop()
    assert not any(is_alive(pid) for pid in pids)


async def take_all(running: Running) -> None:
    async for _ in running:
        pass


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- which queries, and what they give ------------------------------------------------------------


def test_workers_give_what_the_engine_gives(served: Served) -> None:
    session = served.session()
    router, both = served.router, []
    for text in ANYWHERE:
        found = served.run(session, text, {"n": 2})
        was_routed = served.was_routed
        served.engine.router = None
        try:
            expected = served.run(session, text, {"n": 2})
        finally:
            served.engine.router = router
        assert sorted(map(repr, found)) == sorted(map(repr, expected)), text
        both.append(was_routed)
    assert sum(both) >= len(ANYWHERE) - 2, "those without FROM are not worth a trip"


def test_what_is_not_for_workers_is_answered_all_the_same(served: Served) -> None:
    session = served.session()
    for text, reason in HERE:
        if reason in ("no query", "changes", "more than one"):
            continue
        with contextlib.suppress(Error):
            served.run(session, text)
        assert not served.was_routed, text


def test_sessions_that_hold_something_answer_themselves(served: Served) -> None:
    session, text = served.session(), "SELECT COUNT(*) FROM t"
    served.run(session, "BEGIN TRAN; INSERT INTO t (a) VALUES (99)")
    assert served.run(session, text)[0][0] == served.run(served.session(), text)[0][0] + 1
    served.run(session, "ROLLBACK")
    served.run(session, text)
    assert served.was_routed
    served.run(session, "CREATE TABLE #t (a INT)")
    served.run(session, text)
    assert not served.was_routed
    manual = served.session(autocommit=False)
    served.run(manual, text)
    assert not served.was_routed
    table = pa.table({"a": [1, 2]})
    assert served.run(served.session(), "SELECT t.a FROM t JOIN @r r ON r.a = t.a", {"r": table})
    assert not served.was_routed


def test_parameters_of_every_type(served: Served) -> None:
    session, router = served.session(), served.engine.router
    values = {
        "small": 7,
        "large": 2**40,
        "float": -1.5,
        "bit": True,
        "none": None,
        "text": "a 'text' ü",
        "bytes": b"\x00\xff",
        "decimal": Decimal("12.50"),
        "date": date(2024, 2, 29),
        "time": time_of_day(1, 2, 3, 4),
        "datetime": datetime(2024, 2, 29, 1, 2, 3),
        "offset": datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC),
        "uuid": uuid.UUID(int=5),
        "vector": np.array([1.0, 2.5], np.float32),
        "json": {"a": [1, None]},
        "geometry": hql.Geometry("POINT", [[1, 2, 3]]),
    }
    text = f"SELECT {', '.join(f'@{n} AS {n}_' for n in values)} FROM t WHERE a = 1"
    found = served.run(session, text, values)
    assert served.was_routed
    served.engine.router = None
    try:
        assert found == served.run(session, text, values)
    finally:
        served.engine.router = router


def test_the_events_are_those_of_the_engine(served: Served) -> None:
    session = served.session()

    async def events() -> list[Any]:
        return [event async for event in session.run("SELECT a, b FROM t ORDER BY a")]

    columns, rows, finished, complete = served.do(events())
    assert isinstance(columns, Columns) and columns.last
    assert [(f.name, str(f.type)) for f in columns.fields] == [("a", "INT"), ("b", "NVARCHAR(20)")]
    assert columns.state is not None and columns.state.branch == "main"
    assert isinstance(rows, Rows) and rows.batch.column(0).to_pylist() == [1, 2, 3]
    assert finished == Finished(3, True)
    assert isinstance(complete, Complete) and complete.rows == 3 and complete.commit is None


def test_errors_are_those_of_the_engine(served: Served) -> None:
    session, text = served.session(), "SELECT a,\n  1 / (a - 1) FROM t"
    with pytest.raises(ExecutionFault) as caught:
        served.run(session, text)
    assert caught.value.code == "DIVISION_BY_ZERO"
    assert (caught.value.line, caught.value.column) == (2, 3)
    assert served.run(session, "SELECT @@ERROR") == [(8134,)]


def test_what_a_worker_lacks_is_asked_of_the_engine(served: Served) -> None:
    """A worker has less memory than the server; whose limit it was, the server finds out."""
    session, handed_back = served.session(), served.router.handed_back
    with pytest.raises(ResourceFault):
        served.run(session, "SELECT a, b FROM t ORDER BY b OPTION (MEMORY '300KB')")
    assert not served.was_routed and served.router.handed_back == handed_back + 1


def test_what_is_known_of_a_query(served: Served) -> None:
    """@@ROWCOUNT, sys.statements and QueryLog say of it what they say of others."""
    session = served.session()
    served.run(session, "SELECT a FROM t")
    assert served.was_routed
    assert served.run(session, "SELECT @@ROWCOUNT") == [(3,)]
    text = "SELECT a AS only_here FROM t"
    served.run(session, text)
    assert served.was_routed
    log = "SELECT Kind, RowCount FROM QueryLog WHERE QueryText = @text"
    assert served.run(session, log, {"text": text}) == [("SELECT", 3)]

    running_now = "SELECT kind, SIGN(row_count) FROM sys.statements WHERE text = @text"

    async def looked_at() -> Any:
        running = session.run(MANY)
        for _ in range(2):
            await anext(running)
        assert running.worker is not None
        other = await served.engine.open_session(None, "wire", "test")
        during = await served.rows(other, running_now, {"text": MANY})
        await running.close()
        return during, await served.rows(other, running_now, {"text": MANY})

    assert served.do(looked_at()) == ([("SELECT", 1)], [])


def test_what_is_small_goes_to_workers_while_the_server_is_busy(served: Served) -> None:
    text, busy, other = "SELECT b AS s FROM t WHERE a = @n", served.session(), served.session()
    session = served.session()
    assert served.run(session, text, {"n": 1}) == [("one",)]
    assert served.was_routed, "nobody knows yet that it is small"
    assert served.run(session, text, {"n": 2}) == [("two",)]
    assert not served.was_routed

    async def beside() -> None:
        running = busy.run("DECLARE @n INT = 0; WHILE @n < 100000000 SET @n = @n + 1")
        waiting = asyncio.create_task(take_all(running))
        while not running.is_computing:
            await asyncio.sleep(0.01)
        assert await served.rows(other, text, {"n": 1}) == [("one",)]
        assert served.was_routed
        running.cancel()
        with pytest.raises(Cancelled):
            await waiting

    served.do(beside())


# --- whose writes are seen ------------------------------------------------------------------------


def test_everybody_sees_what_was_acknowledged(served: Served) -> None:
    writer, reader = served.session(), served.session()
    served.run(writer, "CREATE TABLE seen (n INT PRIMARY KEY)")
    routed = 0
    for n in range(1, 61):
        served.run(writer, "INSERT INTO seen VALUES (@n)", {"n": n})
        for session in (writer, reader):
            assert served.run(session, "SELECT COUNT(*), MAX(n) FROM seen") == [(n, n)]
            routed += served.was_routed
        if n % 25 == 0:
            served.run(writer, "CHECKPOINT")
    assert routed > 60, "a worker sees a commit well within its time"


def test_branches_are_those_of_the_session(served: Served) -> None:
    session = served.session()
    served.run(session, "CREATE BRANCH side; USE BRANCH side; INSERT INTO t (a) VALUES (50)")
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(4,)]
    assert served.was_routed
    served.run(session, "USE BRANCH main")
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]
    assert served.was_routed
    served.run(session, "DROP BRANCH side; CREATE BRANCH side; USE BRANCH side")
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]


def test_a_worker_that_lags_behind_hands_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, database = served.session(), type(served.engine.database)
    position = served.engine.database.position
    monkeypatch.setattr(served.router, "wait_seconds", 0.01)
    monkeypatch.setattr(database, "position", property(lambda self: position + (1 << 30)))
    handed_back = served.router.handed_back
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]
    assert not served.was_routed and served.router.handed_back == handed_back + 1
    monkeypatch.undo()
    served.run(session, "SELECT COUNT(*) FROM t")
    assert served.was_routed, "that was no fault of the text"


def test_rows_wait_until_their_commit_is_shown_here(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, asked = served.session(), 0
    database = served.engine.database

    def shows(branch: str, sequence: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    monkeypatch.setattr(database, "shows", shows)
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]
    assert served.was_routed and asked == 6


# --- whose rows ----------------------------------------------------------------------------------


def test_rights_and_row_filters_hold_in_workers(served: Served) -> None:
    """Of other sessions nobody asks whose they are."""
    accounts = Accounts.of(served.engine.database)
    opened = served.session(account=accounts.open_account())
    served.run(
        opened,
        """
        CREATE TABLE notes (author NVARCHAR(50), body NVARCHAR(50));
        INSERT INTO notes VALUES ('anna', 'mine'), ('boss', 'not hers');
        CREATE TABLE closed (a INT); INSERT INTO closed VALUES (1);
        """,
    )
    read = "SELECT body FROM notes"
    assert len(served.run(opened, read)) == 2 and served.was_routed
    served.run(opened, "CREATE USER boss WITH PASSWORD = 'correct horse'")
    boss = served.session(account=accounts.find("boss"))
    served.run(
        boss,
        """
        CREATE USER anna WITH PASSWORD = 'battery staple';
        GRANT SELECT ON notes TO anna;
        CREATE POLICY own ON notes TO public USING (author = USER_NAME());
        """,
    )
    with pytest.raises(AuthFault):
        served.run(opened, read)
    assert not served.was_routed, "nobody's account is nobody's any more"
    anna = served.session(account=accounts.find("anna"))
    for session, bodies in ((boss, ["mine", "not hers"]), (anna, ["mine"])):
        assert sorted(b for (b,) in served.run(session, read)) == bodies
        assert served.was_routed
    with pytest.raises(Error) as caught:
        served.run(anna, "SELECT a FROM closed")
    assert caught.value.code == "UNKNOWN_TABLE"
    served.run(boss, "EXECUTE AS USER = 'anna'")
    assert served.run(boss, read) == [("mine",)] and served.was_routed
    served.run(boss, "EXECUTE AS CALLER; REVOKE SELECT ON notes FROM anna")
    assert len(served.run(boss, read)) == 2 and served.was_routed
    with pytest.raises(Error) as caught:
        served.run(anna, read)
    assert caught.value.code == "UNKNOWN_TABLE" and not served.was_routed
    served.run(boss, "DROP USER anna")
    with pytest.raises(AuthFault):
        served.run(anna, read)


# --- ends ----------------------------------------------------------------------------------------


def test_cancel_and_time_limits(served: Served) -> None:
    session, pids = served.session(), served.pids

    async def cancelled(when: float) -> None:
        running = session.run(ENDLESS)
        asyncio.get_running_loop().call_later(when, running.cancel)
        async for _ in running:
            pass

    for when in (0.0, 0.1):
        with pytest.raises(Cancelled) as caught:
            served.do(cancelled(when))
        assert caught.value.code == "CANCELLED"
    with pytest.raises(Cancelled) as caught:
        served.run(session, ENDLESS, timeout=0.1)
    assert caught.value.code == "TIMEOUT"

    async def killed() -> None:
        running = session.run(ENDLESS)
        asyncio.get_running_loop().call_later(0.1, session.interrupt)  # as KILL does
        async for _ in running:
            pass

    with pytest.raises(Cancelled):
        served.do(killed())
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]
    assert served.pids == pids and idle(served)


def test_a_result_that_nobody_takes_any_more(served: Served) -> None:
    session = served.session()

    async def begun() -> None:
        running = session.run(MANY)
        for _ in range(3):
            await anext(running)
        assert running.worker is not None
        await running.close()

    for _ in range(5):
        served.do(begun())
    assert idle(served)
    assert len(served.run(session, "SELECT a FROM t")) == 3


def test_closing_while_another_waits_for_rows(served: Served) -> None:
    session = served.session()

    async def closed() -> None:
        running = session.run(
            "SELECT value FROM GENERATE_SERIES(1, 9000000000) WHERE value < 70000"
        )
        assert [type(await anext(running)) for _ in range(2)] == [Columns, Rows]
        waiting = asyncio.create_task(take_all(running))
        await asyncio.sleep(0.05)
        await running.close()
        with pytest.raises(Cancelled):
            await waiting

    served.do(closed())
    assert idle(served)
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]


def idle(served: Served) -> bool:
    """Whether no worker has anything to do, soon."""

    async def settle() -> bool:
        for _ in range(500):
            if not any(w.busy for w in served.workers.workers.values()):
                return True
            await asyncio.sleep(0.01)
        return False

    return served.do(settle())


def test_a_worker_that_dies_before_rows_costs_another_try(served: Served) -> None:
    session, (pid,) = served.session(), served.pids

    async def struck() -> Any:
        os.kill(pid, signal.SIGSTOP)
        task = asyncio.create_task(served.rows(session, "SELECT COUNT(*) FROM t"))
        while not any(w.busy for w in served.workers.workers.values()):
            await asyncio.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        return await task

    lost = served.router.lost
    assert served.do(struck()) == [(3,)]
    assert not served.was_routed and served.router.lost == lost + 1
    served.do(served.workers.wait_ready())
    assert served.run(session, "SELECT COUNT(*) FROM t") == [(3,)]
    assert served.was_routed and idle(served)


# --- processes -----------------------------------------------------------------------------------


def test_a_database_in_memory_has_no_workers() -> None:
    async def start() -> None:
        engine = Engine(None, ServerSettings(workers=1))
        await engine.start()
        try:
            with pytest.raises(ConfigurationFault):
                start_workers(engine, print)
        finally:
            await engine.stop()

    asyncio.run(start())


# --- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [13, 1 << 20])
def test_frames_come_out_however_they_were_cut(step: int) -> None:
    ask = Ask(1, "SELECT 1" + " " * 200_000, {"a": 1}, "main", None, None, None, 5, 0.1)
    payload = pa.py_buffer(bytes(range(256)) * 100)
    given = [(ask, None), (Some(3), payload), (Some(1), pa.py_buffer(b"x")), (Some(0), None)]
    data = b"".join(bytes(piece) for frame in given for piece in packed(*frame))
    frames, found = Frames(), []
    at = 0
    while at < len(data):
        room = frames.room
        count = min(step, len(room), len(data) - at)
        room[:count] = data[at : at + count]
        frames.received(count)
        at += count
        while (frame := frames.next()) is not None:
            found.append(frame)
    assert [m for m, _ in found] == [m for m, _ in given]
    assert [p and p.to_pybytes() for _, p in found] == [p and p.to_pybytes() for _, p in given]


def test_errors_arrive_as_they_were() -> None:
    error = RaisedFault("no", number=51000, severity=11)
    error.line, error.column, error.routine, error.calls = 3, 4, "procedure p", ("line 1",)
    (data,) = packed(Failed.of(error))
    frames = Frames()
    frames.room[: len(data)] = data
    frames.received(len(data))
    frame = frames.next()
    assert frame is not None
    found = frame[0].error
    assert type(found) is RaisedFault and vars(found) == vars(error) and str(found) == str(error)
