"""A pool: connections to one database, lent one at a time, made when they are needed.

    pool = hql.create_pool("hql://127.0.0.1:7433/", max_size=8)
    with pool.connection() as db:
        db.execute("SELECT 1")

A transaction that a borrower leaves open is committed, or undone if its block raised; results that
were not read to their end are closed. The next borrower finds a connection as new: one that keeps
something of its session (a #temp table, a setting, another branch) is closed instead, and so is one
that the server has closed meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar, Unpack

from hartonomous.hql.async_client import EmbeddedConnection, connect_async
from hartonomous.hql.dbapi import Connection
from hartonomous.hql.errors import Busy, InterfaceFault

if TYPE_CHECKING:
    from hartonomous.hql.opening import Options

#: connections of a pool, if it is not told
SIZE_DEFAULT = 8
#: seconds that a borrower waits for a connection, if a pool is not told
WAIT_SECONDS = 30.0
#: seconds after which a connection that nobody wanted is closed
IDLE_SECONDS = 300.0
#: seconds without use after which a connection is asked whether it still answers
CHECK_SECONDS = 10.0


C = TypeVar("C")


class _Shelf(Generic[C]):
    """Connections that nobody uses, the last one used on top, with when they were put there."""

    def __init__(self, max_size: int, max_idle: float, clock: Callable[[], float]) -> None:
        if max_size < 1:
            raise InterfaceFault(f"a pool has at least one connection, not {max_size}")
        self.max_size, self.max_idle, self.clock = max_size, max_idle, clock
        self.idle: list[tuple[float, C]] = []
        self.is_closed = False

    def check_open(self) -> None:
        if self.is_closed:
            raise InterfaceFault("the pool is closed")

    def take(self) -> tuple[C | None, bool, list[C]]:
        """A connection, whether it is to be asked if it answers, and those that were idle for too
        long and are to be closed."""
        now = self.clock()
        old = [c for since, c in self.idle if now - since > self.max_idle]
        self.idle = [(since, c) for since, c in self.idle if now - since <= self.max_idle]
        if not self.idle:
            return None, False, old
        since, connection = self.idle.pop()
        return connection, now - since > CHECK_SECONDS, old

    def put(self, connection: C) -> bool:
        """Keeps a connection for the next borrower; False: it is to be closed."""
        if self.is_closed:
            return False
        self.idle.append((self.clock(), connection))
        return True

    def empty(self) -> list[C]:
        """All that are idle, to be closed."""
        self.is_closed = True
        idle, self.idle = self.idle, []
        return [connection for _, connection in idle]


def _nothing_free(max_size: int, wait: float) -> Busy:
    return Busy(
        f"all {max_size} connections of the pool were in use for {wait:g} seconds",
        hint="give them back sooner, or make the pool larger with max_size",
    )


class Pool:
    """Connections for threads. See `hartonomous.hql.create_pool`."""

    def __init__(
        self,
        database: str | Path | None,
        *,
        max_size: int = SIZE_DEFAULT,
        wait: float = WAIT_SECONDS,
        max_idle: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        **options: Unpack[Options],
    ) -> None:
        self._make: Callable[[], Connection] = partial(Connection, database, **options)
        self._wait = wait
        self._shelf: _Shelf[Connection] = _Shelf(max_size, max_idle, clock)
        self._lock = threading.Lock()
        self._places = threading.Semaphore(max_size)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for a `with` block. Raises Busy if none is free in time, and what `connect`
        raises."""
        self._shelf.check_open()
        if not self._places.acquire(timeout=self._wait):
            raise _nothing_free(self._shelf.max_size, self._wait)
        try:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                self._give_back(connection, connection.rollback)
                raise
            self._give_back(connection, connection.commit)
        finally:
            self._places.release()

    def _take(self) -> Connection:
        while True:
            with self._lock:
                connection, is_asked, old = self._shelf.take()
            for each in old:
                each.close()
            if connection is None:
                return self._make()
            if connection.is_alive(asks=is_asked):
                return connection
            connection.close()

    def _give_back(self, connection: Connection, end: Callable[[], None]) -> None:
        try:
            if not connection.is_closed and connection.in_transaction:
                end()
            is_as_new = connection.reset()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            is_kept = is_as_new and self._shelf.put(connection)
        if not is_kept:
            connection.close()

    def close(self) -> None:
        """Closes the connections that nobody uses, and the others when they come back."""
        with self._lock:
            idle = self._shelf.empty()
        for connection in idle:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncPool:
    """Connections for tasks of one event loop. See `hartonomous.hql.create_async_pool`."""

    def __init__(
        self,
        database: str | Path | None,
        *,
        max_size: int = SIZE_DEFAULT,
        wait: float = WAIT_SECONDS,
        max_idle: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        **options: Unpack[Options],
    ) -> None:
        self._make: Callable[[], Coroutine[None, None, EmbeddedConnection]] = partial(
            connect_async, database, **options
        )
        self._wait = wait
        self._shelf: _Shelf[EmbeddedConnection] = _Shelf(max_size, max_idle, clock)
        self._places = asyncio.Semaphore(max_size)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[EmbeddedConnection]:
        """A connection for an `async with` block. Raises as Pool.connection does."""
        self._shelf.check_open()
        try:
            await asyncio.wait_for(self._places.acquire(), self._wait)
        except TimeoutError:
            raise _nothing_free(self._shelf.max_size, self._wait) from None
        try:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                await self._give_back(connection, is_undone=True)
                raise
            await self._give_back(connection, is_undone=False)
        finally:
            self._places.release()

    async def _take(self) -> EmbeddedConnection:
        while True:
            connection, is_asked, old = self._shelf.take()
            for each in old:
                await each.close()
            if connection is None:
                return await self._make()
            if await connection.is_alive(asks=is_asked):
                return connection
            await connection.close()

    async def _give_back(self, connection: EmbeddedConnection, is_undone: bool) -> None:
        try:
            if not connection.is_closed and connection.in_transaction:
                await (connection.rollback() if is_undone else connection.commit())
            is_as_new = await connection.reset()
        except BaseException:
            await connection.close()
            raise
        if not (is_as_new and self._shelf.put(connection)):
            await connection.close()

    async def close(self) -> None:
        """Closes the connections that nobody uses, and the others when they come back."""
        for connection in self._shelf.empty():
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
