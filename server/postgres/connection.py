"""One client's connection: startup, who it is, then message after message until it goes.

Bytes come in on the event loop and are taken by one task, which answers in order. While it is busy
at most PAUSE_BYTES of what the client sends on are kept, and it waits when the client does not
read: so neither fills the server's memory. A client that hangs up stops what runs for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from hartonomous.server.auth import peer_of
from hartonomous.server.postgres import replies
from hartonomous.server.postgres.faults import (
    PROTOCOL_VIOLATION,
    SHUTDOWN,
    Refused,
    fatal,
    response,
)
from hartonomous.server.postgres.messages import (
    CancelRequest,
    GssRequest,
    Incoming,
    Malformed,
    Message,
    Opening,
    SslRequest,
    Startup,
)
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    import ssl

    from hartonomous.server.postgres.door import PostgresDoor

#: bytes that wait for a task which is busy
PAUSE_BYTES = 256 << 10
#: bytes that wait for a client which does not read
WRITE_BYTES = 1 << 20
#: replies are sent when as many bytes are there, or when the client waits
SEND_BYTES = 64 << 10
#: seconds that a client has to take what is left when the connection ends
LINGER_SECONDS = 5.0
#: messages that are taken before others have their turn of the event loop
TURN_MESSAGES = 32


class Gone(Exception):
    """The client is not there any more."""


class Connection(asyncio.Protocol):
    """A client's connection, of the door that accepted it."""

    def __init__(self, door: PostgresDoor) -> None:
        self.door = door
        self.process = self.key = 0
        self.is_secure = False
        self.incoming = Incoming(door.message_bytes_max)
        self.transport: Any = None
        self.task: asyncio.Task[None] | None = None
        #: stops what runs now, once there is something
        self.stop_running: Any = None
        self._out = bytearray()
        self._is_gone = False
        self._is_paused = False
        self._in_turn = 0
        self._arrived: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._goodbye: bytes | None = None

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.peer = peer_of(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BYTES)
        self.task = asyncio.get_running_loop().create_task(self._serve())
        self.door.opened(self)

    def data_received(self, data: bytes) -> None:
        self.incoming.feed(data)
        if self._arrived is not None:
            _wake(self._arrived)
        elif self.incoming.waiting > PAUSE_BYTES and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._hang_up()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        self._is_gone = True
        for waiter in (self._arrived, self._drained):
            if waiter is not None:
                _wake(waiter)
        self.cancel()

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None:
            _wake(drained)

    # --- the task's side ---

    async def receive(self) -> Message:
        """The next message. What was to be sent is, before this waits. Raises Gone, Malformed."""
        while True:
            message = self.incoming.take()
            if message is not None:
                self._in_turn += 1
                if self._in_turn >= TURN_MESSAGES:  # small ones would hold up everybody else
                    self._in_turn = 0
                    await asyncio.sleep(0)
                    if self._is_gone:
                        raise Gone
                return message
            await self.flush()
            await self._wait_for_bytes()

    async def _wait_for_bytes(self) -> None:
        if self._goodbye is not None or self._is_gone:
            raise Gone
        self._arrived = asyncio.get_running_loop().create_future()
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
        try:
            await self._arrived
        finally:
            self._arrived = None
        if self._goodbye is not None:
            raise Gone

    async def send(self, data: bytes) -> None:
        """Sends, sooner or later; waits while the client does not read. Raises Gone."""
        self._out += data
        if len(self._out) >= SEND_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Sends what is there."""
        if self._is_gone:
            raise Gone
        if self._out:
            out, self._out = self._out, bytearray()
            self.transport.write(bytes(out))
        while self._drained is not None:
            await self._drained
            if self._is_gone:
                raise Gone

    def cancel(self) -> None:
        """Stops what runs for the client now."""
        if self.stop_running is not None:
            self.stop_running()

    def end(self, why: str) -> None:
        """The server ends the connection, as soon as what runs has stopped."""
        self._goodbye = fatal(SHUTDOWN, why)
        self.cancel()
        if self._arrived is not None:
            _wake(self._arrived)
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abort)

    # --- life ---

    async def _serve(self) -> None:
        """The connection from its first byte to its last."""
        try:
            async with asyncio.timeout(self.door.login_timeout):
                startup = await self._open()
                if startup is None:
                    return
                from hartonomous.server.postgres.login import log_in

                client = await log_in(self, startup)
            try:
                await client.serve()
            finally:
                await client.close()
        except Malformed as fault:
            self._goodbye = fatal(PROTOCOL_VIOLATION, str(fault))
        except (Error, Refused) as error:  # who may not come in
            self._goodbye = response(error, severity="FATAL")
        except TimeoutError:
            self._goodbye = fatal("08006", "the client did not say who it is in time")
        except Gone:
            pass  # nobody is there to be told anything
        except Exception as fault:
            # a bug of the door's own: this connection ends, no other feels it
            self._goodbye = fatal("XX000", "the server failed at this; the connection is closed")
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": "PostgreSQL's doorway", "exception": fault})
        finally:
            await self._leave()

    async def _open(self) -> Startup | None:
        """The client's first message, after TLS if it wants that; None if it wanted no more than
        to cancel something."""
        while True:
            opening = await self._opening()
            if isinstance(opening, Startup):
                return opening
            if isinstance(opening, CancelRequest):
                self.door.cancel(opening)
                return None
            context = self.door.context
            if isinstance(opening, SslRequest) and context is not None:
                await self._secure(context)
            else:
                assert isinstance(opening, (SslRequest, GssRequest))
                await self.send(replies.REFUSED)
            await self.flush()

    async def _opening(self) -> Opening:
        while True:
            opening = self.incoming.take_opening()
            if opening is not None:
                return opening
            await self._wait_for_bytes()

    async def _secure(self, context: ssl.SSLContext) -> None:
        """TLS from the next byte on."""
        if self.is_secure or not self.incoming.is_empty:
            raise Malformed("bytes came before TLS began")
        self.transport.write(replies.TLS_BEGINS)
        loop = asyncio.get_running_loop()
        try:
            self.transport = await loop.start_tls(self.transport, self, context, server_side=True)
        except (OSError, ConnectionError) as fault:  # ssl.SSLError is an OSError
            raise Gone from fault
        if self.transport is None:
            raise Gone
        self.transport.set_write_buffer_limits(high=WRITE_BYTES)
        self.is_secure = True

    async def _leave(self) -> None:
        """Says goodbye, and lets go of the connection."""
        self.door.closed(self)
        if self.transport is None:
            return
        if not self._is_gone:
            if self._goodbye is not None:
                self._out += self._goodbye
            with contextlib.suppress(Gone, TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await self.flush()
        if self._drained is not None:
            self.transport.abort()
        else:
            self.transport.close()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
