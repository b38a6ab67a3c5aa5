"""Events: what a running text says of itself, in order. Doors turn them into bytes.

    Notice* (Columns Rows* Finished | Finished)* Complete        a text that ends well
    … then an Error is raised                                    one that does not

Columns begins a result that has rows, Finished ends any result; a statement without rows has a
Finished alone. Notice and Progress may come anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.frozen import frozen

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field


@frozen
class State:
    """What a session is like after the statements so far."""

    in_transaction: bool
    branch: str
    autocommit: bool
    last_identity: int | None


@frozen
class Columns:
    """A result that has rows begins. `schema` has each column's HQL type in its metadata. `last`:
    the text has no statement after this one, so its rows may be taken as slowly as one likes; else
    whoever wants the text to go on takes them. `row_count` is -1 while it is not known. `state` is
    there if `last` is."""

    fields: tuple[Field, ...]
    schema: pa.Schema
    last: bool
    row_count: int
    state: State | None


class Rows:
    """Some rows of the result that began last: at most about a mebibyte. They exist as an Arrow
    batch, as an Arrow IPC message, or both; what is missing is made when it is asked for."""

    __slots__ = ("_batch", "_encoded", "count", "schema")

    def __init__(
        self,
        schema: pa.Schema,
        *,
        batch: pa.RecordBatch | None = None,
        encoded: pa.Buffer | bytes | None = None,
        count: int | None = None,
    ) -> None:
        if batch is not None:
            count = batch.num_rows
        assert count is not None and (batch is not None or encoded is not None)
        self.schema, self._batch, self._encoded = schema, batch, encoded
        self.count: int = count

    @property
    def batch(self) -> pa.RecordBatch:
        """The rows as an Arrow record batch, without the schema's metadata perhaps."""
        if self._batch is None:
            self._batch = pa.ipc.read_record_batch(pa.py_buffer(self._encoded), self.schema)
        return self._batch

    @property
    def encoded(self) -> pa.Buffer | bytes:
        """The rows as one encapsulated Arrow IPC message."""
        if self._encoded is None:
            self._encoded = self.batch.serialize()
        return self._encoded

    @property
    def size(self) -> int:
        """Bytes, about."""
        if self._encoded is not None:
            return len(self._encoded)
        return int(self.batch.nbytes)


@frozen
class Notice:
    """PRINT and other messages, as they are said."""

    text: str


@frozen
class Progress:
    """How far the statement is (0 to 1, None if that is not known); a few a second at most."""

    share: float | None
    text: str


@frozen
class Finished:
    """A result ended. `row_count`: rows changed, or given; -1 if no number is known."""

    row_count: int
    has_rows: bool


@frozen
class Complete:
    """The text ended. `rows` is the number of rows it gave, `commit` the sequence of the last
    commit that it made, None if it made none."""

    rows: int
    elapsed_ms: float
    commit: int | None
    state: State


Event = Columns | Rows | Notice | Progress | Finished | Complete
