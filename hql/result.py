"""What a statement gives back: rows as Arrow record batches, a row count, messages.

A result of the last statement of a text streams: its batches are pulled from the operators as they
are asked for, and it keeps its snapshot until it is closed. Earlier ones are spooled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.storage.errors import Cancelled

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.plan import Field


class Result:
    """One statement's outcome.

    `fields` is None for a statement without rows. `row_count` is the number of rows changed, or
    the number returned once that is known, else -1. `rows_read` is what @@ROWCOUNT says after a
    statement without either. Batches can be taken once.
    """

    def __init__(
        self,
        fields: tuple[Field, ...] | None = None,
        batches: Iterator[pa.RecordBatch] | None = None,
        *,
        row_count: int = -1,
        rows_read: int = 0,
        messages: tuple[str, ...] = (),
        close: Callable[[], object] | None = None,
    ) -> None:
        self.fields = fields
        self.row_count = row_count
        self.rows_read = rows_read
        self.messages = list(messages)
        self._batches = batches
        self._closing = [close] if close is not None else []
        self._is_cut = False  # closed before all rows were taken

    @classmethod
    def of_table(
        cls,
        fields: tuple[Field, ...],
        table: pa.Table,
        *,
        row_count: int | None = None,
        messages: tuple[str, ...] = (),
    ) -> Result:
        """Rows that are there already."""
        count = table.num_rows if row_count is None else row_count
        return cls(fields, iter(table.to_batches()), row_count=count, messages=messages)

    @property
    def has_rows(self) -> bool:
        """Whether the statement gives rows (perhaps none of them)."""
        return self.fields is not None

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types of the rows; only for results that have rows."""
        from hartonomous.hql.plan import schema_of

        assert self.fields is not None, "a result without rows has no schema"
        return schema_of(self.fields)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows not taken yet. Raises Error if computing them fails, and Cancelled if the
        result is closed meanwhile: half a result never looks whole. Closes at the end."""
        self._check_whole()
        if self._batches is None:
            return
        try:
            for batch in self._batches:
                self._check_whole()
                self.rows_read += batch.num_rows
                if batch.num_rows:
                    yield batch
        except GeneratorExit:
            raise
        except BaseException:
            self.close()
            raise
        self._check_whole()
        self._finish()

    def _check_whole(self) -> None:
        if self._is_cut:
            raise Cancelled("the result was closed before all its rows were read")

    def _finish(self) -> None:
        if self.row_count < 0:
            self.row_count = self.rows_read
        self._batches = None
        self.close()

    def to_table(self) -> pa.Table:
        """All rows not taken yet as one table."""
        return pa.Table.from_batches(list(self.batches()), schema=self.schema)

    def prime(self) -> None:
        """Computes the first batch now, so that most errors show where the statement runs."""
        if self._batches is None:
            return
        first = next(self._batches, None)
        if first is None:
            self._finish()
        else:
            self._batches = _chain(first, self._batches)

    def spool(self, limits: Limits | None = None) -> None:
        """Computes all rows now and lets the snapshot go. `limits` count them until they are
        taken."""
        if self.has_rows and self._batches is not None:
            table = self.to_table()
            self._batches = iter(table.to_batches())
            if limits is not None:
                limits.hold(table.nbytes)
                self._closing.append(lambda: limits.hold(-table.nbytes))

    def wrap(self, guard: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]) -> None:
        """Passes the stream through `guard` (error translation, limits)."""
        if self._batches is not None:
            self._batches = guard(self._batches)

    def on_close(self, action: Callable[[], object]) -> None:
        """Does `action` when the result is closed (at once if its rows are taken already)."""
        if self._batches is None:
            action()
        else:
            self._closing.append(action)

    def close(self) -> None:
        """Lets go of the snapshot and the operators. Rows not taken are lost. Idempotent."""
        if self._batches is not None:
            self._batches, self._is_cut = None, True
        closing, self._closing = self._closing, []
        for action in closing:
            action()


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest
