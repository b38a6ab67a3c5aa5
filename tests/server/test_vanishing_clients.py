"""Clients that are killed, reset their connection or half close it, amid a result or an upload: the
server lets go of their sessions, snapshots and threads, and nobody else feels it."""

from __future__ import annotations

import gc
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import postgres_client
import pytest
from postgres_client import RawClient
from servers import ServerThread, serving
from wire_client import WireClient

PATIENCE = 10.0
ROWS = "SELECT id, s FROM wide"
#: what a client does that is killed then; it says so
KILLED = """
import sys
from hartonomous import hql
db = hql.connect(sys.argv[1])
db.execute("BEGIN TRAN; INSERT INTO wide VALUES (-1, 'never')")
cursor = db.execute(sys.argv[2])
cursor.fetchone()
print("reads", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    with serving(tmp_path_factory.mktemp("vanish") / "db", postgres_port=0) as server:
        with WireClient(server.server.port) as client:
            client.query("CREATE TABLE wide (id INT PRIMARY KEY, s NVARCHAR(MAX))")
            client.query(
                "INSERT INTO wide SELECT value, REPLICATE('x', 500) FROM GENERATE_SERIES(1, 50000)"
            )
        yield server


def snapshots(server: ServerThread) -> int:
    """Snapshots and transactions that keep what garbage collection would take."""
    gc.collect()
    database = server.server.engine.database
    return len(database.garbage._watched)


def sessions(server: ServerThread) -> dict[int, Any]:
    return server.call(lambda: dict(server.server.engine.sessions))


def until(holds: Callable[[], bool], what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def reset(raw: socket.socket) -> None:
    """Ends a connection with RST instead of FIN."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def half_close(raw: socket.socket) -> None:
    """Sends FIN and goes on listening, but does not read."""
    raw.shutdown(socket.SHUT_WR)


def wire_result(server: ServerThread) -> socket.socket:
    """Has begun to read, and reads no more."""
    client = WireClient(server.server.port)
    client.query("BEGIN TRAN; INSERT INTO wide VALUES (-1, 'never')")
    client.send({"type": "query", "id": 2, "text": ROWS, "credit": 1_000})
    client.message()
    return client.socket


def wire_upload(server: ServerThread) -> socket.socket:
    """Is in the middle of a piece of an upload."""
    client = WireClient(server.server.port)
    client.send({"type": "upload", "upload": 1, "data": b"x" * 1_000_000})
    client.socket.sendall(b"\x82\xff" + (1 << 20).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 5_000)
    return client.socket


def postgres_port(server: ServerThread) -> int:
    assert server.server.postgres is not None
    return server.server.postgres.port


def postgres_result(server: ServerThread) -> socket.socket:
    client = RawClient(postgres_port(server))
    client.ask(postgres_client.query("BEGIN"))
    client.ask(postgres_client.query("INSERT INTO wide VALUES (-1, 'never')"))
    client.send(postgres_client.query(ROWS))
    client.read()
    return client.socket


def postgres_upload(server: ServerThread) -> socket.socket:
    """Is in the middle of a message of a large parameter."""
    client = RawClient(postgres_port(server))
    client.ask(postgres_client.query("BEGIN"))
    bound = postgres_client.bind([b"x" * 1_000_000])
    client.send(postgres_client.parse("SELECT $1"), bound[:-500_000])
    return client.socket


def http_result(server: ServerThread) -> socket.socket:
    return _http(server, b'{"query": "%s"}' % ROWS.encode(), 0)


def http_upload(server: ServerThread) -> socket.socket:
    return _http(server, b'{"query": "SELECT 1"', 100_000)


def _http(server: ServerThread, body: bytes, missing: int) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", server.server.port), 30)
    raw.sendall(
        b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (len(body) + missing) + body
    )
    if not missing:
        assert raw.recv(1_000).startswith(b"HTTP/1.1 200")
    return raw


@pytest.mark.parametrize("leave", [reset, half_close])
@pytest.mark.parametrize(
    "begin",
    [wire_result, wire_upload, postgres_result, postgres_upload, http_result, http_upload],
)
def test_who_leaves_leaves_nothing(
    served: ServerThread,
    begin: Callable[[ServerThread], socket.socket],
    leave: Callable[[socket.socket], None],
) -> None:
    threads = served.server.engine.threads
    until(lambda: not sessions(served), lambda: sessions(served))
    before, many = snapshots(served), threading.active_count()
    with WireClient(served.server.port) as other:
        connections = [begin(served) for _ in range(3)]
        for raw in connections:
            leave(raw)
        assert other.rows("SELECT COUNT(*) FROM wide") == [(50_000,)]
        until(lambda: len(sessions(served)) == 1, lambda: sessions(served))
        assert other.rows("SELECT COUNT(*) FROM wide") == [(50_000,)]
    until(lambda: not sessions(served) and threads.outstanding == 0, lambda: sessions(served))
    until(lambda: snapshots(served) <= before, lambda: snapshots(served))
    assert threading.active_count() <= many + 2
    for raw in connections:
        raw.close()


@pytest.mark.slow
def test_a_client_that_is_killed_leaves_nothing(served: ServerThread) -> None:
    before = snapshots(served)
    command = [sys.executable, "-c", KILLED, served.url, ROWS]
    clients = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)
    ]
    for client in clients:
        assert client.stdout is not None and client.stdin is not None
        assert client.stdout.readline() == b"reads\n"
        client.send_signal(signal.SIGKILL)
        client.wait(PATIENCE)
        client.stdout.close()
        client.stdin.close()
    until(lambda: not sessions(served), lambda: sessions(served))
    until(lambda: snapshots(served) <= before, lambda: snapshots(served))
    with WireClient(served.server.port) as other:
        assert other.rows("SELECT COUNT(*) FROM wide") == [(50_000,)]
