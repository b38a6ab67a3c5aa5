"""A client of PostgreSQL's protocol in a few lines: messages as bytes, and a socket that reads the
answers one by one."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Self

#: seconds that an answer may take
PATIENCE = 20.0


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def startup(minor: int = 0, **parameters: str) -> bytes:
    named = b"".join(text(part) for pair in parameters.items() for part in pair)
    body = struct.pack("!HH", 3, minor) + named + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def cancel_request(process: int, key: int) -> bytes:
    return struct.pack("!iiii", 16, 80877102, process, key)


SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def query(value: str) -> bytes:
    return message(b"Q", text(value))


def parse(value: str, name: str = "", types: Sequence[int] = ()) -> bytes:
    oids = struct.pack(f"!H{len(types)}I", len(types), *types)
    return message(b"P", text(name) + text(value) + oids)


def bind(
    values: Sequence[bytes | None] = (),
    portal: str = "",
    statement: str = "",
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    parts = [
        text(portal),
        text(statement),
        struct.pack(f"!H{len(formats)}H", len(formats), *formats),
    ]
    parts.append(struct.pack("!H", len(values)))
    for value in values:
        parts.append(struct.pack("!i", -1 if value is None else len(value)) + (value or b""))
    parts.append(struct.pack(f"!H{len(results)}H", len(results), *results))
    return message(b"B", b"".join(parts))


def describe(kind: str, name: str = "") -> bytes:
    return message(b"D", kind.encode() + text(name))


def execute(portal: str = "", rows_max: int = 0) -> bytes:
    return message(b"E", text(portal) + struct.pack("!i", rows_max))


def close(kind: str, name: str = "") -> bytes:
    return message(b"C", kind.encode() + text(name))


SYNC, FLUSH, TERMINATE = message(b"S"), message(b"H"), message(b"X")


def fields_of(body: bytes) -> dict[str, str]:
    """An error's or a notice's fields by letter."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def row_of(body: bytes) -> list[bytes | None]:
    """The values of a DataRow."""
    (count,) = struct.unpack_from("!H", body)
    out: list[bytes | None] = []
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        out.append(None if length < 0 else body[at : at + length])
        at += max(0, length)
    assert at == len(body)
    return out


class RawClient:
    """A connection; `trusted` False sends nothing by itself."""

    def __init__(self, port: int, *, greets: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._buffer = b""
        self.process = self.key = 0
        if greets:
            self.send(startup(user="anna", database="atlas"))
            for kind, body in self.until_ready():
                if kind == "K":
                    self.process, self.key = struct.unpack("!ii", body)

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(messages))

    def ask(self, *messages: bytes) -> list[tuple[str, bytes]]:
        """What comes back until the server is ready."""
        self.send(*messages)
        return list(self.until_ready())

    def until_ready(self) -> Iterator[tuple[str, bytes]]:
        while True:
            kind, body = self.read()
            yield kind, body
            if kind == "Z":
                return

    def read(self) -> tuple[str, bytes]:
        """The next message. EOFError if the server is gone."""
        head = self.take(5)
        return head[:1].decode(), self.take(int.from_bytes(head[1:]) - 4)

    def take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError("the server closed the connection")
            self._buffer += data
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def rest(self) -> list[tuple[str, bytes]]:
        """What comes until the server closes the connection."""
        out = []
        try:
            while True:
                out.append(self.read())
        except (EOFError, ConnectionError):
            return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
