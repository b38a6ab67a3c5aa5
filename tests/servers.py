"""Servers in the test's process, on ports that the system picks: their event loop is a thread's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hartonomous.server.app import Server
from hartonomous.server.settings import ServerSettings

T = TypeVar("T")
#: seconds that anything of a server may take in a test
PATIENCE = 30.0


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop of all servers; it ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="test servers", daemon=True).start()
    return loop


class ServerThread:
    """A server. `url` is its address."""

    def __init__(self, database: str | Path | None = None, **settings: Any) -> None:
        path = None if database is None else str(database)
        self.server = self.call(lambda: Server(path, _settings(settings)))
        self.do(self.server.start())
        self.url = self.server.address

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives that runs on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, _loop()).result(PATIENCE)

    def call(self, work: Callable[[], T]) -> T:
        """What a function gives that runs on the server's loop."""

        async def called() -> T:
            return work()

        return self.do(called())

    def stop(self, grace: float = 0.0) -> None:
        """Stops it; what runs has `grace` seconds. Idempotent."""
        self.do(self.server.stop(grace))


def _settings(given: dict[str, Any]) -> ServerSettings:
    return ServerSettings(**{"port": 0, "log_level": "error", **given})


@contextmanager
def serving(database: str | Path | None = None, **settings: Any) -> Iterator[ServerThread]:
    """A server for the length of a block."""
    server = ServerThread(database, **settings)
    try:
        yield server
    finally:
        server.stop()
