"""Servers of others' making that give what is there already: `servers.py flight|http` prints its
port and serves until its input ends."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any


def serve_flight() -> None:
    """Arrow Flight: the ticket "one" is a table of one row, any other what was put under it."""
    import pyarrow as pa
    import pyarrow.flight as flight

    class Server(flight.FlightServerBase):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__("grpc://127.0.0.1:0")
            self.tables = {b"one": pa.table({"one": [1]})}

        def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
            self.tables[descriptor.path[0]] = reader.read_all()

        def do_get(self, context: Any, ticket: Any) -> Any:
            return flight.RecordBatchStream(self.tables[ticket.ticket])

    server = Server()
    print(server.port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown())).start()
    server.serve()


async def serve_http() -> None:
    """HTTP by aiohttp: every POST /query is answered with the same row."""
    from aiohttp import web

    async def query(request: web.Request) -> web.Response:
        await request.json()
        return web.json_response([[1]])

    application = web.Application()
    application.add_routes([web.post("/query", query)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    if sys.argv[1] == "flight":
        serve_flight()
    else:
        asyncio.run(serve_http())
