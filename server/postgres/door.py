"""The door: listens, knows its connections, passes on who wants what cancelled."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import secrets
from typing import TYPE_CHECKING

from hartonomous.server.postgres.connection import Connection
from hartonomous.server.postgres.messages import CancelRequest

if TYPE_CHECKING:
    import ssl

    from hartonomous.server.auth import Authenticator
    from hartonomous.server.engine import Engine

#: connections that have not proved who they are yet
STRANGERS_MAX = 256


class PostgresDoor:
    """PostgreSQL's protocol on a port of its own. `context` None: no TLS."""

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.engine, self.authenticator, self.context = engine, authenticator, context
        self.login_timeout = engine.settings.login_timeout
        self.message_bytes_max = engine.settings.message_bytes_max
        self.connections: dict[int, Connection] = {}
        self.strangers: set[int] = set()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listens; port 0 is any. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None, "the door is not open"
        return int(self._server.sockets[0].getsockname()[1])

    def shut(self) -> None:
        """Lets nobody in any more; who is in stays."""
        if self._server is not None:
            self._server.close()

    async def stop(self) -> None:
        """Ends all connections. What runs is stopped."""
        self.shut()
        tasks = [c.task for c in self.connections.values() if c.task is not None]
        for connection in list(self.connections.values()):
            connection.end("the server stops")
        if tasks:
            await asyncio.wait(tasks)

    # --- connections ---

    def opened(self, connection: Connection) -> None:
        """A connection was accepted: it gets the numbers by which it can be cancelled."""
        connection.process = next(self._numbers) & 0x7FFF_FFFF
        connection.key = secrets.randbits(31)
        self.connections[connection.process] = connection
        self.strangers.add(connection.process)
        if len(self.strangers) > STRANGERS_MAX:
            connection.transport.abort()

    def is_known(self, connection: Connection) -> None:
        """A connection's client has proved who it is."""
        self.strangers.discard(connection.process)

    def closed(self, connection: Connection) -> None:
        """A connection is over."""
        self.connections.pop(connection.process, None)
        self.strangers.discard(connection.process)

    def cancel(self, request: CancelRequest) -> None:
        """Stops what a connection runs, if whoever asks knows its key. Nobody is told whether."""
        connection = self.connections.get(request.process)
        if connection is not None and hmac.compare_digest(
            connection.key.to_bytes(4), (request.key & 0xFFFF_FFFF).to_bytes(4)
        ):
            connection.cancel()
