"""What an asynchronous client offers, whether the database is in this process or behind a server.

`hql.connect_async` gives an AsyncConnection. Methods that may wait are coroutines, with the names
and meanings of the synchronous ones (hql/dbapi.py); what is known already is an attribute. A task
that is cancelled while it waits stops its statement, as `cancel()` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa

#: a row as Python values
Row = tuple[Any, ...]
#: values by name (without marks), or in the order of the `?`
Parameters = Mapping[str, Any] | Sequence[Any] | None


class AsyncCursor(Protocol):
    """The results of one `execute`. Not for two tasks at once."""

    #: how many rows `fetchmany` gives when it is not told
    arraysize: int

    @property
    def description(self) -> list[tuple[Any, ...]] | None: ...

    @property
    def rowcount(self) -> int: ...

    @property
    def rownumber(self) -> int | None: ...

    @property
    def lastrowid(self) -> int | None: ...

    @property
    def messages(self) -> list[str]: ...

    async def execute(self, text: str, parameters: Parameters = None) -> Self: ...

    async def executemany(
        self, text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]
    ) -> Self: ...

    async def callproc(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> list[Any] | dict[str, Any]: ...

    async def nextset(self) -> bool | None: ...

    async def fetchone(self) -> Row | None: ...

    async def fetchmany(self, size: int | None = None) -> list[Row]: ...

    async def fetchall(self) -> list[Row]: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Row: ...

    async def fetch_arrow_table(self) -> pa.Table: ...

    def fetch_record_batches(self) -> AsyncIterator[pa.RecordBatch]: ...

    async def fetch_df(
        self, *, dtype_backend: Literal["pyarrow"] | None = None
    ) -> pandas.DataFrame: ...

    async def fetch_polars(self) -> polars.DataFrame: ...

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...


class AsyncConnection(Protocol):
    """A session with one database. Tasks may share it: their statements take turns. A transaction
    is the connection's, so tasks that are not to share one have connections of their own."""

    @property
    def autocommit(self) -> bool: ...

    @property
    def in_transaction(self) -> bool: ...

    @property
    def read_only(self) -> bool: ...

    async def execute(self, text: str, parameters: Parameters = None) -> AsyncCursor: ...

    async def executemany(
        self, text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]
    ) -> AsyncCursor: ...

    def cursor(self) -> AsyncCursor: ...

    def cancel(self) -> None: ...

    async def set_autocommit(self, value: bool) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    def transaction(self) -> AbstractAsyncContextManager[Self]: ...

    @property
    def is_closed(self) -> bool: ...

    async def is_alive(self, *, asks: bool = False) -> bool: ...

    async def reset(self) -> bool: ...

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
