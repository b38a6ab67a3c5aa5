"""How a connection of the wire sends: WebSocket frames written as they are, nothing copied that is
large, and no more than some bytes waiting for a slow client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hartonomous.server import wire
from hartonomous.server.events import Rows

#: bytes that are gathered into one message
MESSAGE_BYTES = 64 << 10
#: bytes that may wait for a slow client before its statements wait too
WAITING_BYTES = 1 << 20
#: bytes of small answers that may wait before nothing more is read of a client that takes none
FLOOD_BYTES = 4 << 20


class Sender:
    """Writes messages of the server. `drain` returns when the client has taken what waited."""

    def __init__(self, transport: asyncio.Transport, drain: Callable[[], Awaitable[None]]) -> None:
        self._transport, self._drain = transport, drain
        transport.set_write_buffer_limits(WAITING_BYTES)

    def write(self, message: bytes) -> None:
        """Sends a small message now."""
        if not self._transport.is_closing():
            self._transport.write(_head(len(message)) + message)

    async def send(self, *parts: bytes | memoryview) -> None:
        """Sends a message of these parts, when not too much waits. Raises ConnectionError."""
        await self._wait(WAITING_BYTES)
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(_head(sum(map(len, parts))) + parts[0])
        for part in parts[1:]:
            self._transport.write(part)

    async def send_frame(self, frame: Mapping[str, Any]) -> None:
        """Sends a message of one frame. Raises ConnectionError."""
        await self.send(wire.pack(frame))

    async def wait_for_reader(self) -> None:
        """Returns when a client that asks and asks has read some of its answers."""
        await self._wait(FLOOD_BYTES)

    async def _wait(self, size: int) -> None:
        while self._transport.get_write_buffer_size() > size:
            await self._drain()


class Gathered:
    """Frames of one statement on their way: small ones leave as one message, large rows as one of
    their own whose Arrow bytes are not copied."""

    __slots__ = ("_parts", "_sender", "_size")

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, frame: bytes) -> None:
        """One more frame."""
        self._parts.append(frame)
        self._size += len(frame)
        if self._size >= MESSAGE_BYTES:
            await self.flush()

    async def add_rows(self, number: int, rows: Rows) -> None:
        """Rows of the statement `number`."""
        head, encoded = wire.rows_parts(number, rows)
        if len(encoded) < MESSAGE_BYTES:
            await self.add(head + bytes(encoded))
            return
        await self.flush()
        await self._sender.send(head, encoded)

    async def flush(self) -> None:
        """Sends what is there."""
        if self._parts:
            parts, self._parts, self._size = self._parts, [], 0
            await self._sender.send(b"".join(parts))

    def clear(self) -> None:
        """Forgets what was not sent."""
        self._parts, self._size = [], 0


def _head(size: int) -> bytes:
    """The head of a WebSocket frame: a whole binary message of the server's."""
    if size < 126:
        return bytes((0x82, size))
    if size < 1 << 16:
        return b"\x82\x7e" + size.to_bytes(2, "big")
    return b"\x82\x7f" + size.to_bytes(8, "big")
