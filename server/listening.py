"""Listening: the port that WebSockets and HTTP come to, with no more connections than the process
has file handles to spare.

A database needs handles of its own. So that clients who only connect cannot take them, connections
above a number are closed as soon as they are accepted; who has one keeps it.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from ssl import SSLContext

from aiohttp import web

#: connections that wait to be accepted
BACKLOG = 1_024
#: handles that a server asks the operating system for, if it may
FILES_WANTED = 65_536


class Site(web.BaseSite):
    """A TCP address of a runner. `handshake_seconds`: how long a client has to agree on TLS."""

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        *,
        connections_max: int,
        handshake_seconds: float,
        context: SSLContext | None,
    ) -> None:
        super().__init__(runner, ssl_context=context, backlog=BACKLOG)
        self._host, self._port = host, port
        self._connections_max = connections_max
        self._handshake_seconds = None if context is None else handshake_seconds

    @property
    def name(self) -> str:
        """The address."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Listens. Raises OSError."""
        await super().start()
        server = self._runner.server
        assert server is not None, "the runner is set up"
        bound = min(self._connections_max, files_max() // 2)
        self._server = await asyncio.get_running_loop().create_server(
            bounded(server, lambda: len(server.connections), bound),
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=self._handshake_seconds,
            backlog=self._backlog,
        )


def bounded(
    make: Callable[[], asyncio.BaseProtocol], count: Callable[[], int], count_max: int
) -> Callable[[], asyncio.BaseProtocol]:
    """What makes the protocol of a new connection: `make`, while there are fewer than so many."""

    def made() -> asyncio.BaseProtocol:
        return make() if count() < count_max else _Closed()

    return made


class _Closed(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Closes it without a word, which would cost memory for who does not listen."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def files_max() -> int:
    """File handles that this process may have; more are asked for first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return FILES_WANTED if soft == resource.RLIM_INFINITY else soft
