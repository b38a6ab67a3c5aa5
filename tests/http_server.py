"""HTTP requests to a server in the test's process.

with http_server() as server:
    status, headers, body = server.post("/query", {"query": "SELECT 1"})
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any

from servers import ServerThread

from hartonomous.server.engine import Engine

Reply = tuple[int, http.client.HTTPMessage, bytes]


class HttpServer(ServerThread):
    """The server, and requests to it. `trusted`: what clients trust, if it speaks TLS."""

    trusted: ssl.SSLContext | None = None

    @property
    def engine(self) -> Engine:
        return self.server.engine

    @property
    def port(self) -> int:
        return self.server.port

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        if self.trusted is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.trusted)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        with contextlib.closing(self.connection()) as connection:
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
def http_server(database: str | None = None, **settings: Any) -> Iterator[HttpServer]:
    """A server for the block."""
    server = HttpServer(database, **settings)
    try:
        yield server
    finally:
        server.stop(0.5)
