"""A client of the wire that sends what it is told, right or wrong: frames, messages, bytes."""

from __future__ import annotations

import base64
import os
import socket
from typing import Any, Self

import msgpack
import pyarrow as pa

Frame = dict[str, Any]
#: frames that end an answer
LAST = {"complete", "error", "done", "answer", "pong"}
#: queries that take long, and give much
LONG = "SELECT COUNT(*) FROM GENERATE_SERIES(1, 100000) a CROSS JOIN GENERATE_SERIES(1, 1000000) b"
MANY_ROWS = "SELECT value, CAST(value AS FLOAT) f FROM GENERATE_SERIES(1, 2000000)"


class Closed(Exception):
    """The server closed the connection; `code` is WebSocket's."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class WireClient:
    """A connection, welcomed unless `hello` is None. `welcome` is the server's answer."""

    def __init__(self, port: int, hello: Frame | None = {}, **headers: str) -> None:  # noqa: B006
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.rest = b""
        self.schemas: dict[int, pa.Schema] = {}
        given = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "hql.v1",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
        self.socket.sendall(f"GET /v1/wire HTTP/1.1\r\n{lines}\r\n".encode())
        while b"\r\n\r\n" not in self.rest:
            self.rest += self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.welcome: Frame = {}
        if hello is not None and self.status == 101:
            self.send({"type": "hello", "versions": [1], **hello})
            (self.welcome,) = self.message()

    # --- bytes ---

    def send(self, *frames: Frame) -> None:
        """One message of these frames."""
        self.send_bytes(b"".join(msgpack.packb(frame) for frame in frames))

    def send_bytes(self, data: bytes, opcode: int = 2) -> None:
        """One message of these bytes (masked with zeros, which leaves them as they are)."""
        size = len(data)
        if size < 126:
            head = bytes((0x80 | opcode, 0x80 | size))
        elif size < 1 << 16:
            head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
        self.socket.sendall(head + b"\0\0\0\0" + data)

    def _more(self) -> bytes:
        more = self.socket.recv(1 << 20)
        if not more:
            raise Closed(1006)
        return more

    def _take(self, size: int) -> bytes:
        parts = [self.rest]
        have = len(self.rest)
        while have < size:
            parts.append(self._more())
            have += len(parts[-1])
        whole = b"".join(parts)
        self.rest = whole[size:]
        return whole[:size]

    def message_bytes(self) -> bytes:
        """The next message. Raises Closed."""
        first, second = self._take(2)
        size = second & 127
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        data = self._take(size)
        if first & 15 == 8:
            raise Closed(int.from_bytes(data[:2], "big"))
        assert first == 0x82, first
        return data

    def message(self) -> list[Frame]:
        """The frames of the next message."""
        unpacker = msgpack.Unpacker(max_buffer_size=1 << 30)
        unpacker.feed(self.message_bytes())
        return list(unpacker)

    # --- answers ---

    def answer(self, number: int) -> list[Frame]:
        """The frames of a statement to its last one; those of others are lost."""
        frames: list[Frame] = []
        while True:
            for frame in self.message():
                if frame.get("arrow") is not None and frame["type"] == "columns":
                    arrow = pa.py_buffer(frame["arrow"])
                    self.schemas[frame["schema"]] = pa.ipc.read_schema(arrow)
                if frame["id"] == number or frame["id"] is None:
                    frames.append(frame)
                    if frame["type"] in LAST:
                        return frames

    def ask(self, frame: Frame) -> list[Frame]:
        """What a frame with an id is answered."""
        self.send(frame)
        return self.answer(frame["id"])

    def query(self, text: str, params: Any = None, **fields: Any) -> list[Frame]:
        """The frames that a text gives, with as much credit as there is."""
        frame = {"type": "query", "id": 1, "text": text, "params": params, "credit": 1_000}
        return self.ask(frame | fields)

    def rows(self, text: str, params: Any = None, **fields: Any) -> list[tuple[Any, ...]]:
        """The rows of a text's only result."""
        frames = self.query(text, params, **fields)
        assert frames[-1]["type"] == "complete", frames[-1]
        return self.decode(frames)

    def decode(self, frames: list[Frame]) -> list[tuple[Any, ...]]:
        """The rows among these frames."""
        schema = next(self.schemas[f["schema"]] for f in frames if f["type"] == "columns")
        batches = [
            pa.ipc.read_record_batch(pa.py_buffer(f["arrow"]), schema)
            for f in frames
            if f["type"] == "rows"
        ]
        columns = [c.to_pylist() for c in pa.Table.from_batches(batches, schema).columns]
        return list(zip(*columns, strict=True))

    # --- life ---

    def close(self) -> None:
        """Leaves without a word."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def types(frames: list[Frame]) -> list[str]:
    """The kinds of frames, in order."""
    return [frame["type"] for frame in frames]
