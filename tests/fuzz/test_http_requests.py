"""Mutated HTTP requests: each gets an answer that is no fault of the server's, or its connection
ends; who asks meanwhile is answered; nothing stays behind."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from fuzz.mutate_bytes import mutate
from http_server import HttpServer, http_server

#: requests that are under way together, and seconds that each may go without an answer
TOGETHER = 64
PATIENCE = 0.3
MEBIBYTES_MAX = 64

JSON = b"Content-Type: application/json\r\n"
HEADS = (
    b"POST /query HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\n" + JSON,
    b"POST /query HTTP/1.1\r\nHost: [::1]:80\r\nAuthorization: Bearer hqlt_aa_bb\r\n"
    b"Accept: a/b;q=0.1, */*\r\ntraceparent: 00-1-1-1\r\n" + JSON,
    b"POST /query HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Basic YTpi\r\n" + JSON,
    b"POST /v1/wire HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n" + JSON,
)
BODIES = (
    b'{"query": "SELECT ? AS a", "parameters": [1]}',
    b'{"query": "SELECT @p, @q", "parameters": {"p": [1, 2.5], "q": {"k": "v"}}, "timeout": 3}',
    b'{"query": "PRINT \'x\'; SELECT 1 UNION ALL SELECT 2", "branch": "main", "timeout": null}',
)
OTHERS = (
    b"GET /v1/wire HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: hql.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    b"\x82\x85abcdefghi",
    b"OPTIONS /query HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n"
    b"Access-Control-Request-Method: POST\r\n\r\n",
    b"POST /query HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    b'15\r\n{"query": "SELECT 1"}\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n',
)
#: what heads are made of, at odd places
MARKS = (
    *(b"\r\n", b"\n", b"\r\n\r\n", b": ", b":", b",", b";q=", b'"', b" ", b"\t", b"\0", b"\x7f"),
    *(b"chunked", b"Content-Length: 7\r\n", b"Host: a\r\n", b"gzip", b"99999999999999999999"),
    *(b"-1", b"http://a/", b"@", b"%00", b"/../", b"A" * 9_000, b"\xff" * 9, b"Expect: 100-c"),
)


def request(number: random.Random) -> bytes:
    """A mutated request."""
    if number.random() < 0.3:
        return _marked(number.choice(OTHERS), number)
    head, body = number.choice(HEADS), number.choice(BODIES)
    if number.random() < 0.6:
        body = mutate(body, number)
    else:
        head = _marked(head, number)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _marked(data: bytes, number: random.Random) -> bytes:
    for _ in range(number.choice((1, 1, 2, 3))):
        if number.random() < 0.5:
            place = number.randrange(len(data) + 1)
            data = data[:place] + number.choice(MARKS) + data[place + number.choice((0, 0, 4)) :]
        else:
            data = mutate(data, number)
    return data


async def ask(port: int, data: bytes) -> str:
    """The status of the answer; "" if there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read(4_096)
    except (ConnectionError, TimeoutError):
        return ""
    finally:
        writer.transport.abort()
    assert answer == b"" or answer.startswith(b"HTTP/"), answer
    return answer[9:12].decode()


async def play(server: HttpServer, seed: int, count: int) -> Counter[str]:
    """Asks so many times; how often there was which status."""
    found: Counter[str] = Counter()
    turns = asyncio.Semaphore(TOGETHER)

    async def one(i: int) -> None:
        data = request(random.Random(seed * 1_000_003 + i))
        async with turns:
            status = await ask(server.port, data)
        assert status != "500", data
        found[status] += 1
        if i % 100 == 0:
            assert (await asyncio.to_thread(server.query, "SELECT 1"))["messages"] == []

    for start in range(0, count, 1_000):
        await asyncio.gather(*(one(i) for i in range(start, min(start + 1_000, count))))
    return found


def resident() -> float:
    """Mebibytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096 / (1 << 20)


def played(seed: int, count: int, caplog: pytest.LogCaptureFixture) -> Counter[str]:
    settings = {"origins": ("https://app.example",), "login_timeout": 1.0, "failures_max": 1}
    with http_server(**settings) as server:
        asyncio.run(play(server, seed, 200))
        before = resident()
        found = asyncio.run(play(server, seed + 1, count))
        assert resident() - before < MEBIBYTES_MAX
        end = time.monotonic() + 20
        while server.engine.sessions:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert caplog.records == []
    return found


def test_some(caplog: pytest.LogCaptureFixture) -> None:
    found = played(1, 500, caplog)
    assert {"200", "400", "403", "415"} <= found.keys(), found


@pytest.mark.slow
def test_many(caplog: pytest.LogCaptureFixture) -> None:
    assert played(2, 15_000, caplog).total() == 15_000
