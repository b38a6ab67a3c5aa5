"""An engine with worker processes, for tests: everything on one event loop, which runs while the
test asks something of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hartonomous.server.engine import Engine
from hartonomous.server.events import Event, Rows
from hartonomous.server.routing import WorkerRouter, start_workers
from hartonomous.server.running import Running
from hartonomous.server.sessions import ServerSession
from hartonomous.server.settings import ServerSettings
from hartonomous.server.workers import Workers

T = TypeVar("T")


class Served:
    """`reports` is what people were told; `last` the text that ran last."""

    def __init__(self, folder: Path, workers: int, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self.reports: list[str] = []
        self.engine = Engine(str(folder), ServerSettings(workers=workers, **settings))
        self.last: Running | None = None
        self.workers: Workers = self.do(self._start())

    async def _start(self) -> Workers:
        await self.engine.start()
        workers = start_workers(self.engine, self.reports.append)
        await workers.wait_ready()
        self.router.wait_seconds = 20.0  # however busy the machine is
        return workers

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asyncio.wait_for(work, 60))

    def stop(self) -> None:
        async def stop() -> None:
            await self.engine.close_sessions()
            await self.workers.stop()
            await self.engine.stop()

        self.do(stop())
        self._runner.close()

    @property
    def router(self) -> WorkerRouter:
        router = self.engine.router
        assert isinstance(router, WorkerRouter)
        return router

    @property
    def pids(self) -> list[int]:
        return [w.pid for w in self.workers.workers.values() if w.pid is not None]

    def session(self, **options: Any) -> ServerSession:
        account = options.pop("account", None)
        return self.do(self.engine.open_session(account, "wire", "test", encodes=True, **options))

    # --- asking

    def run(self, session: ServerSession, text: str, parameters: Any = None, **options: Any) -> Any:
        """The rows of the last result."""
        return self.do(self.rows(session, text, parameters, **options))

    async def rows(
        self, session: ServerSession, text: str, parameters: Any = None, **options: Any
    ) -> Any:
        running = self.last = session.run(text, parameters, **options)
        return rows_of([event async for event in running])

    @property
    def was_routed(self) -> bool:
        """Whether a worker answered the text that ran last."""
        assert self.last is not None
        return self.last.worker is not None


def rows_of(events: list[Event]) -> list[tuple[Any, ...]]:
    """The rows of all events as tuples."""
    found: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Rows):
            found += zip(*(c.to_pylist() for c in event.batch.columns), strict=True)
    return found
