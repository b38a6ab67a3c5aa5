"""An answer on its way: held while it is small, streamed once it is large or late.

What is held can still be thrown away, so the error of a text whose answer is short has a status of
its own. Once bytes have left, the status has been 200, and an error cuts the connection: the body
has no end (no last chunk), which no client takes for success.

    hold ──HOLD_BYTES, or HOLD_SECONDS with rows──▶ stream ──▶ finish (last chunk)
      └──▶ finish (Content-Length)                    └──▶ cut
"""

from __future__ import annotations

import asyncio

from aiohttp import HttpVersion11, web

from hartonomous.server.problems import RequestFault

#: bytes that are held back
HOLD_BYTES = 64 << 10
#: seconds that rows are held back
HOLD_SECONDS = 0.25
#: bytes written at once, and the seconds that the client has to make room for them
PIECE_BYTES = 64 << 10
PIECE_SECONDS = 60.0
#: seconds that a connection which is cut has to take what it was sent
CUT_SECONDS = 10.0


class Answer:
    """The response to one request. Methods that write raise ConnectionError when the client is
    gone, or reads so slowly that it may as well be."""

    def __init__(self, request: web.Request, content_type: str) -> None:
        self._request = request
        self._response = web.StreamResponse(headers={"Content-Type": content_type})
        self._held: list[bytes] = []
        self._size = 0
        self._is_cut = False

    @property
    def has_begun(self) -> bool:
        """Whether bytes have left."""
        return self._response.prepared

    @property
    def is_held(self) -> bool:
        """Whether something waits to be sent."""
        return self._size > 0

    @property
    def is_gone(self) -> bool:
        """Whether the client has closed the connection."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    def give_up(self) -> None:
        """Lets go of a client that hung up: what waits for it, it will not read."""
        if self.is_gone and not self._is_cut:
            self._abort()

    async def write(self, data: bytes) -> None:
        """The next bytes."""
        if data:
            self._held.append(data)
            self._size += len(data)
            if self._size >= HOLD_BYTES:
                await self.flush()

    async def flush(self) -> None:
        """Sends what is held. RequestFault if the client's HTTP knows only whole answers."""
        if not self.has_begun:
            if self._request.version < HttpVersion11:
                raise RequestFault(505, "an answer of this size needs HTTP/1.1")
            self._response.enable_chunked_encoding()
            await self._response.prepare(self._request)
        data = memoryview(b"".join(self._held))
        self._held, self._size = [], 0
        for start in range(0, len(data), PIECE_BYTES):
            try:
                async with asyncio.timeout(PIECE_SECONDS):
                    await self._response.write(data[start : start + PIECE_BYTES])
            except TimeoutError as fault:
                self._abort()
                raise ConnectionResetError("the client does not read its answer") from fault

    async def finish(self) -> web.StreamResponse:
        """The end of a whole answer."""
        if self.has_begun:
            await self.flush()
        else:
            self._response.content_length = self._size
            await self._response.prepare(self._request)
        await self._response.write_eof(b"".join(self._held))
        return self._response

    async def cut(self, last_words: bytes) -> web.StreamResponse:
        """The end of an answer that is not whole."""
        await self.write(last_words)
        await self.flush()
        self._response.force_close()
        transport = self._request.transport
        if transport is not None:
            self._is_cut = True
            transport.close()  # what was written is sent before
            asyncio.get_running_loop().call_later(CUT_SECONDS, transport.abort)
        return self._response

    def _abort(self) -> None:
        transport = self._request.transport
        if transport is not None:
            transport.abort()
