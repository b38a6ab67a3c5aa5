"""Python's door: connections and cursors after PEP 249, with Arrow beside rows.

A connection may be shared by threads: it runs one statement at a time. `cancel()` is the one call
that does not wait for its turn.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from hartonomous.hql.errors import NotSupported, ParameterFault, TransactionFault
from hartonomous.hql.result import Result
from hartonomous.hql.session import Session

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field

#: what `execute` takes as parameters: by name (without marks), or in the order of the `?`
Parameters = Mapping[str, Any] | Sequence[Any] | None


class Connection:
    """A session with one database. See `hartonomous.hql.connect`."""

    def __init__(
        self,
        database: str | Path | None = None,
        *,
        read_only: bool = False,
        autocommit: bool = True,
        timeout: float | None = None,
        memory: int | None = None,
        author: str | None = None,
    ) -> None:
        if str(database).startswith("hql://"):
            raise NotSupported(
                "not supported yet: hql:// addresses",
                hint="name the folder itself; read_only=True works beside a writer",
            )
        from hartonomous.storage.database import Database

        path = None if database is None or str(database) == ":memory:" else Path(database)
        self._lock = threading.RLock()
        self.session = Session(
            Database.open(path, read_only=read_only),
            autocommit=autocommit,
            timeout=timeout,
            memory=memory,
            author=author,
        )

    # --- statements ---

    def execute(self, text: str, parameters: Parameters = None) -> Cursor:
        """Runs every statement of `text`; the cursor stands at the first result that has rows."""
        return self.cursor().execute(text, parameters)

    def executemany(self, text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> Cursor:
        """Runs `text` once for each set of parameters, in one transaction."""
        return self.cursor().executemany(text, rows)

    def cursor(self) -> Cursor:
        self.session.check_open()
        return Cursor(self)

    def cancel(self) -> None:
        """Stops the statement that is running now, from any thread: it raises Cancelled."""
        self.session.cancel()

    # --- transactions ---

    @property
    def autocommit(self) -> bool:
        """True: a statement outside BEGIN TRAN commits by itself. False: the first statement
        begins a transaction that `commit()` or `rollback()` ends."""
        return self.session.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        with self._lock:
            if value and self.session.in_transaction:
                self.session.commit()
            self.session.autocommit = value

    @property
    def in_transaction(self) -> bool:
        return self.session.in_transaction

    @property
    def read_only(self) -> bool:
        return self.session.read_only

    def commit(self) -> None:
        """Makes the transaction durable; without one, nothing happens."""
        with self._lock:
            if self.session.in_transaction:
                self.session.commit()

    def rollback(self) -> None:
        """Undoes the transaction; without one, nothing happens."""
        with self._lock:
            if self.session.in_transaction:
                self.session.rollback()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """A transaction for a `with` block: committed at its end, undone if the block raises."""
        with self._lock:
            if self.session.in_transaction:
                raise TransactionFault(
                    "a transaction is open already", hint="use SAVE TRAN inside a transaction"
                )
            self.session.begin()
            try:
                yield self
            except BaseException:
                if self.session.in_transaction:
                    self.session.rollback()
                raise
            if self.session.in_transaction:
                self.session.commit()

    # --- life ---

    def close(self) -> None:
        """Undoes an open transaction and lets the database go; may be called again."""
        with self._lock:
            self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commits an open transaction, or undoes it if the block raised; then closes."""
        try:
            if self.session.in_transaction and not self.session.is_closed:
                self.commit() if kind is None else self.rollback()
        finally:
            self.close()


class Cursor:
    """The results of one `execute`, one after the other."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: what statements had to say: PRINT, row counts of COPY, warnings
        self.messages: list[str] = []
        #: rows changed by the last INSERT, UPDATE, DELETE … , or -1
        self.rowcount = -1
        #: the last IDENTITY value that the text gave out, or None
        self.lastrowid: int | None = None
        self._results: list[Result] = []
        self._current: Result | None = None
        self._rows: Iterator[tuple[Any, ...]] | None = None
        self._closed = False

    def execute(self, text: str, parameters: Parameters = None) -> Self:
        """Runs every statement of `text`. Raises Error; `messages` then hold what came before."""
        self._begin()
        connection = self.connection
        with connection._lock:
            try:
                results = connection.session.execute(text, parameters, self.messages)
            finally:
                self.lastrowid = connection.session.last_identity
        self._take(results)
        return self

    def executemany(self, text: str, rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> Self:
        """Runs `text` for each set of parameters as one transaction (all or none of them)."""
        self._begin()
        connection = self.connection
        with connection._lock:
            try:
                self.rowcount = connection.session.execute_many(text, rows, self.messages)
            finally:
                self.lastrowid = connection.session.last_identity
        return self

    def _begin(self) -> None:
        self._check_open()
        self._drop_results()
        self.messages = []
        self.rowcount = -1

    def _take(self, results: list[Result]) -> None:
        for result in results:
            if result.row_count >= 0 and not result.has_rows:
                self.rowcount = result.row_count
        self._results = [r for r in results if r.has_rows]
        self._next()

    def _next(self) -> None:
        self._rows = None
        self._current = self._results.pop(0) if self._results else None
        if self._current is not None:
            self.rowcount = self._current.row_count

    def nextset(self) -> bool | None:
        """Moves to the next result; None if there is none."""
        self._check_open()
        if self._current is not None:
            self._current.close()
        self._next()
        return True if self._current is not None else None

    # --- rows ---

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """PEP 249: (name, type, None, bytes or None, precision, scale, None) for each column; the
        type is HQL's, as `str`. None if the statement gave no rows."""
        if self._current is None or self._current.fields is None:
            return None
        return [_describe(field) for field in self._current.fields]

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row as Python values, or None."""
        with self.connection._lock:
            return next(self._python_rows(), None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next `size` (else `arraysize`) rows."""
        import itertools

        with self.connection._lock:
            count = max(0, self.arraysize if size is None else size)
            return list(itertools.islice(self._python_rows(), count))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows left."""
        with self.connection._lock:
            return list(self._python_rows())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetch_arrow_table(self) -> pa.Table:
        """All rows left as a pyarrow Table with the declared types."""
        result = self._arrow_result()
        with self.connection._lock:
            return result.to_table()

    def fetch_record_batches(self) -> pa.RecordBatchReader:
        """A reader of the rows left; it pulls batches as they are asked for."""
        result = self._arrow_result()
        return pa.RecordBatchReader.from_batches(result.schema, self._locked(result.batches()))

    def _locked(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        while True:
            with self.connection._lock:
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _arrow_result(self) -> Result:
        result = self._get_result()
        if self._rows is not None:
            raise ParameterFault(
                "rows of this result were fetched one by one; the rest of the last batch is lost",
                hint="fetch either rows or Arrow from one result",
            )
        return result

    def _get_result(self) -> Result:
        self._check_open()
        if self._current is None:
            raise ParameterFault("there are no rows: the last statement gave none")
        return self._current

    def _python_rows(self) -> Iterator[tuple[Any, ...]]:
        result = self._get_result()
        if self._rows is None:
            self._rows = _rows(result)
        return self._rows

    # --- life ---

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """PEP 249; nothing to prepare."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """PEP 249; nothing to prepare."""

    def close(self) -> None:
        """Lets go of the results (and of the snapshot of one that streams)."""
        self._drop_results()
        self._closed = True

    def _drop_results(self) -> None:
        if self._current is not None:
            with self.connection._lock:
                self._current.close()
        self._results, self._current, self._rows = [], None, None

    def _check_open(self) -> None:
        if self._closed:
            raise ParameterFault("the cursor is closed")
        self.connection.session.check_open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _rows(result: Result) -> Iterator[tuple[Any, ...]]:
    from hartonomous.hql.values import to_python

    assert result.fields is not None
    types = [field.type for field in result.fields]
    for batch in result.batches():
        columns = [to_python(batch.column(i), type_) for i, type_ in enumerate(types)]
        yield from zip(*columns, strict=True)


def _describe(field: Field) -> tuple[Any, ...]:
    type_ = field.type
    precision, scale = (type_.a, type_.b) if type_.kind == "DECIMAL" else (None, None)
    length = type_.a if type_.kind in ("NVARCHAR", "VARBINARY", "VECTOR") else None
    return (field.name, str(type_), None, length, precision, scale, None)
