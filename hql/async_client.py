"""The asynchronous client of a database in this process: a connection's statements run one after
the other on a thread of its own, so that the event loop never waits for them.

A task that is cancelled while its statement runs stops the statement and waits until it has
stopped; one whose turn has not come leaves the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from hartonomous.hql.clients import AsyncConnection, AsyncCursor, Parameters, Row
from hartonomous.hql.errors import TransactionFault

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.dbapi_cursor import Cursor

T = TypeVar("T")

#: seconds after which a statement that was cancelled and still runs is told again
AGAIN_SECONDS = 0.02


class Worker:
    """One thread that does a connection's work in the order it is given."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hql")
        self.is_closed = False

    async def do(
        self, work: Callable[..., T], *arguments: Any, cancel: Callable[[], object] | None = None
    ) -> T:
        """What `work` gives. If the task is cancelled meanwhile, `cancel` is called until the work
        has ended."""
        if self.is_closed:
            raise TransactionFault("the connection is closed", hint="connect again")
        future = self._thread.submit(work, *arguments)
        waiting = asyncio.wrap_future(future)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await _stopped(future, waiting, cancel)
            raise

    def later(self, work: Callable[[], object]) -> None:
        """Has work done that nobody waits for."""
        self._thread.submit(work)

    def close(self) -> None:
        """Takes no more work; what was given is still done."""
        self.is_closed = True
        self._thread.shutdown(wait=False)


async def _stopped(
    future: Future[Any], waiting: asyncio.Future[Any], cancel: Callable[[], object] | None
) -> None:
    """Returns when the work is over, or was taken out of the queue before it began."""
    if future.cancel():
        return
    while not waiting.done():
        if cancel is not None:
            cancel()
        await asyncio.wait({waiting}, timeout=AGAIN_SECONDS)
    waiting.exception()  # it is the task's cancelling that its caller hears of


async def connect_async(database: Any, **options: Any) -> EmbeddedConnection:
    """See `hartonomous.hql.connect_async`."""
    from hartonomous.hql.dbapi import Connection

    worker = Worker()
    opened: list[Connection] = []
    try:
        await worker.do(lambda: opened.append(Connection(database, **options)))
    except BaseException:
        if opened:  # cancelled when it was nearly there
            worker.later(opened[0].close)
        worker.close()
        raise
    return EmbeddedConnection(opened[0], worker)


class EmbeddedConnection(AsyncConnection):
    """A synchronous connection with its worker. See clients.AsyncConnection."""

    def __init__(self, connection: Connection, worker: Worker) -> None:
        self.connection = connection
        self.worker = worker

    @property
    def autocommit(self) -> bool:
        return self.connection.autocommit

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    @property
    def read_only(self) -> bool:
        return self.connection.read_only

    async def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """What a call of the synchronous connection gives."""
        return await self.worker.do(work, *arguments, cancel=self.connection.cancel)

    async def execute(self, text: str, parameters: Parameters = None) -> EmbeddedCursor:
        """Runs every statement of `text`; the cursor stands at the first result that has rows."""
        return await self.cursor().execute(text, parameters)

    async def executemany(
        self, text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]
    ) -> EmbeddedCursor:
        """Runs `text` once for each set of parameters, in one transaction."""
        return await self.cursor().executemany(text, rows)

    def cursor(self) -> EmbeddedCursor:
        return EmbeddedCursor(self)

    def cancel(self) -> None:
        """Stops the statement that is running now: it raises Cancelled."""
        self.connection.cancel()

    async def set_autocommit(self, value: bool) -> None:
        """As the synchronous `autocommit = value`, which may commit."""
        await self.do(setattr, self.connection, "autocommit", value)

    async def commit(self) -> None:
        """Makes the transaction durable; without one, nothing happens."""
        await self.do(self.connection.commit)

    async def rollback(self) -> None:
        """Undoes the transaction; without one, nothing happens."""
        await self.do(self.connection.rollback)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Self]:
        """A transaction for an `async with` block: committed at its end, undone if the block
        raises. Other tasks' statements on this connection fall into it."""
        # Told on the worker's thread: a task that is cancelled does not hear what was still done.
        is_open = False

        def begin() -> None:
            nonlocal is_open
            self.connection.begin()
            is_open = True

        def commit() -> None:
            nonlocal is_open
            try:
                self.connection.commit()
            finally:
                is_open = self.connection.in_transaction

        try:
            await self.do(begin)
            yield self
            await self.do(commit)
        except BaseException:
            if is_open:
                await self.rollback()
            raise

    @property
    def is_closed(self) -> bool:
        return self.worker.is_closed or self.connection.is_closed

    async def is_alive(self, *, asks: bool = False) -> bool:
        """Whether statements would reach the database. See Connection.is_alive."""
        return not self.is_closed and await self.do(lambda: self.connection.is_alive(asks=asks))

    async def reset(self) -> bool:
        """Closes results that were not read to their end. See Connection.reset."""
        return not self.is_closed and await self.do(self.connection.reset)

    async def close(self) -> None:
        """Waits for what runs, undoes an open transaction, lets the database go. Idempotent."""
        if not self.worker.is_closed:
            await self.worker.do(self.connection.close)
            self.worker.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commits an open transaction, or undoes it if the block raised; then closes."""
        if not self.worker.is_closed:
            await self.worker.do(self.connection.__exit__, kind, error, trace)
            self.worker.close()


class EmbeddedCursor(AsyncCursor):
    """A synchronous cursor used from the connection's worker. See clients.AsyncCursor."""

    def __init__(self, connection: EmbeddedConnection) -> None:
        self.connection = connection
        self._cursor: Cursor = connection.connection.cursor()
        self._ready: deque[Row] = deque()  # rows that were computed and not asked for yet

    @property
    def arraysize(self) -> int:
        return self._cursor.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._cursor.arraysize = value

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def rownumber(self) -> int | None:
        number = self._cursor.rownumber
        return None if number is None else number - len(self._ready)

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    @property
    def messages(self) -> list[str]:
        return self._cursor.messages

    # --- statements ---

    async def execute(self, text: str, parameters: Parameters = None) -> Self:
        """Runs every statement of `text`."""
        self._ready.clear()
        await self.connection.do(self._cursor.execute, text, parameters)
        return self

    async def executemany(
        self, text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]
    ) -> Self:
        """Runs `text` for each set of parameters as one transaction. `rows` is iterated on the
        worker's thread."""
        self._ready.clear()
        await self.connection.do(self._cursor.executemany, text, rows)
        return self

    async def callproc(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> list[Any] | dict[str, Any]:
        """Calls a procedure; a copy of `parameters` with what OUTPUT parameters gave back."""
        self._ready.clear()
        return await self.connection.do(self._cursor.callproc, name, parameters)

    async def nextset(self) -> bool | None:
        """Moves to the next result that has rows; None if there is none."""
        self._ready.clear()
        return await self.connection.do(self._cursor.nextset)

    # --- rows ---

    async def fetchone(self) -> Row | None:
        """The next row as Python values, or None."""
        if not self._ready:
            self._ready.extend(await self.connection.do(self._cursor.fetch_ready))
        return self._ready.popleft() if self._ready else None

    async def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next `size` (else `arraysize`) rows."""
        count = max(0, self.arraysize if size is None else size)
        rows = [self._ready.popleft() for _ in range(min(count, len(self._ready)))]
        if len(rows) < count:
            rows += await self.connection.do(self._cursor.fetchmany, count - len(rows))
        return rows

    async def fetchall(self) -> list[Row]:
        """All rows left."""
        rows = list(self._ready)
        self._ready.clear()
        return rows + await self.connection.do(self._cursor.fetchall)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Row:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    # --- Arrow and data frames ---

    async def fetch_arrow_table(self) -> pa.Table:
        """All rows left as a pyarrow Table."""
        return await self.connection.do(self._cursor.fetch_arrow_table)

    async def fetch_record_batches(self) -> AsyncIterator[pa.RecordBatch]:
        """The rows left, batch by batch, each computed when it is asked for."""
        reader = await self.connection.do(self._cursor.fetch_record_batches)
        while (batch := await self.connection.do(next, reader, None)) is not None:
            yield batch

    async def fetch_df(
        self, *, dtype_backend: Literal["pyarrow"] | None = None
    ) -> pandas.DataFrame:
        """All rows left as a pandas DataFrame."""
        return await self.connection.do(lambda: self._cursor.fetch_df(dtype_backend=dtype_backend))

    async def fetch_polars(self) -> polars.DataFrame:
        """All rows left as a polars DataFrame."""
        return await self.connection.do(self._cursor.fetch_polars)

    # --- life ---

    async def close(self) -> None:
        """Lets go of the results."""
        self._ready.clear()
        if not self.connection.worker.is_closed:
            await self.connection.do(self._cursor.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
