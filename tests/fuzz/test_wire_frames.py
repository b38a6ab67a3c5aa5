"""Mutated frames of the wire: each is answered, or ends its connection with WIRE; who asks
meanwhile is answered rightly; nothing stays behind."""

from __future__ import annotations

import asyncio
import base64
import random
import re
import struct
import time
from collections import Counter
from typing import Any

import msgpack
import pyarrow as pa
import pytest
from fuzz.mutate_bytes import mutate
from fuzz.test_http_requests import resident
from servers import ServerThread, serving
from wire_client import WireClient

from hartonomous.hql.errors import ParameterFault, WireFault
from hartonomous.server.wire import unpack
from hartonomous.server.wire_parameters import Uploads, given_parameters
from hartonomous.server.wire_values import check_values, table_bytes

Frame = dict[str, Any]
#: connections that are open together, and messages that one of them sends at most
TOGETHER, EACH = 16, 200
MEBIBYTES_MAX = 96

TABLE = table_bytes(
    pa.table(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "s": pa.array(["a", "", None]),
            "d": pa.array(["x", "y", "x"]).dictionary_encode(),
            "v": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        }
    )
)
TEXTS = (
    *("SELECT 1 AS n", "SELECT @p AS p", "SELECT ? AS p", "SELECT * FROM t WHERE id = @p"),
    *("INSERT INTO t VALUES (@p, 'x')", "SELECT * FROM @p", "BEGIN TRAN", "ROLLBACK", "PRINT 'x'"),
    *("SELECT value FROM GENERATE_SERIES(1, 300000)", "SELECT 1; SELECT 2; SELECT 1 / 0", ""),
    *("DECLARE @x INT = @p; SELECT @x", "SELECT ((((", "CREATE TABLE #t (n INT)", "DROP TABLE #t"),
    *("SELECT FROM", "INSERT INTO t VALUES (", "UPDATE SET", "WITH AS SELECT", "SELECT 1 +", ")"),
)
EXTENSIONS = tuple(range(1, 15))
#: what a field may hold instead
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, -(2**31), 2**63 - 1, -(2**63), 2**64 - 1, 0.5, 1e308),
    *(float("nan"), float("inf"), "", "x" * 5_000, "\0", "\ud7ff", b"", b"\xff" * 100, [], {}),
    *([[]] * 50, [1, "a", None], {"": ""}, {"p": {"p": {"p": []}}}, [[[[[[[[1]]]]]]]]),
    *(msgpack.ExtType(20, TABLE), msgpack.ExtType(21, struct.pack("<I", 1)), msgpack.Timestamp(1)),
    *("query", "hello", "execute", "credit", "bye", "auth", 1, 2, 3),
)


def frame(number: random.Random) -> Frame:
    """A frame as the protocol has it; ids are few, so that frames are about each other."""
    fresh, n, p = number.randint(1, 1_000), number.randint(1, 6), parameter(number)
    given = number.choice(({"p": p}, [p], None))
    text = number.choice(TEXTS)
    query = {"type": "query", "id": fresh, "text": text, "params": given}
    if number.random() < 0.5:
        extra = (
            {},
            {"credit": 1},
            {"timeout": 0.5},
            {"frame": 1},
            {"stepwise": True},
            {"memory": 1},
        )
        return query | number.choice(extra)
    return number.choice(
        (
            {"type": "prepare", "statement": n, "text": text},
            {"type": "execute", "id": fresh, "statement": 1, "params": given},
            {"type": "many", "id": fresh, "text": text, "sets": [[p], {"p": p}]},
            {"type": "many", "id": fresh, "text": text, "upload": 1},
            {"type": "upload", "upload": fresh, "data": TABLE, "last": True},
            {"type": "open_frame", "id": fresh, "frame": 1, "params": given},
            {"type": "close_frame", "id": fresh, "frame": 1},
            {"type": "ask", "id": fresh, "about": "values", "frame": 1, "names": ["p"]},
            {"type": "ask", "id": fresh, "about": "procedure", "name": "q"},
            {"type": "set", "id": fresh, "autocommit": False, "branch": "main"},
            *({"type": kind, "id": fresh} for kind in ("begin", "commit", "rollback")),
            *({"type": kind, "id": n} for kind in ("cancel", "credit", "close", "next")),
            {"type": "forget", "statement": n + 1},
        )
    )


def parameter(number: random.Random) -> Any:
    """A value, as often as not one of an extension type with bytes that are none of it."""
    if number.random() < 0.7:
        return number.choice(ODD)
    if number.random() < 0.3:
        return msgpack.ExtType(20, mutate(TABLE, number))
    return msgpack.ExtType(
        number.choice(EXTENSIONS), number.randbytes(number.choice((0, 1, 4, 8, 16, 25, 49)))
    )


def message(number: random.Random) -> bytes:
    """One to three frames with something wrong: in what they say, or in their bytes."""
    parts = []
    for _ in range(number.choice((1, 1, 1, 3))):
        found = frame(number)
        if number.random() < 0.06:
            key = number.choice((*found, "extra"))
            if number.random() < 0.3:
                found.pop(key, None)
            else:
                found[key] = number.choice(ODD)
        parts.append(msgpack.packb(found))
    data = b"".join(parts)
    return mutate(data, number) if number.random() < 0.05 else data


# --- sending them --------------------------------------------------------------------------------

_PONG = re.compile(rb"\x82\xa4type\xa4pong\xa2id\xcd(..)", re.DOTALL)
_CODE = re.compile(rb"\xa4code.([A-Z_]{4,30})")
#: ids of pings: two bytes in msgpack
FIRST = 1_000


def websocket(data: bytes) -> bytes:
    """A message as a client sends it, masked with zeros."""
    size = len(data)
    if size < 126:
        head = bytes((0x82, 0x80 | size))
    elif size < 1 << 16:
        head = b"\x82\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + data


async def converse(port: int, seed: int, count: int) -> Counter[str]:
    """Up to so many messages on a connection of their own; what they came to: those `read`, and how
    often each code was said. A ping after each message tells that it was read."""
    number, told, read = random.Random(seed), Counter[str](), 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(number.randbytes(16)).decode()
    writer.write(
        f"GET /v1/wire HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: hql.v1\r\n\r\n".encode()
    )
    writer.write(websocket(msgpack.packb({"type": "hello", "versions": [1]})))
    prepared = {"type": "prepare", "statement": 1, "text": "SELECT @p AS p"}
    writer.write(websocket(msgpack.packb(prepared)))
    sent = 0
    try:
        while read < sent or sent < count:
            while sent < count and sent - read < 8:
                ping = msgpack.packb({"type": "ping", "id": FIRST + sent})
                writer.write(websocket(message(number)) + websocket(ping))
                sent += 1
            async with asyncio.timeout(30):
                some = await reader.read(1 << 18)
            if not some:
                break
            for found in _PONG.findall(some):
                read = int.from_bytes(found, "big") - FIRST + 1
            told.update(codes := [code.decode() for code in _CODE.findall(some)])
            if "WIRE" in codes:
                break
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    told["read"] = read + (read < sent)  # the one that ended it was read too
    return told


def play(server: ServerThread, seed: int, count: int) -> Counter[str]:
    """So many messages; what they came to. Another session's statements are answered meanwhile."""
    told: Counter[str] = Counter()

    async def one(lane: int) -> None:
        turn = 0
        while told["read"] < count:
            turn += 1
            told.update(await converse(server.server.port, seed + lane + 1_000 * turn, EACH))

    async def beside(client: WireClient) -> None:
        k = 0
        while told["read"] < count:
            k += 1
            asked = "SELECT s FROM kept WHERE id = @k"
            found = await asyncio.to_thread(client.rows, asked, {"k": k % 50})
            assert found == [(f"row {k % 50}",)]
            await asyncio.sleep(0.02)

    async def all_() -> None:
        with WireClient(server.server.port) as client:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(beside(client))
                for lane in range(TOGETHER):
                    tasks.create_task(one(lane))

    asyncio.run(all_())
    return told


def played(seed: int, count: int, caplog: pytest.LogCaptureFixture) -> Counter[str]:
    with serving() as server:
        with WireClient(server.server.port) as client:
            client.query("CREATE TABLE t (id INT PRIMARY KEY, s NVARCHAR(MAX))")
            client.query("CREATE TABLE kept (id INT PRIMARY KEY, s NVARCHAR(20))")
            client.query(
                "INSERT INTO kept SELECT value, 'row ' + CAST(value AS NVARCHAR(9)) "
                "FROM GENERATE_SERIES(0, 49)"
            )
        play(server, seed, 200)
        before = resident()
        told = play(server, seed + 500, count)
        engine = server.server.engine
        end = time.monotonic() + 30
        while server.call(lambda: len(engine.sessions)) or engine.threads.outstanding:
            assert time.monotonic() < end, (engine.sessions, engine.threads.outstanding)
            time.sleep(0.01)
        assert resident() - before < MEBIBYTES_MAX
    assert caplog.records == []
    assert "INTERNAL" not in told, told
    return told


def test_some(caplog: pytest.LogCaptureFixture) -> None:
    told = played(1, 400, caplog)
    assert {"WIRE", "PARAMETER", "SYNTAX", "TRANSACTION"} <= told.keys(), told


@pytest.mark.slow
def test_many(caplog: pytest.LogCaptureFixture) -> None:
    assert played(2, 18_000, caplog)["read"] >= 18_000


@pytest.mark.slow
def test_what_reads_them_says_what_is_wrong() -> None:
    """As many again without sockets: no other error than the two comes out of a client's bytes."""
    number, uploads, told = random.Random(3), Uploads(1 << 20), Counter[str]()
    for _ in range(50_000):
        data = message(number)
        try:
            for found in unpack(mutate(data, number) if number.random() < 0.5 else data):
                given = given_parameters(found.get("params"), uploads)
                check_values(given() if callable(given) else given)
            told["right"] += 1
        except (WireFault, ParameterFault) as fault:
            told[type(fault).__name__] += 1
    assert min(told["right"], told["WireFault"], told["ParameterFault"]) > 1_000, told
