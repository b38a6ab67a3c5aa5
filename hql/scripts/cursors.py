"""Cursors: rows of a query, fetched one after the other (cursor_statements.py).

A cursor keeps the variables' values of its DECLARE, and from OPEN to CLOSE the snapshot that OPEN
saw. Its rows are computed as they are fetched; a STATIC or SCROLL one computes all of them at OPEN,
within the memory limit. GLOBAL ones, as they are without a word, belong to the session, LOCAL ones
to their frame. ROLLBACK closes cursors that were opened in its transaction, but for computed ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.changes.completion import check_length
from hartonomous.hql.context import Context
from hartonomous.hql.errors import PermissionFault
from hartonomous.hql.frozen import frozen
from hartonomous.hql.limits import Limits
from hartonomous.hql.plan import Field
from hartonomous.hql.result import Result
from hartonomous.hql.scripts.frame import Frame
from hartonomous.hql.syntax import trees
from hartonomous.hql.types import Type
from hartonomous.hql.values import to_python
from hartonomous.storage.errors import Cancelled, Error

if TYPE_CHECKING:
    from hartonomous.hql.security.accounts import Account
    from hartonomous.hql.statements.declare_cursor import DeclareCursor
    from hartonomous.storage.transaction import Transaction

#: rows that are made Python values at once
WINDOW_ROWS = 256


@frozen
class Window:
    """Some rows of a block as Python values: `types` of each column, rows from `first` on."""

    first: int
    types: tuple[Type, ...]
    columns: list[list[Any]]


@frozen
class Opened:
    """What an open cursor holds. `count` is the number of rows if all are computed."""

    result: Result
    fields: tuple[Field, ...]
    limits: Limits
    transaction: Transaction
    is_own: bool  # the transaction is the cursor's, to be ended with it
    count: int | None
    account: Account | None  # whose it was opened with


class Cursor:
    """A declared cursor. `context` is that of its DECLARE, with the variables as they were."""

    def __init__(self, name: str, statement: DeclareCursor, context: Context) -> None:
        frame = context.frame
        seen = Frame(
            frame.parameters.copy(),
            caller=frame.caller,
            routine=frame.routine,
            definer=frame.definer,
        )
        seen.tables, seen.rows = dict(frame.tables), frame.rows
        seen.temporary = frame.temporary
        self.name = name
        self.query = statement.query
        self.declared_in = frame
        self.frame = seen
        self.memory = context.memory
        options = statement.options
        self.scrolls = "SCROLL" in options or (
            "STATIC" in options and "FORWARD_ONLY" not in options
        )
        self.is_computed = self.scrolls or "STATIC" in options
        self.opened: Opened | None = None
        self._block = pa.table({})  # rows at hand, of which `_at` is the current one
        self._at = -1
        self._stream: Iterator[pa.RecordBatch] = iter(())
        self._window: Window | None = None

    # --- opening and closing

    def open(self, context: Context) -> None:
        """Begins the query in the open transaction, or in a snapshot of the cursor's own."""
        session = context.session
        is_own = not session.in_transaction
        transaction = session.open_transaction() if is_own else session.transaction
        limits = Limits(memory_bytes=context.limits.memory_bytes)
        inner = Context(
            session, transaction, self.frame, limits, self.memory, prepared=context.prepared
        )
        before, transaction.variables = transaction.variables, self.frame.rows
        try:
            context.limits.start()  # the cursor's own have no end: rows may be fetched tomorrow
            with context.limits.interrupting(limits.cancel):
                result = inner.query(self.query, key="cursor")
                assert result.fields is not None
                count = self._compute(result, limits) if self.is_computed else None
        except BaseException:
            if is_own:
                transaction.rollback()
            raise
        finally:
            transaction.variables = before
        self.opened = Opened(
            result, result.fields, limits, transaction, is_own, count, context.account
        )
        if self.is_computed:
            self._end_snapshot(self.opened)
        else:
            session.streaming.add(self)
            self._stream, self._block = result.batches(), result.schema.empty_table()
        self._at, self._window = -1, None

    def check_rights(self, context: Context) -> None:
        """PERMISSION if the account of now may not what that at OPEN might."""
        assert self.opened is not None
        before, now = self.opened.account, context.account
        if now is None or before is now:
            return
        if before is None or not now.is_as(before):
            raise PermissionFault(
                f'permission denied: rights have changed since "{self.name}" was opened',
                hint=f"CLOSE {self.name}; OPEN {self.name}",
            )

    def _compute(self, result: Result, limits: Limits) -> int:
        """All rows at once."""
        batches: list[pa.RecordBatch] = []
        size = 0
        try:
            for batch in result.batches():
                batches.append(batch)
                size += batch.nbytes
                limits.account(size)
        finally:
            result.close()
        self._block = pa.Table.from_batches(batches, result.schema)
        return int(self._block.num_rows)

    def close(self) -> None:
        """Lets rows and snapshot go. Idempotent."""
        opened, self.opened = self.opened, None
        if opened is not None:
            opened.result.close()
            self._end_snapshot(opened)
            self._block, self._window, self._stream = pa.table({}), None, iter(())

    def _end_snapshot(self, opened: Opened) -> None:
        opened.limits.stop()
        if opened.is_own:
            opened.transaction.rollback()

    def undone(self, transaction: Transaction) -> None:
        """A transaction was rolled back."""
        opened = self.opened
        if opened is not None and opened.transaction is transaction and not self.is_computed:
            self.close()

    # --- moving

    def move(self, direction: str, number: int, context: Context) -> bool:
        """Goes to another row; whether there is one. `number` is that of ABSOLUTE (from 1, or from
        the end if it is negative) and RELATIVE."""
        assert self.opened is not None
        if self.opened.count is None:
            assert direction == "NEXT", direction
            return self._advance(self.opened, context)
        last = self.opened.count - 1
        steps = {
            "NEXT": self._at + 1,
            "PRIOR": self._at - 1,
            "FIRST": 0,
            "LAST": last,
            "ABSOLUTE": number - 1 if number >= 0 else last + 1 + number,
            "RELATIVE": self._at + number,
        }
        self._at = max(-1, min(steps[direction], last + 1))
        return 0 <= self._at <= last

    def _advance(self, opened: Opened, context: Context) -> bool:
        """The next row of a stream. What fails closes the cursor."""
        if self._at + 1 < self._block.num_rows:
            self._at += 1
            return True
        try:
            context.limits.start()
            with context.limits.interrupting(opened.limits.cancel):
                batch = next(self._stream, None)
        except BaseException:
            self.close()
            raise
        self._window, self._at = None, 0
        if batch is None:
            self._block = opened.result.schema.empty_table()
            return False
        self._block = pa.Table.from_batches([batch])
        return True

    # --- the current row

    def row(self) -> Result:
        """The row as a result; without a row an empty one."""
        assert self.opened is not None
        is_there = 0 <= self._at < self._block.num_rows
        rows = self._block.slice(self._at if is_there else 0, int(is_there))
        return Result.of_table(self.opened.fields, rows)

    def values(
        self, names: tuple[str, ...], types: tuple[Type, ...], context: Context
    ) -> list[Any]:
        """The row's values as `types` of variables, in Python's form, converted as an assignment
        does it."""
        window = self._window
        if window is None or window.types != types or not self._is_in(window):
            window = self._window = self._converted(names, types, context)
        return [column[self._at - window.first] for column in window.columns]

    def _is_in(self, window: Window) -> bool:
        return 0 <= self._at - window.first < len(window.columns[0])

    def _converted(
        self, names: tuple[str, ...], types: tuple[Type, ...], context: Context
    ) -> Window:
        """The current row and some after it; only the row itself if one after it is no value of
        the types: that is to be said when it is fetched."""
        rows = self._block.slice(self._at, WINDOW_ROWS)
        try:
            columns = self._cast(rows, names, types, context)
        except Cancelled:
            raise
        except Error:
            columns = self._cast(rows.slice(0, 1), names, types, context)
        return Window(self._at, types, columns)

    def _cast(
        self, rows: pa.Table, names: tuple[str, ...], types: tuple[Type, ...], context: Context
    ) -> list[list[Any]]:
        assert self.opened is not None
        given = self.opened.fields
        if [trees.unbounded(f.type) for f in given] != [trees.unbounded(t) for t in types]:
            labels = [f"c{number}" for number in range(len(types))]
            fields = tuple([Field(n, f.type) for n, f in zip(labels, given, strict=True)])
            items = [
                trees.item(trees.cast(trees.column("r", n), t), n)
                for n, t in zip(labels, types, strict=True)
            ]
            query = trees.select(items, trees.rows("__rows", "r"))
            tables = {"__rows": (fields, rows.rename_columns(labels))}
            rows = context.table(query, key=("fetch", fields, types), tables=tables)
        for column, name, type_ in zip(rows.columns, names, types, strict=True):
            if type_.a is not None and type_.kind in ("NVARCHAR", "VARBINARY"):
                check_length(column, f"@{name}", type_)
        return [to_python(_one(c), t) for c, t in zip(rows.columns, types, strict=True)]


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
