"""What the wire's door refuses: what is no message of its protocol, who may not come in, what is
more than it takes."""

from __future__ import annotations

import struct
import threading
import time
from typing import Any

import msgpack
import pytest
from servers import ServerThread, serving
from wire_client import LONG, MANY_ROWS, Closed, WireClient, types

from hartonomous.hql.security.accounts import Account
from hartonomous.server.play import Play

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
    server: ServerThread, message: bytes
) -> None:
    with WireClient(server.server.port) as other, WireClient(server.server.port) as client:
        client.send_bytes(message)
        found: list[Any] = []
        with pytest.raises(Closed) as closed:
            while True:
                found += client.message()
        assert closed.value.code == 1002
        assert found[-1]["code"] == "WIRE" and found[-1]["id"] is None
        assert other.rows("SELECT 1 AS n") == [(1,)]


def test_text_messages_and_large_ones(server: ServerThread) -> None:
    with WireClient(server.server.port) as client:
        client.send_bytes(b"SELECT 1", opcode=1)
        assert client.message()[0]["code"] == "WIRE"
    with serving(message_bytes_max=1_000) as small, WireClient(small.server.port) as client:
        assert client.welcome["limits"]["message_bytes"] == 1_000
        client.send({"type": "query", "id": 1, "text": "SELECT '" + "x" * 2_000 + "'"})
        with pytest.raises(Closed) as closed:
            while True:
                client.message()
        assert closed.value.code in (1009, 1002)


@pytest.mark.parametrize("hello", [{"versions": [9]}, {"versions": "1"}, {"type": "query"}])
def test_hello_comes_first_and_is_understood(server: ServerThread, hello: Any) -> None:
    with WireClient(server.server.port, hello) as client:
        assert client.welcome["code"] == "WIRE"


def test_who_says_nothing_is_not_waited_for() -> None:
    with serving(login_timeout=0.1) as server, WireClient(server.server.port, None) as client:
        with pytest.raises(Closed) as closed:
            client.message()
        assert closed.value.code == 1008


# --- who somebody is -----------------------------------------------------------------------------


def test_a_bug_of_ours_is_told_to_owners_alone(
    server: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(play: Any, say: Any) -> Any:
        raise RuntimeError("inner workings")

    with WireClient(server.server.port) as client:
        session = server.server.engine.sessions[client.welcome["session"]]
        monkeypatch.setattr(Play, "events", broken)
        assert "inner workings" in client.query("SELECT 1 AS n")[-1]["message"]
        assert session.account is not None
        nobody = Account("nobody", frozenset(), {}, {}, 0)
        monkeypatch.setattr(session, "account", nobody)
        error = client.query("SELECT 1 AS n")[-1]
        assert error["code"] == "INTERNAL" and "inner workings" not in str(error)


@pytest.mark.slow
def test_log_ins() -> None:
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
def test_who_may_not_knock(server: ServerThread, headers: Any, status: int) -> None:
    with WireClient(server.server.port, None, **headers) as client:
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
def test_a_client_that_asks_and_never_reads_is_not_read(server: ServerThread) -> None:
    with WireClient(server.server.port) as client, WireClient(server.server.port) as other:
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


def test_a_statement_that_says_more_than_is_taken_fails() -> None:
    with serving(notice_bytes_max=10_000) as server, WireClient(server.server.port) as client:
        text = "WHILE 1 = 1 PRINT 'without end'"
        assert client.query(text)[-1]["code"] == "MEMORY"
