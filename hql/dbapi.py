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
from typing import Any, Self, Unpack

from hartonomous.hql.dbapi_cursor import Cursor, Parameters
from hartonomous.hql.errors import TransactionFault
from hartonomous.hql.opening import Options, open_session, options_for
from hartonomous.storage import errors

__all__ = ["Connection", "Cursor", "Parameters"]


class Connection:
    """A session with one database. See `hartonomous.hql.connect`."""

    # PEP 249: so that code which has a connection needs no module to catch its errors
    Warning = Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, database: str | Path | None = None, **options: Unpack[Options]) -> None:
        #: held while a statement runs or rows are fetched
        self.lock = threading.RLock()
        self.session = open_session(database, options)
        self._database, self._options = database, options

    def another(self, database: str | Path | None) -> Connection:
        """A connection to another database by this one's limits. Raises Error as `connect`
        does."""
        return Connection(database, **options_for(database, self._options, is_same=False))

    def again(self) -> Connection:
        """A new connection to the same database; to one in memory without a name, a new one."""
        return Connection(
            self._database, **options_for(self._database, self._options, is_same=True)
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
        with self.lock:
            if value and self.session.in_transaction:
                self.session.commit()
            self.session.autocommit = value

    @property
    def in_transaction(self) -> bool:
        return self.session.in_transaction

    @property
    def read_only(self) -> bool:
        return self.session.read_only

    def begin(self) -> None:
        """Begins a transaction that `commit()` or `rollback()` ends; TRANSACTION if one is open."""
        with self.lock:
            if self.session.in_transaction:
                raise TransactionFault(
                    "a transaction is open already", hint="use SAVE TRAN inside a transaction"
                )
            self.session.begin()

    def commit(self) -> None:
        """Makes the transaction durable; without one, nothing happens."""
        with self.lock:
            self.session.check_open()
            if self.session.in_transaction:
                self.session.commit()

    def rollback(self) -> None:
        """Undoes the transaction; without one, nothing happens."""
        with self.lock:
            self.session.check_open()
            if self.session.in_transaction:
                self.session.rollback()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Self]:
        """A transaction for a `with` block: committed at its end, undone if the block raises."""
        with self.lock:
            self.begin()
            try:
                yield self
            except BaseException:
                if self.session.in_transaction:
                    self.session.rollback()
                raise
            if self.session.in_transaction:
                self.session.commit()

    # --- life ---

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or a fault or the server closed it."""
        return self.session.is_closed

    def is_alive(self, *, asks: bool = False) -> bool:
        """Whether statements would reach the database. `asks`: a server is asked, else what is
        known already counts."""
        with self.lock:
            return self.session.is_alive(asks=asks)

    def reset(self) -> bool:
        """Closes results that were not read to their end. True if nothing of what was done is left
        in the session then: no transaction, #temp table, setting, cursor, or branch of its own."""
        with self.lock:
            return self.session.reset()

    def close(self) -> None:
        """Undoes an open transaction and lets the database go; may be called again."""
        with self.lock:
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
