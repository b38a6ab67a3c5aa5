"""A server in a thread of the test's process, on a port that the system picks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hartonomous.server.app import Server
from hartonomous.server.settings import ServerSettings

T = TypeVar("T")
#: seconds that anything of a server may take in a test
PATIENCE = 30.0


class ServerThread:
    """A server and its event loop. `url` is its address."""

    def __init__(self, database: str | Path | None = None, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test server")
        self._thread.start()
        path = None if database is None else str(database)
        self.server = Server(path, ServerSettings(**{"port": 0, **settings}))
        try:
            self.do(self.server.start())
        except BaseException:
            self._end_loop()
            raise
        self.url = self.server.address

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives that runs on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def call(self, work: Callable[[], T]) -> T:
        """What a function gives that runs on the server's loop."""

        async def called() -> T:
            return work()

        return self.do(called())

    def stop(self, grace: float = 0.0) -> None:
        try:
            self.do(self.server.stop(grace))
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


@contextmanager
def serving(database: str | Path | None = None, **settings: Any) -> Iterator[ServerThread]:
    """A server for the length of a block."""
    server = ServerThread(database, **settings)
    try:
        yield server
    finally:
        server.stop()
