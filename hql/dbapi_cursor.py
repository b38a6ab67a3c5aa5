"""A cursor after PEP 249: the results of one `execute`, as Python rows, Arrow or data frames.

Rows come forward only. A result is read in one way: as rows, or as Arrow and what is made of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import pyarrow as pa

from hartonomous.hql.errors import InterfaceFault
from hartonomous.hql.result import Result

if TYPE_CHECKING:
    import pandas
    import polars

    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.plan import Field

#: what `execute` takes as parameters: by name (without marks), or in the order of the `?`
Parameters = Mapping[str, Any] | Sequence[Any] | None


class Cursor:
    """The results of one `execute`, one after the other."""

    #: how many rows `fetchmany` gives when it is not told
    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: what statements had to say: PRINT, row counts of COPY, warnings
        self.messages: list[str] = []
        #: rows changed by the last INSERT, UPDATE, DELETE …; of a query, the number of its rows
        #: once that is known; else -1
        self.rowcount = -1
        #: the last IDENTITY value that the text gave out, or None
        self.lastrowid: int | None = None
        self._results: list[Result] = []
        self._current: Result | None = None
        self._rows: Iterator[tuple[Any, ...]] | None = None
        self._ready: Iterator[tuple[Any, ...]] = iter(())  # those of the batch that was reached
        self._fetched = 0
        self._closed = False

    def execute(self, text: str, parameters: Parameters = None) -> Self:
        """Runs every statement of `text`. Raises Error; `messages` then hold what came before."""
        self._begin()
        connection = self.connection
        with connection.lock:
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
        with connection.lock:
            try:
                self.rowcount = connection.session.execute_many(text, rows, self.messages)
            finally:
                self.lastrowid = connection.session.last_identity
        return self

    def callproc(
        self, name: str, parameters: Mapping[str, Any] | Sequence[Any] = ()
    ) -> list[Any] | dict[str, Any]:
        """Calls a procedure, with parameters in its order or by name. The rows that it gives are
        then fetched as those of `execute` are. Returns a copy of the parameters, in which those
        that are OUTPUT have the values that they ended with."""
        from hartonomous.hql.scripts.call_procedure import call_procedure

        self._begin()
        connection = self.connection
        with connection.lock:
            try:
                results, given = call_procedure(connection.session, name, parameters, self.messages)
            finally:
                self.lastrowid = connection.session.last_identity
        self._take(results)
        return given

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
        self._rows, self._ready, self._fetched = None, iter(()), 0
        self._current = self._results.pop(0) if self._results else None
        if self._current is not None:
            self.rowcount = self._current.row_count

    def nextset(self) -> bool | None:
        """Moves to the next result that has rows; None if there is none."""
        self._check_open()
        if self._current is not None:
            with self.connection.lock:
                self._current.close()
        self._next()
        return True if self._current is not None else None

    # --- rows ---

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """PEP 249: (name, type, None, length or None, precision, scale, None) for each column; the
        type is HQL's, as text, and equal to one of the module's type objects. None if the
        statement gave no rows."""
        if self._current is None or self._current.fields is None:
            return None
        return [_describe(field) for field in self._current.fields]

    @property
    def rownumber(self) -> int | None:
        """How many rows of the current result were fetched, which is the number, from 0, of the
        next one; None without a result."""
        return None if self._current is None else self._fetched

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row as Python values, or None."""
        with self.connection.lock:
            row = next(self._python_rows(), None)
        if row is not None:
            self._fetched += 1
        return row

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next `size` (else `arraysize`) rows."""
        count = max(0, self.arraysize if size is None else size)
        with self.connection.lock:
            rows = list(itertools.islice(self._python_rows(), count))
        self._fetched += len(rows)
        return rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows left."""
        with self.connection.lock:
            rows = list(self._python_rows())
        self._fetched += len(rows)
        return rows

    def fetch_ready(self) -> list[tuple[Any, ...]]:
        """The rows that are computed already; if there are none, those that come next, as many as
        come at once. An empty list at the end."""
        with self.connection.lock:
            rows = [*itertools.islice(self._python_rows(), 1), *self._ready]
        self._fetched += len(rows)
        return rows

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def _python_rows(self) -> Iterator[tuple[Any, ...]]:
        result = self._get_result()
        if self._rows is None:
            self._rows = self._convert(result)
        return self._rows

    def _convert(self, result: Result) -> Iterator[tuple[Any, ...]]:
        from hartonomous.hql.values import to_python

        assert result.fields is not None
        types = [field.type for field in result.fields]
        for batch in self._counted(result):
            columns = [to_python(batch.column(i), type_) for i, type_ in enumerate(types)]
            self._ready = zip(*columns, strict=True)
            yield from self._ready

    def _counted(self, result: Result) -> Iterator[pa.RecordBatch]:
        """The result's batches; at their end the number of rows is known."""
        count = 0
        for batch in result.batches():
            count += batch.num_rows
            yield batch
        if self._current is result and self.rowcount < 0:
            self.rowcount = count

    # --- Arrow and data frames ---

    def fetch_arrow_table(self) -> pa.Table:
        """All rows left as a pyarrow Table with the declared types."""
        result = self._arrow_result()
        with self.connection.lock:
            table = pa.Table.from_batches(list(self._counted(result)), schema=result.schema)
        self._fetched += table.num_rows
        return table

    def fetch_record_batches(self) -> pa.RecordBatchReader:
        """A reader of the rows left; it pulls batches as they are asked for."""
        result = self._arrow_result()
        batches = self._locked(self._counted(result))
        return pa.RecordBatchReader.from_batches(result.schema, batches)

    def _locked(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        while True:
            with self.connection.lock:
                batch = next(batches, None)
            if batch is None:
                return
            self._fetched += batch.num_rows
            yield batch

    def fetch_df(self, *, dtype_backend: Literal["pyarrow"] | None = None) -> pandas.DataFrame:
        """All rows left as a pandas DataFrame.

        By default NumPy's types, and pandas' nullable ones (Int64, boolean) for whole numbers and
        truth values where there is a NULL, so that no number loses digits; vectors are float32
        arrays, geometries Geometry objects. `"pyarrow"` keeps every column as Arrow has it.
        Raises ResourceFault (NOT_INSTALLED) without pandas.
        """
        from hartonomous.hql.frames import to_pandas

        fields = self._arrow_result().fields
        assert fields is not None
        return to_pandas(self.fetch_arrow_table(), fields, dtype_backend)

    def fetch_polars(self) -> polars.DataFrame:
        """All rows left as a polars DataFrame, made of the Arrow table without copies where polars
        can. Raises ResourceFault (NOT_INSTALLED) without polars."""
        from hartonomous.hql.frames import to_polars

        return to_polars(self.fetch_arrow_table())

    df = fetch_df
    pl = fetch_polars

    def _arrow_result(self) -> Result:
        result = self._get_result()
        if self._rows is not None:
            raise InterfaceFault(
                "rows of this result were fetched one by one; the rest of the last batch is lost",
                hint="fetch either rows or Arrow from one result",
            )
        return result

    def _get_result(self) -> Result:
        self._check_open()
        if self._current is None:
            raise InterfaceFault("there are no rows: the last statement gave none")
        return self._current

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
            with self.connection.lock:
                self._current.close()
        self._results, self._current, self._rows, self._ready = [], None, None, iter(())

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceFault("the cursor is closed")
        self.connection.session.check_open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _describe(field: Field) -> tuple[Any, ...]:
    type_ = field.type
    precision, scale = (type_.a, type_.b) if type_.kind == "DECIMAL" else (None, None)
    length = type_.a if type_.kind in ("NVARCHAR", "VARBINARY", "VECTOR") else None
    return (field.name, str(type_), None, length, precision, scale, None)
