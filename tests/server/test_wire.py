"""The wire's door, by a client that sends frames: answers, order, credit, cancelling, limits."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgpack
import pyarrow as pa
import pytest
from certificates import Authority
from servers import ServerThread, serving
from wire_client import Closed, WireClient

from hartonomous import hql
from hartonomous.hql.advance import Advance
from hartonomous.hql.security.accounts import Account
from hartonomous.server import wire
from hartonomous.server.play import Play
from hartonomous.server.sessions import ServerSession
from hartonomous.server.wire_values import encode, table_bytes

LONG = "SELECT COUNT(*) FROM GENERATE_SERIES(1, 100000) a CROSS JOIN GENERATE_SERIES(1, 1000000) b"
MANY_ROWS = "SELECT value, CAST(value AS FLOAT) f FROM GENERATE_SERIES(1, 2000000)"


@pytest.fixture(scope="module")
def shared() -> Iterator[ServerThread]:
    with serving() as server:
        yield server


@pytest.fixture
def client(shared: ServerThread) -> Iterator[WireClient]:
    with WireClient(shared.server.port) as client:
        yield client


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


# --- answers -------------------------------------------------------------------------------------


def test_a_text_gives_its_results_in_order(client: WireClient) -> None:
    text = "PRINT 'a'; SELECT 1 AS n; CREATE TABLE #t (n INT); SELECT 2 AS m"
    frames = client.query(text)
    assert types(frames) == [
        *("notice", "finished"),
        *("columns", "rows", "finished"),
        "finished",
        *("columns", "rows", "finished"),
        "complete",
    ]
    assert [f["last"] for f in frames if f["type"] == "columns"] == [False, True]
    assert [("state" in f) for f in frames if f["type"] == "columns"] == [False, True]
    assert frames[-1]["rows"] == 2


def test_a_schema_is_sent_once(client: WireClient) -> None:
    first, second = client.query("SELECT 1 AS n"), client.query("SELECT 1 AS n")
    assert "arrow" in first[0] and "arrow" not in second[0]
    assert first[0]["schema"] == second[0]["schema"]
    field = client.schemas[first[0]["schema"]].field("n")
    assert field.metadata == {b"hql.type": b"INT"}
    for number in range(wire.EventWriter.SCHEMAS_MAX):  # numbers are given anew in turn
        client.query(f"SELECT 1 AS n{number}")
    again = client.query("SELECT 1 AS n")
    assert "arrow" in again[0]
    assert client.rows("SELECT 7 AS n") == [(7,)]


def test_a_small_answer_is_one_message(client: WireClient) -> None:
    for _ in range(3):  # known to be quick by then
        client.query("SELECT 1 AS n")
    client.send({"type": "query", "id": 1, "text": "SELECT 1 AS n"})
    assert types(client.message()) == ["columns", "rows", "finished", "complete"]


def test_what_is_quick_runs_at_once(shared: ServerThread) -> None:
    with WireClient(shared.server.port) as client:
        session = shared.server.engine.sessions[client.welcome["session"]]

        def is_quick(text: str, params: Any = None) -> bool:
            return shared.call(lambda: session.quick.knows(text, params))

        client.query(
            "CREATE TABLE quick (id INT PRIMARY KEY, n INT); INSERT INTO quick VALUES (1, 2)"
        )
        text = "SELECT n FROM quick WHERE id = @id"
        others = (
            "SELECT n FROM quick WHERE n = 2",
            "SELECT 1; SELECT 2",
            "INSERT INTO quick VALUES (3, 4)",
            "SELECT COUNT(*) FROM quick",
        )
        for _ in range(20):  # a busy machine takes its time
            assert client.rows(text, {"id": 1}) == [(2,)]
            if is_quick(text, {"id": 2}):
                break
        assert is_quick(text, {"id": 2})
        assert not is_quick(text, {"id": 1.0}) and not is_quick(text, {"id": 2**40})
        for other in others:
            client.query(other)
            assert not is_quick(other), other
        assert client.rows(text, {"id": 3}) == [(4,)]
        assert client.query(text, {"id": "x"})[-1]["code"] == "BAD_CAST"
        assert client.query(text)[-1]["code"] == "UNKNOWN_VARIABLE"
        client.query("SELECT 1 AS n INTO #t")
        assert not is_quick(text, {"id": 2})  # it may have another table of the name
        client.query("DROP TABLE #t")
        assert is_quick(text, {"id": 2})
        client.query("BEGIN TRAN; ALTER TABLE quick ADD m INT")
        assert not is_quick(text, {"id": 2})
        client.query("ROLLBACK; DROP TABLE quick")
        assert not is_quick(text, {"id": 2})
        assert client.query(text, {"id": 1})[-1]["code"] == "UNKNOWN_TABLE"


def test_errors_have_all_that_is_known(client: WireClient) -> None:
    client.query("CREATE OR ALTER PROCEDURE p AS BEGIN SELECT 1 / 0 END")
    error = client.query("PRINT 'x'\nEXEC p")[-1]
    assert (error["code"], error["sqlstate"]) == ("DIVISION_BY_ZERO", "22012")
    assert (error["kind"], error["class"]) == ("DataError", "ExecutionFault")
    assert error["routine"] == "procedure dbo.p" and error["calls"] == ["line 2"]
    raised = client.query("THROW 50001, 'mine', 3")[-1]
    assert raised["raised"][0] == 50001 and raised["message"] == "mine"
    assert wire.error_of(raised).place == "line 1, column 1"


def test_what_was_said_before_an_error_is_heard(client: WireClient) -> None:
    frames = client.query("PRINT 'one'; SELECT 1 / 0")
    assert types(frames) == ["notice", "finished", "error"]


def test_commits_and_transactions(client: WireClient) -> None:
    first = client.query(
        "CREATE TABLE c (n INT IDENTITY(5, 1), m INT); INSERT INTO c (m) VALUES (1)"
    )
    assert first[-1]["commit"] > 0 and first[-1]["state"]["last_identity"] == 5
    assert client.query("SELECT m FROM c")[-1]["commit"] is None
    begun = client.ask({"type": "begin", "id": 2})
    assert begun[0]["state"]["in_transaction"]
    assert client.ask({"type": "begin", "id": 2})[0]["code"] == "TRANSACTION"
    client.query("DELETE FROM c")
    assert client.rows("SELECT COUNT(*) FROM c") == [(0,)]
    assert client.ask({"type": "rollback", "id": 2})[0]["state"]["in_transaction"] is False
    assert client.rows("SELECT COUNT(*) FROM c") == [(1,)]
    assert client.ask({"type": "set", "id": 3, "branch": "nowhere"})[0]["code"] == "NOT_FOUND"
    off = client.ask({"type": "set", "id": 3, "autocommit": False})[0]["state"]
    assert off["autocommit"] is False


def test_prepared_statements(client: WireClient) -> None:
    client.send(
        {"type": "prepare", "statement": 1, "text": "SELECT @a + 1 AS n"},
        {"type": "execute", "id": 1, "statement": 1, "params": {"a": 1}},
        {"type": "execute", "id": 2, "statement": 1, "params": {"a": 2}},
    )
    assert client.decode(client.answer(1)) == [(2,)]
    assert client.decode(client.answer(2)) == [(3,)]
    client.send({"type": "forget", "statement": 1}, {"type": "execute", "id": 3, "statement": 1})
    assert client.answer(3)[0]["code"] == "WIRE"


def test_frames_share_variables(client: WireClient) -> None:
    client.ask({"type": "open_frame", "id": 1, "frame": 7, "params": {"x": 2}})
    client.query("DECLARE @y INT = @x * 2", frame=7)
    assert client.rows("SELECT @y + @x AS n", frame=7) == [(6,)]
    asked = {"type": "ask", "id": 1, "about": "values", "frame": 7, "names": ["y", "x"]}
    assert client.ask(asked)[0]["value"] == {"y": 4}  # x is a parameter, no variable
    client.ask({"type": "close_frame", "id": 1, "frame": 7})
    assert client.query("SELECT 1", frame=7)[-1]["code"] == "TRANSACTION"


def test_what_is_asked_of_procedures(client: WireClient) -> None:
    client.query("CREATE OR ALTER PROCEDURE q @a INT, @b INT OUTPUT AS SET @b = @a")
    asked = client.ask({"type": "ask", "id": 1, "about": "procedure", "name": "q"})
    assert asked[0]["value"] == [["a", "INT", False], ["b", "INT", True]]
    assert (
        client.ask({"type": "ask", "id": 1, "about": "procedure", "name": "z"})[0]["value"] is None
    )


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "NULL", None),
        (True, "BIT", True),
        (3, "INT", 3),
        (2**40, "BIGINT", 2**40),
        (1.5, "FLOAT", 1.5),
        ("é", "NVARCHAR", "é"),
        (b"\0\1", "VARBINARY", b"\0\1"),
        ([1, 2.5], "VECTOR(2)", [1.0, 2.5]),
        ({"a": [1]}, "JSON", '{"a": [1]}'),
        (msgpack.ExtType(1, b"-12.50"), "DECIMAL(4,2)", Decimal("-12.50")),
        (msgpack.ExtType(10, b"\xff"), "TINYINT", -1),
        (msgpack.ExtType(7, struct.pack("<2f", 1, 2)), "VECTOR(2)", [1.0, 2.0]),
        (msgpack.ExtType(9, b"[1]"), "JSON", "[1]"),
    ],
)
def test_parameters_have_their_types(client: WireClient, value: Any, kind: str, shown: Any) -> None:
    frames = client.query("SELECT @v AS v", {"v": value})
    assert frames[-1]["type"] == "complete", frames[-1]
    assert client.decode(frames) == [(shown,)]
    field = client.schemas[frames[0]["schema"]].field("v")
    assert field.metadata[b"hql.type"].decode() == kind


@pytest.mark.parametrize(
    "value",
    [
        msgpack.ExtType(99, b""),
        msgpack.ExtType(1, b"NaN!"),
        msgpack.ExtType(2, b"\xff\xff\xff\x7f"),
        msgpack.ExtType(3, struct.pack("<q", -1)),
        msgpack.ExtType(6, b"short"),
        msgpack.ExtType(7, b"abc"),
        msgpack.ExtType(8, b"\1" + struct.pack("<diI", 0, 0, 2**31)),
        msgpack.ExtType(20, b"no arrow"),
        msgpack.ExtType(21, struct.pack("<I", 9)),
    ],
)
def test_a_value_that_is_none_fails_its_statement_alone(client: WireClient, value: Any) -> None:
    assert client.query("SELECT @v AS v", {"v": value})[-1]["code"] == "PARAMETER"
    assert client.rows("SELECT 1 AS n") == [(1,)]


def test_tables_in_place_and_uploaded(client: WireClient) -> None:
    data = table_bytes(pa.table({"n": [1, 2, 3]}))
    text = "SELECT SUM(n) AS s FROM @t"
    assert client.rows(text, {"t": msgpack.ExtType(20, data)}) == [(6,)]
    client.send(
        {"type": "upload", "upload": 5, "data": data[:100]},
        {"type": "upload", "upload": 5, "data": data[100:], "last": True},
    )
    named = msgpack.ExtType(21, struct.pack("<I", 5))
    assert client.rows(text, {"t": named}) == [(6,)]
    assert client.query(text, {"t": named})[-1]["code"] == "PARAMETER"  # it is used up


def test_compressed_and_endless_tables_are_refused(client: WireClient) -> None:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    table = pa.table({"n": pa.array([0] * 100_000)})
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data = bytes(sink.getvalue())
    error = client.query("SELECT 1 FROM @t", {"t": msgpack.ExtType(20, data)})[-1]
    assert error["code"] == "PARAMETER" and "compressed" in error["message"]
    endless = table_bytes(pa.table({"n": pa.nulls(10_000_000)}))
    error = client.query("SELECT 1 FROM @t", {"t": msgpack.ExtType(20, endless)})[-1]
    assert error["code"] == "PARAMETER" and "10,000,000 rows" in error["message"]


def test_sets_of_parameters(client: WireClient) -> None:
    client.query("CREATE TABLE m (a INT PRIMARY KEY, b NVARCHAR(10))")
    many = {"type": "many", "id": 1, "text": "INSERT INTO m VALUES (?, ?)"}
    assert client.ask({**many, "sets": [[1, "x"], [2, "y"]]})[0]["row_count"] == 2
    data = b"".join(msgpack.packb([i, None]) for i in range(3, 6))
    client.send({"type": "upload", "upload": 1, "data": data, "last": True})
    assert client.ask({**many, "upload": 1})[0]["row_count"] == 3
    assert client.ask({**many, "sets": [[9, "z"], [1, "x"]]})[-1]["code"] == "UNIQUE_VIOLATION"
    assert client.rows("SELECT COUNT(*) FROM m") == [(5,)]


# --- order, credit, cancelling -------------------------------------------------------------------


def test_rows_come_as_there_is_credit(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 2})
    got = [f for f in client.message() if f["type"] == "rows"]
    while len(got) < 2:
        got += [f for f in client.message() if f["type"] == "rows"]
    client.send({"type": "ping", "id": 2})
    assert types(client.message()) == ["pong"]  # and no rows before it
    client.send({"type": "query", "id": 3, "text": "SELECT 5 AS n"})
    assert client.decode(client.answer(3)) == [(5,)]  # others go on
    client.send({"type": "credit", "id": 1, "n": 1_000})
    assert client.answer(1)[-1]["rows"] == 2_000_000


def test_stepwise_statements_wait_to_be_asked(client: WireClient) -> None:
    client.query("CREATE TABLE s (n INT)")
    text = "SELECT 1 AS n; INSERT INTO s VALUES (1)"
    client.send({"type": "query", "id": 1, "text": text, "stepwise": True})
    while "finished" not in types(client.message()):
        pass
    client.send({"type": "query", "id": 2, "text": "SELECT COUNT(*) FROM s"})
    assert client.decode(client.answer(2)) == [(0,)]
    client.send({"type": "next", "id": 1}, {"type": "next", "id": 1})
    assert types(client.answer(1)) == ["finished", "complete"]
    assert client.rows("SELECT COUNT(*) FROM s") == [(1,)]


def test_cancel_what_runs_what_waits_and_what_is_paused(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 1})
    client.message()
    client.send(
        {"type": "query", "id": 2, "text": LONG}, {"type": "query", "id": 3, "text": "SELECT 1"}
    )
    client.send(
        {"type": "cancel", "id": 3}, {"type": "cancel", "id": 2}, {"type": "cancel", "id": 1}
    )
    codes = {}
    while len(codes) < 3:
        codes |= {f["id"]: f["code"] for f in client.message() if f["type"] == "error"}
    assert set(codes.values()) == {"CANCELLED"}
    client.send({"type": "query", "id": 4, "text": LONG}, {"type": "cancel"})
    assert client.answer(4)[-1]["code"] == "CANCELLED"
    assert client.rows("SELECT 1 AS n") == [(1,)]


def test_a_closed_statement_is_done(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 1})
    client.message()
    client.send({"type": "close", "id": 1})
    assert client.answer(1)[-1]["type"] == "done"
    assert client.ask({"type": "query", "id": 1, "text": "SELECT 1"})[-1]["type"] == "complete"


def test_time_limits(client: WireClient) -> None:
    assert client.query(LONG, timeout=0.05)[-1]["code"] == "TIMEOUT"
    text = "SELECT * FROM (SELECT value FROM GENERATE_SERIES(1, 3000000)) s ORDER BY value DESC"
    assert client.query(text, memory=1_000)[-1]["code"] == "MEMORY"


def test_a_client_that_vanishes_leaves_nothing(shared: ServerThread) -> None:
    client = WireClient(shared.server.port)
    client.query("BEGIN TRAN; CREATE TABLE vanished (n INT)")
    client.send({"type": "query", "id": 2, "text": LONG})
    time.sleep(0.05)
    number = client.welcome["session"]
    client.close()
    sessions = shared.server.engine.sessions
    deadline = time.monotonic() + 20
    while number in sessions and time.monotonic() < deadline:
        time.sleep(0.01)
    assert number not in sessions and shared.server.engine.threads.running == 0
    with WireClient(shared.server.port) as other:
        assert other.query("SELECT * FROM vanished")[-1]["code"] == "UNKNOWN_TABLE"


# --- what is not of the protocol -----------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        b"\x81\xa4type",
        b"\x93\1\2\3",
        b"\x81\xa4type\1",
        msgpack.packb({"type": "nonsense"}),
        msgpack.packb({"type": "query", "id": "1", "text": "SELECT 1"}),
        msgpack.packb({"type": "query", "id": 1}),
        msgpack.packb({"type": "query", "id": 1, "text": "SELECT 1", "params": 3}),
        msgpack.packb({"type": "execute", "id": 1, "statement": 404}),
        msgpack.packb({"type": "ask", "id": 1, "about": "everything"}),
        msgpack.packb({"type": "ping", "id": 1}) + b"\xc1",
        b"\x81" * 2_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdd\x00\xff\xff\xff" * 500,
        b"\xc9\xff\xff\xff\xff\x01",
        b"\x81\xc0\xc0",
        msgpack.packb({"type": "ping"}) * 3_000,
    ],
)
def test_a_malformed_message_ends_its_connection_alone(
    shared: ServerThread, message: bytes
) -> None:
    with WireClient(shared.server.port) as other, WireClient(shared.server.port) as client:
        client.send_bytes(message)
        found: list[Any] = []
        with pytest.raises(Closed) as closed:
            while True:
                found += client.message()
        assert closed.value.code == 1002
        assert found[-1]["code"] == "WIRE" and found[-1]["id"] is None
        assert other.rows("SELECT 1 AS n") == [(1,)]


def test_text_messages_and_large_ones(shared: ServerThread) -> None:
    with WireClient(shared.server.port) as client:
        client.send_bytes(b"SELECT 1", opcode=1)
        assert client.message()[0]["code"] == "WIRE"
    with serving(message_bytes_max=1_000) as server, WireClient(server.server.port) as client:
        assert client.welcome["limits"]["message_bytes"] == 1_000
        client.send({"type": "query", "id": 1, "text": "SELECT '" + "x" * 2_000 + "'"})
        with pytest.raises(Closed) as closed:
            while True:
                client.message()
        assert closed.value.code in (1009, 1002)


@pytest.mark.parametrize("hello", [{"versions": [9]}, {"versions": "1"}, {"type": "query"}])
def test_hello_comes_first_and_is_understood(shared: ServerThread, hello: Any) -> None:
    with WireClient(shared.server.port, hello) as client:
        assert client.welcome["code"] == "WIRE"


def test_who_says_nothing_is_not_waited_for() -> None:
    with serving(login_timeout=0.1) as server, WireClient(server.server.port, None) as client:
        with pytest.raises(Closed) as closed:
            client.message()
        assert closed.value.code == 1008


def test_rows_arrive_whole_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue()
    with (
        serving(certificate=str(certificate), key=str(key)) as server,
        hql.connect(server.url, ca_file=str(authority.file)) as db,
    ):
        table = db.execute("SELECT value FROM GENERATE_SERIES(1, 400000)").fetch_arrow_table()
        assert table["value"].to_pylist() == list(range(1, 400_001))


# --- who somebody is -----------------------------------------------------------------------------


def test_a_bug_of_ours_is_told_to_owners_alone(
    shared: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(play: Any, say: Any) -> Any:
        raise RuntimeError("inner workings")

    with WireClient(shared.server.port) as client:
        session = shared.server.engine.sessions[client.welcome["session"]]
        monkeypatch.setattr(Play, "events", broken)
        assert "inner workings" in client.query("SELECT 1 AS n")[-1]["message"]
        assert session.account is not None
        nobody = Account("nobody", frozenset(), {}, {}, 0)
        monkeypatch.setattr(session, "account", nobody)
        error = client.query("SELECT 1 AS n")[-1]
        assert error["code"] == "INTERNAL" and "inner workings" not in str(error)


@pytest.mark.slow
def test_log_ins(shared: ServerThread) -> None:
    with serving() as server, WireClient(server.server.port) as first:
        port = server.server.port
        first.query("CREATE USER anna WITH PASSWORD = 'a long enough secret'")
        assert first.query("SELECT 1")[-1]["code"] in ("AUTH", "PERMISSION")  # open access ended
        right = {"user": "anna", "password": "a long enough secret"}
        with WireClient(port) as client:
            assert client.welcome == {"type": "challenge", "methods": ["password", "token"]}
            client.send({"type": "auth", **right})
            assert client.message()[0]["user"] == "anna"
        with WireClient(port, {"auth": right}) as client:
            assert client.welcome["user"] == client.welcome["author"] == "anna"
        for wrong in ({**right, "password": "x"}, {**right, "user": "x"}, {"token": "x"}):
            with WireClient(port, {"auth": wrong}) as client:
                assert client.welcome["code"] == "AUTH", wrong
                with pytest.raises(Closed) as closed:
                    client.message()
                assert closed.value.code == 1008
        with WireClient(port) as client:
            client.send({"type": "query", "id": 1, "text": "SELECT 1"})
            assert client.message()[0]["code"] == "WIRE"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Sec_WebSocket_Version": "12"}, 400),
    ],
)
def test_who_may_not_knock(shared: ServerThread, headers: Any, status: int) -> None:
    with WireClient(shared.server.port, None, **headers) as client:
        assert client.status == status


# --- bounds --------------------------------------------------------------------------------------


def test_bounds_of_a_session() -> None:
    bounds = {"statements_max": 2, "prepared_max": 1, "upload_bytes_max": 100, "frames_max": 1}
    with serving(**bounds) as server, WireClient(server.server.port) as client:
        open_ = {"type": "query", "text": MANY_ROWS, "credit": 0}
        client.send({**open_, "id": 1}, {**open_, "id": 2}, {**open_, "id": 3})
        assert client.answer(3)[-1]["code"] == "BUSY"
        client.send({"type": "close", "id": 1}, {"type": "close", "id": 2})
        client.answer(2)
        upload = {"type": "upload", "upload": 1, "data": b"x" * 101, "last": True}
        client.send(upload)
        named = {"t": msgpack.ExtType(21, struct.pack("<I", 1))}
        assert "too large" in client.query("SELECT 1 FROM @t", named)[-1]["message"]
        client.ask({"type": "open_frame", "id": 4, "frame": 1})
        client.send({"type": "prepare", "statement": 1, "text": "SELECT 1"})
        client.send({"type": "prepare", "statement": 2, "text": "SELECT 1"})
        assert client.answer(9)[-1]["code"] == "WIRE"


@pytest.mark.slow
def test_a_client_that_asks_and_never_reads_is_not_read(shared: ServerThread) -> None:
    with WireClient(shared.server.port) as client, WireClient(shared.server.port) as other:
        ping = msgpack.packb({"type": "ping", "id": 1})
        client.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200 << 20:
                client.send_bytes(ping * 1_000)
                sent += len(ping) * 1_000
        assert sent < 100 << 20  # what the sockets and FLOOD_BYTES hold
        assert other.rows("SELECT 1 AS n") == [(1,)]


def test_work_beside_statements_is_bounded(client: WireClient) -> None:
    waiting = {"type": "query", "id": 1, "text": "WAITFOR DELAY '00:05:00'"}
    begins = [{"type": "set", "id": n, "autocommit": True} for n in range(2, 400)]
    client.send(waiting, *begins)
    found: dict[int, str] = {}
    while len(found) < 100:
        found |= {f["id"]: f["code"] for f in client.message() if f["type"] == "error"}
    assert set(found.values()) == {"BUSY"}
    client.send({"type": "cancel", "id": 1})
    assert client.answer(1)[-1]["code"] == "CANCELLED"


def test_busy_is_said_and_nothing_begins() -> None:
    with serving(threads=1, queued_max=1) as server:
        clients = [WireClient(server.server.port) for _ in range(3)]
        try:
            for number, client in enumerate(clients[:2]):
                client.send({"type": "query", "id": 1, "text": LONG})
                while (
                    server.server.engine.threads.running + (server.server.engine.threads.queued)
                    <= number
                ):
                    time.sleep(0.005)
            error = clients[2].query("SELECT 1")[-1]
            assert error["code"] == "BUSY" and error["retry"] and error["sqlstate"] == "53300"
            for client in clients[:2]:
                client.send({"type": "cancel", "id": 1})
                assert client.answer(1)[-1]["code"] == "CANCELLED"
            assert clients[2].rows("SELECT 1 AS n") == [(1,)]
        finally:
            for client in clients:
                client.close()


def test_too_many_sessions() -> None:
    with serving(sessions_max=1) as server, WireClient(server.server.port) as client:
        with WireClient(server.server.port) as other:
            assert other.welcome["code"] == "BUSY"
        assert client.rows("SELECT 1 AS n") == [(1,)]


def test_idle_sessions_are_shown_out() -> None:
    with serving(idle_timeout=0.2) as server, WireClient(server.server.port) as client:
        assert types(client.message()) == ["goodbye"]
        with pytest.raises(Closed):
            client.message()


def test_a_stopping_server_lets_statements_finish_and_takes_no_more() -> None:
    with serving() as server, WireClient(server.server.port) as client:
        client.send({"type": "query", "id": 1, "text": MANY_ROWS, "credit": 0})
        assert types(client.message()) == ["columns"]
        stopping = threading.Thread(target=server.stop, args=(20.0,))
        stopping.start()
        while not server.server.engine.is_stopping:
            time.sleep(0.005)
        assert client.query("SELECT 1", id=2)[-1]["code"] == "BUSY"
        client.send({"type": "credit", "id": 1, "n": 1_000})
        assert client.answer(1)[-1]["rows"] == 2_000_000
        stopping.join()


def test_who_leaves_while_a_session_is_opened_leaves_nothing() -> None:
    with serving() as server:
        for _ in range(20):
            client = WireClient(server.server.port, hello=None)
            client.send({"type": "hello", "versions": [1]})
            client.close()
        with WireClient(server.server.port) as client:
            client.query("SELECT 1")
        server.stop()
        # what was opened was closed: nobody but the engine's own session used the database
        assert server.server.engine.sessions == {}


def test_what_is_said_while_a_statement_runs_is_heard_then(client: WireClient) -> None:
    client.send({"type": "query", "id": 1, "text": "PRINT 'first'; WAITFOR DELAY '00:05:00'"})
    assert client.message()[0] == {"type": "notice", "id": 1, "text": "first"}
    client.send({"type": "cancel", "id": 1})
    assert client.answer(1)[-1]["code"] == "CANCELLED"


def test_how_far_a_long_statement_is(client: WireClient, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Advance(100)
    advance.done = 25
    monkeypatch.setattr(ServerSession, "advance", property(lambda session: advance))
    client.send({"type": "query", "id": 1, "text": "WAITFOR DELAY '00:05:00'"})
    assert client.message()[0] == {"type": "progress", "id": 1, "share": 0.25, "text": "25 rows"}
    client.send({"type": "cancel", "id": 1})
    assert client.answer(1)[-1]["code"] == "CANCELLED"


def test_a_statement_that_says_more_than_is_taken_fails() -> None:
    with serving(notice_bytes_max=10_000) as server, WireClient(server.server.port) as client:
        text = "WHILE 1 = 1 PRINT 'without end'"
        assert client.query(text)[-1]["code"] == "MEMORY"


def test_values_go_there_and_back() -> None:
    assert encode("x", 2**70) == msgpack.ExtType(1, str(2**70).encode())
