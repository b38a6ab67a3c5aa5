"""Doors: the ways in which the same tests come to a database.

    embedded    hql.connect of a folder or memory
    wire        hql.connect of a server's URL; the server is in this process
    async       hql.connect_async of a server's URL, each call waited for
    psycopg     psycopg of a server's doorway for PostgreSQL's clients, where types allow

A test that takes the fixture `door` runs once for each (tests/dbapi/conftest.py): what it calls
`hql.connect` then goes through the door.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from postgres_door import Psycopg
from servers import ServerThread

from hartonomous import hql
from hartonomous.hql.opening import is_url

#: folders whose files statements may touch: all of them, as in this process
FILES = {"read_folders": ("/",), "write_folders": ("/",)}
#: what connects to a folder, or to memory (None), with options
Connect = Callable[..., Any]


class Embedded:
    """A database of this process."""

    def __init__(self) -> None:
        self.connect: Connect = hql.connect
        self.connect_async: Connect = hql.connect_async

    def close(self) -> None:
        """Nothing is left open."""


class Wire:
    """Each database is a server's; each is served until the test ends."""

    def __init__(self) -> None:
        self._connect, self._connect_async = hql.connect, hql.connect_async
        self._servers: dict[Any, ServerThread] = {}
        self._clients: list[Any] = []

    def url(self, database: Any, read_only: bool = False) -> str:
        """Where a database is served."""
        if is_url(database):
            return str(database)
        key: Any = (str(database), read_only)
        if database is None or str(database) == ":memory:":
            key = len(self._servers)  # one of its own
        if key not in self._servers:
            name = None if isinstance(key, int) else database
            self._servers[key] = ServerThread(name, read_only=read_only, **FILES)
        return self._servers[key].url

    def connect(self, database: Any = None, *, read_only: bool = False, **options: Any) -> Any:
        client = self._connect(self.url(database, read_only), **options)
        self._clients.append(client)
        return client

    async def connect_async(
        self, database: Any = None, *, read_only: bool = False, **options: Any
    ) -> Any:
        return await self._connect_async(self.url(database, read_only), **options)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for server in self._servers.values():
            server.stop()


class Async(Wire):
    """An asynchronous client, each of whose calls is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()

    def connect(self, database: Any = None, *, read_only: bool = False, **options: Any) -> Any:
        client = Awaited(
            self._loop.run_until_complete(
                self._connect_async(self.url(database, read_only), **options)
            ),
            self._loop,
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        super().close()
        self._loop.close()


DOORS: dict[str, type[Any]] = {
    "embedded": Embedded,
    "wire": Wire,
    "async": Async,
    "psycopg": Psycopg,
}


class Awaited:
    """An asynchronous connection or cursor as a synchronous one: what it gives is waited for."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop, parent: Any = None) -> None:
        self.__dict__.update(_inner=inner, _loop=loop, connection=parent)

    def _wrapped(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            value = self._loop.run_until_complete(value)
        if value is self._inner:
            return self
        if hasattr(value, "fetchone"):
            return Awaited(value, self._loop, self)
        return value

    def __getattr__(self, name: str) -> Any:
        if name == "autocommit":
            return self._inner.autocommit
        value = getattr(self._inner, name)
        if not callable(value):
            return value
        return lambda *given, **named: self._wrapped(value(*given, **named))

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "autocommit":
            self._loop.run_until_complete(self._inner.set_autocommit(value))
        else:
            setattr(self._inner, name, value)

    def __iter__(self) -> Awaited:
        return self

    def __next__(self) -> Any:
        try:
            return self._loop.run_until_complete(self._inner.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Awaited:
        return self

    def __exit__(self, *given: Any) -> None:
        self._loop.run_until_complete(self._inner.__aexit__(*given))
