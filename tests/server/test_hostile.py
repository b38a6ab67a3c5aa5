"""What no client of good will sends: lengths that lie, what nests without end, what unpacks to
gigabytes, and clients that take for ever. The server lives, its memory is bounded, and who asks
beside them is answered rightly."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from functools import cache

import msgpack
import postgres_client
import pyarrow as pa
import pytest
from fuzz.test_http_requests import resident
from servers import ServerThread, serving
from wire_client import Closed, WireClient

from hartonomous.server.wire_values import table_bytes

MEBIBYTES_MAX = 128
MIB = 1 << 20
pytestmark = pytest.mark.slow
JSON = b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def served() -> Iterator[ServerThread]:
    with serving(postgres_port=0, login_timeout=1.0, request_timeout=1.0) as server:
        yield server


@pytest.fixture(autouse=True)
def unharmed(served: ServerThread, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A session beside the test is answered after it as before, and memory is what it was."""
    with WireClient(served.server.port) as beside:
        beside.query("CREATE TABLE #own (n INT); INSERT INTO #own VALUES (7)")
        before = resident()
        yield
        assert beside.rows("SELECT n FROM #own") == [(7,)]
        assert resident() - before < MEBIBYTES_MAX
    end = time.monotonic() + 20
    while served.call(lambda: len(served.server.engine.sessions)):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert caplog.records == []


def connect(server: ServerThread, door: str) -> socket.socket:
    assert server.server.postgres is not None
    port = server.server.postgres.port if door == "postgres" else server.server.port
    return socket.create_connection(("127.0.0.1", port), 20)


def rest_of(raw: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    found = []
    with contextlib.suppress(ConnectionError):
        while some := raw.recv(65_536):
            found.append(some)
    return b"".join(found)


# --- lengths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"\x82\xff" + (1 << 63).to_bytes(8, "big"),
        b"\x82\xff" + ((1 << 62) + 1).to_bytes(8, "big"),
        b"\x82\xff" + (1 << 40).to_bytes(8, "big"),
        b"\x82\xff" + (17 * MIB).to_bytes(8, "big"),
        b"\x89\xff" + (1 << 30).to_bytes(8, "big"),  # a ping
        b"\x88\xfe\xff\xff",  # a goodbye
    ],
)
def test_a_websocket_frame_longer_than_is_taken(served: ServerThread, head: bytes) -> None:
    with WireClient(served.server.port) as client:
        client.socket.sendall(head + b"\0\0\0\0" + b"x" * 1_000)
        with pytest.raises((Closed, ConnectionError)):
            while True:
                client.message()


def test_pieces_of_a_message_without_end(served: ServerThread) -> None:
    """Each of them is small, together they are more than a message may be."""
    with WireClient(served.server.port) as client:
        piece = b"\xfe" + (60_000).to_bytes(2, "big") + b"\0\0\0\0" + bytes(60_000)
        with contextlib.suppress(ConnectionError):
            client.socket.sendall(b"\x02" + piece)
            for _ in range(1_000):
                client.socket.sendall(b"\x00" + piece)
        with pytest.raises((Closed, ConnectionError)):
            while True:
                client.message()


def test_lengths_in_msgpack(served: ServerThread) -> None:
    for lie in (b"\xdf", b"\xdd", b"\xdb", b"\xc6", b"\xc9"):  # map, array, str, bin, ext
        with WireClient(served.server.port) as client:
            client.send_bytes(b"\x82\xa4type\xa5query\xa6params" + lie + b"\xff\xff\xff\xfe\x01")
            with pytest.raises((Closed, ConnectionError)):
                while client.message()[0]["code"] == "WIRE":
                    pass


def test_uploads_without_end(served: ServerThread) -> None:
    """More than a session may upload is let go of as it comes; what names it fails."""
    with WireClient(served.server.port) as client:
        limit = client.welcome["limits"]["upload_bytes"]
        piece = bytes(8 * MIB)
        for _ in range(limit // len(piece) + 8):
            client.send({"type": "upload", "upload": 1, "data": piece})
        given = {"t": msgpack.ExtType(21, struct.pack("<I", 1))}
        error = client.query("SELECT 1 FROM @t", given)[-1]
        assert error["code"] == "PARAMETER" and "too large" in error["message"]


@pytest.mark.parametrize("length", [2**31 - 1, -1, 0, 3, 17 * MIB])
def test_lengths_of_postgres(served: ServerThread, length: int) -> None:
    for sent in (b"", postgres_client.startup(user="anna")):
        with connect(served, "postgres") as raw:
            raw.sendall(sent + (b"Q" if sent else b"") + struct.pack("!i", length) + b"x" * 100)
            assert b"08P01" in rest_of(raw)


@pytest.mark.parametrize(
    "lie",
    [
        b"Content-Length: 99999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: -1\r\n",
    ],
)
def test_lengths_of_http(served: ServerThread, lie: bytes) -> None:
    with connect(served, "http") as raw:
        raw.sendall(JSON + lie + b"\r\nffffffffffffffff\r\n{")
        assert rest_of(raw)[9:12] in (b"400", b"408", b"413")


# --- depth ---------------------------------------------------------------------------------------


def test_what_nests_deep(served: ServerThread) -> None:
    deep = b"\x91" * 400 + b"\xc0"
    with WireClient(served.server.port) as client:
        text = b"\x84\xa4type\xa5query\xa2id\x01\xa4text\xadSELECT @p AS p\xa6params\x81\xa1p"
        client.send_bytes(text.replace(b"\xad", b"\xae") + deep)
        assert client.answer(1)[-1]["type"] in ("error", "complete")
    for text_ in (
        "SELECT " + "(" * 50_000 + "1" + ")" * 50_000,
        "SELECT 1 WHERE " + "NOT " * 20_000 + "1 = 1",
        "SELECT 1" + " + 1" * 50_000,
        "SELECT " + "CASE WHEN 1 = 1 THEN " * 5_000 + "1" + " END" * 5_000,
        "BEGIN " * 20_000,
    ):
        with WireClient(served.server.port) as client:
            found = client.query(text_)[-1]
            assert found["type"] == "complete" or found["code"] != "INTERNAL", found
    for body in (b"[" * 200_000, b'{"query": ' * 100_000, b'{"query": "SELECT 1", "parameters": '
                 + b"[" * 900 + b"]" * 900 + b"}"):  # fmt: skip
        with connect(served, "http") as raw:
            raw.sendall(
                JSON + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
            )
            assert rest_of(raw)[9:12] in (b"400", b"200", b"422")


# --- bombs ---------------------------------------------------------------------------------------


def test_deflate_is_offered_and_not_taken(served: ServerThread) -> None:
    offer = "permessage-deflate; client_max_window_bits"
    with WireClient(served.server.port, None, Sec_WebSocket_Extensions=offer) as client:
        assert client.status == 101
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = bomb.compress(bytes(64 * MIB)) + bomb.flush(zlib.Z_SYNC_FLUSH)
        client.send_bytes(data, opcode=0x42)  # RSV1: it is compressed
        with pytest.raises((Closed, ConnectionError)):
            while True:
                client.message()


@cache
def bomb_of_gzip() -> bytes:
    """Two megabytes that unpack to more than half a gigabyte."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [packer.compress(b'{"query": "')]
    parts += [packer.compress(b" " * MIB) for _ in range(500)]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip", "br", "zstd", "gzip, gzip"])
def test_bodies_that_unpack_to_much(served: ServerThread, encoding: str) -> None:
    packed = bomb_of_gzip()
    with connect(served, "http") as raw:
        raw.sendall(
            JSON + b"Content-Encoding: %s\r\nConnection: close\r\n" % encoding.encode()
            + b"Content-Length: %d\r\n\r\n" % len(packed) + packed
        )  # fmt: skip
        assert rest_of(raw)[9:12] in (b"400", b"415")


def test_tables_that_lie(served: ServerThread) -> None:
    """Each number of an Arrow stream in turn is a large one, in metadata and in offsets."""
    table = pa.table({"n": pa.array([1, None]), "s": ["ab", "c"], "l": [[1, 2], [3]]})
    right = table_bytes(table)
    text = "SELECT COUNT(*) AS c, MAX(s) AS s FROM @t"
    with WireClient(served.server.port) as client:
        assert client.rows(text, {"t": msgpack.ExtType(20, right)}) == [(2, "c")]
        for place in range(8, len(right) - 8, 8):
            for lie in (2**31 - 1, 2**40, 2**62):
                wrong = right[:place] + struct.pack("<q", lie) + right[place + 8 :]
                last = client.query(text, {"t": msgpack.ExtType(20, wrong)})[-1]
                assert last["type"] == "complete" or last["code"] != "INTERNAL", last
        assert client.rows(text, {"t": msgpack.ExtType(20, right)}) == [(2, "c")]


# --- patience ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "begun"),
    [
        ("wire", b""),
        ("wire", b"GET /v1/wire HTTP/1.1\r\nHost: localhost\r\n"),
        ("wire after its handshake", b""),
        ("http", JSON + b"Content-Length: 1000\r\n\r\n{"),
        ("postgres", b""),
        ("postgres", struct.pack("!ii", 100, 3 << 16)),
    ],
)
def test_who_takes_for_ever_is_shown_out(served: ServerThread, door: str, begun: bytes) -> None:
    """A byte now and then does not keep a connection whose client has not said who it is."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(served, door)) for _ in range(40)]
        for raw in sockets:
            raw.sendall(handshake() if "handshake" in door else begun)
            raw.settimeout(0.001)
        end, open_ = time.monotonic() + 15, set(sockets)
        while open_:
            assert time.monotonic() < end, f"{len(open_)} connections are still open"
            for raw in list(open_):
                try:
                    raw.sendall(b"\x82" if "handshake" in door else b"a")
                    if raw.recv(4_096) == b"":
                        open_.discard(raw)
                except TimeoutError:
                    continue
                except ConnectionError:
                    open_.discard(raw)
            time.sleep(0.05)


def handshake() -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        "GET /v1/wire HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: hql.v1\r\n\r\n"
    ).encode()
