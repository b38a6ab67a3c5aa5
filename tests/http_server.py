"""An HTTP door on a port of this machine, in a thread with an event loop of its own.

with http_server(":memory:") as server:
    status, headers, body = server.post("/query", {"query": "SELECT 1"})
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hartonomous.server.app import Server
from hartonomous.server.engine import Engine
from hartonomous.server.settings import ServerSettings

Reply = tuple[int, http.client.HTTPMessage, bytes]


class HttpServer:
    """The server, and requests to it."""

    def __init__(self, database: str, settings: ServerSettings) -> None:
        self.server = Server(database, settings)
        self.loop = asyncio.new_event_loop()
        self._begun = threading.Event()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="http server")

    @property
    def engine(self) -> Engine:
        return self.server.engine

    @property
    def port(self) -> int:
        return self.server.port

    def start(self) -> None:
        self._thread.start()
        assert self._begun.wait(20)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            await self.server.start()
        finally:
            self._begun.set()
        await self._ending.wait()
        await self.server.stop(0.5)

    # --- requests ---

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, _named(headers))

    def post(self, path: str, value: Any, **headers: str) -> Reply:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, {"Content-Type": "application/json"} | _named(headers))

    def query(self, text: str, parameters: Any = None, **headers: str) -> Any:
        """The answer of a text that runs, as JSON."""
        status, _, body = self.post("/query", {"query": text, "parameters": parameters}, **headers)
        assert status == 200, body
        return json.loads(body)

    def problem(self, text: str, **headers: str) -> dict[str, Any]:
        """The problem document of a text that fails."""
        status, said, body = self.post("/query", {"query": text}, **headers)
        assert said["Content-Type"] == "application/problem+json", body
        document: dict[str, Any] = json.loads(body)
        assert document["status"] == status >= 400
        return document


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextlib.contextmanager
def http_server(database: str = ":memory:", **settings: Any) -> Iterator[HttpServer]:
    """A server for the block."""
    server = HttpServer(database, replace(ServerSettings(port=0), **settings))
    server.start()
    try:
        yield server
    finally:
        server.stop()
