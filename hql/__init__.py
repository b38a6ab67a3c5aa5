"""HQL: a query language over rows, vectors and models; `connect` is the way in (PEP 249).

Importing this package is cheap; pyarrow and the engine are imported by the first connection.
"""

from __future__ import annotations

import time
from builtins import Warning  # PEP 249 wants the name here; nothing of ours raises one
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from hartonomous.hql.dbapi_types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)
from hartonomous.storage.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

if TYPE_CHECKING:
    from hartonomous.hql.clients import AsyncConnection
    from hartonomous.hql.dbapi import Connection, Cursor
    from hartonomous.hql.geometry_value import Geometry
    from hartonomous.hql.opening import Options, ServerOptions
    from hartonomous.hql.pool import AsyncPool, Pool

__all__ = [
    "AsyncConnection",
    "AsyncPool",
    "BINARY",
    "Binary",
    "Connection",
    "Cursor",
    "DATETIME",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "Geometry",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NUMBER",
    "NotSupportedError",
    "OperationalError",
    "Pool",
    "ProgrammingError",
    "ROWID",
    "STRING",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "connect_async",
    "create_async_pool",
    "create_pool",
    "paramstyle",
    "threadsafety",
]

#: PEP 249
apilevel = "2.0"
threadsafety = 2  # threads may share the module and connections (a connection runs one at a time)
paramstyle = "named"  # `:name`; `@name` and `?` are understood too


def connect(
    database: str | Path | None = None,
    *,
    read_only: bool = False,
    autocommit: bool = True,
    timeout: float | None = None,
    memory: int | None = None,
    author: str | None = None,
    branch: str | None = None,
    **of_servers: Unpack[ServerOptions],
) -> Connection:
    """A connection to the folder `database`; None or ":memory:" keeps nothing on disk.

    The folder is created if it is missing. Without `read_only` the folder's writer lock is taken
    (Locked if another process has it). `timeout` is each statement's time limit in seconds,
    `memory` its memory limit in bytes. `author` is written to commits; by default it is the
    operating system's user. `branch` is the branch of history that the connection begins on, else
    `main`.

    `hql://[user[:password]@]host[:port]/` is a server's database, `hqls://` by TLS; `?branch=…` and
    other options may stand behind it. For these alone: `password`, or `token` in place of user and
    password; `ca_file` with the certificates that are trusted; `connect_timeout` and `read_timeout`
    in seconds (what a server may be silent for: by default 10, and without end while a statement
    runs); `reconnect=False`, so that a connection that broke stays so, also where nothing would be
    lost.

    >>> with connect() as db:
    ...     db.execute("SELECT 6 * 7").fetchall()
    [(42,)]
    """
    from hartonomous.hql.dbapi import Connection

    return Connection(
        database,
        read_only=read_only,
        autocommit=autocommit,
        timeout=timeout,
        memory=memory,
        author=author,
        branch=branch,
        **of_servers,
    )


async def connect_async(
    database: str | Path | None = None, **options: Unpack[Options]
) -> AsyncConnection:
    """As `connect`, for asyncio: what may wait is awaited, and the event loop never does.

    >>> import asyncio
    >>> async def main() -> list[tuple[int]]:
    ...     async with await connect_async() as db:
    ...         cursor = await db.execute("SELECT value FROM GENERATE_SERIES(1, 3)")
    ...         return [row async for row in cursor]
    >>> asyncio.run(main())
    [(1,), (2,), (3,)]
    """
    from hartonomous.hql import async_client

    return await async_client.connect_async(database, **options)


def create_pool(
    database: str | Path | None = None,
    *,
    max_size: int = 8,
    wait: float = 30.0,
    max_idle: float = 300.0,
    clock: Callable[[], float] = time.monotonic,
    **options: Unpack[Options],
) -> Pool:
    """Connections to `database`, made by `connect` with these options when they are needed, at
    most `max_size`, and lent to threads one at a time:

    >>> with create_pool(":memory:doc", max_size=2) as pool, pool.connection() as db:
    ...     db.execute("SELECT 6 * 7").fetchall()
    [(42,)]

    Who finds none free waits `wait` seconds, and gets Busy then. One that nobody wanted for
    `max_idle` seconds, by `clock`, is closed.
    """
    from hartonomous.hql.pool import Pool

    return Pool(database, max_size=max_size, wait=wait, max_idle=max_idle, clock=clock, **options)


def create_async_pool(
    database: str | Path | None = None,
    *,
    max_size: int = 8,
    wait: float = 30.0,
    max_idle: float = 300.0,
    clock: Callable[[], float] = time.monotonic,
    **options: Unpack[Options],
) -> AsyncPool:
    """As `create_pool`, for the tasks of an event loop: `async with pool.connection() as db`."""
    from hartonomous.hql.pool import AsyncPool

    return AsyncPool(
        database, max_size=max_size, wait=wait, max_idle=max_idle, clock=clock, **options
    )


#: names that are imported when they are asked for, as pyarrow or NumPy come with them
_LATER = {
    "AsyncConnection": "clients",
    "AsyncPool": "pool",
    "Connection": "dbapi",
    "Cursor": "dbapi",
    "Geometry": "geometry_value",
    "Pool": "pool",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
