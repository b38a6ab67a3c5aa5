"""A session's open transaction: BEGIN TRAN that nest, savepoints, COMMIT, ROLLBACK."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hartonomous.hql.errors import TransactionFault
from hartonomous.hql.run import STATEMENT_CHARACTERS_MAX, shorten
from hartonomous.storage.catalog import fold
from hartonomous.storage.errors import Conflict
from hartonomous.storage.state import TempStore

if TYPE_CHECKING:
    from hartonomous.hql.scripts.cursors import Cursor
    from hartonomous.storage.database import Database
    from hartonomous.storage.state import CommitInfo
    from hartonomous.storage.transaction import Savepoint, Transaction


class Transactions:
    """What a session knows of its transactions. `branch` is the one that they are of, `streaming`
    are its cursors whose rows are to come."""

    def __init__(self, database: Database, author: str | None) -> None:
        self.database = database
        self.branch = "main"
        self.author = author if author is not None else _system_user()
        self.is_closed = False
        self.streaming: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._temporary = TempStore()
        self._transaction: Transaction | None = None  # the open one
        self._depth = 0  # how many BEGIN TRAN it has
        #: an error ended the last one: the ROLLBACK that a script has for it finds none
        self.was_undone = False
        #: sequence of the last commit that it made
        self.last_commit: int | None = None
        self._name: str | None = None
        self._savepoints: dict[str, Savepoint] = {}
        self._changed: list[str] = []

    def check_open(self) -> None:
        if self.is_closed:
            raise TransactionFault("the connection is closed", hint="connect again")

    @property
    def transaction(self) -> Transaction:
        """The open transaction."""
        assert self._transaction is not None
        return self._transaction

    @property
    def in_transaction(self) -> bool:
        return self._transaction is not None

    @property
    def has_temporary(self) -> bool:
        """Whether there are #temp tables."""
        return bool(self._temporary.entries)

    def open_transaction(self) -> Transaction:
        """A transaction, or what a single reading statement sees."""
        return self.database.begin(self._temporary, branch=self.branch)

    def use_branch(self, name: str) -> None:
        """Later transactions are of that branch. Raises NotFound, and TRANSACTION inside one."""
        if self._transaction is not None:
            raise TransactionFault("USE BRANCH: a transaction is open", hint="COMMIT it first")
        self.branch = self.database.branch(name).name

    @property
    def transaction_depth(self) -> int:
        """How many BEGIN TRAN wait for their COMMIT."""
        return self._depth

    def begin(self, name: str | None = None) -> None:
        """Begins a transaction. Inside one it counts only: an inner COMMIT counts down, and a
        ROLLBACK undoes all. The outermost one's name may stand in ROLLBACK TRAN."""
        self.check_open()
        self._depth += 1
        if self._transaction is not None:
            return
        self._transaction = self.open_transaction()
        self.was_undone = False
        self._savepoints = {}
        self._changed = []
        self._name = fold(name) if name is not None else None

    def end(self) -> None:
        """Ends the innermost BEGIN TRAN; with the outermost one the transaction is committed."""
        self._get_transaction("COMMIT")
        if self._depth > 1:
            self._depth -= 1
        else:
            self.commit()

    def commit(self) -> None:
        """Makes the open transaction durable. After a Conflict it is undone."""
        transaction, self._transaction = self._get_transaction("COMMIT"), None
        self._depth = 0
        statement = shorten(";\n".join(self._changed))
        try:
            self.note_commit(transaction.commit(statement=statement, author=self.author))
        except Conflict:
            self._let_go(transaction)
            self.was_undone = True
            raise
        except BaseException:
            self._let_go(transaction)
            transaction.rollback()
            raise

    def note_commit(self, info: CommitInfo | None) -> None:
        """A transaction was made durable; None if it changed nothing of the database's own."""
        if info is not None:
            self.last_commit = info.sequence

    def rollback(self) -> None:
        """Undoes the open transaction."""
        transaction, self._transaction = self._get_transaction("ROLLBACK"), None
        self._depth = 0
        self._let_go(transaction)
        transaction.rollback()

    def _let_go(self, transaction: Transaction) -> None:
        """Closes the cursors that read what is undone."""
        for cursor in list(self.streaming):
            cursor.undone(transaction)

    def save(self, name: str) -> None:
        """Sets a savepoint; one of the same name is moved."""
        transaction = self._get_transaction("SAVE TRAN")
        self._savepoints.pop(fold(name), None)
        self._savepoints[fold(name)] = transaction.savepoint()

    def rollback_to(self, name: str) -> None:
        """Undoes what came after a savepoint, which stays; later savepoints go. The name of the
        transaction undoes it whole."""
        transaction = self._get_transaction("ROLLBACK TRAN")
        if fold(name) not in self._savepoints and fold(name) == self._name:
            self.rollback()
            return
        if fold(name) not in self._savepoints:
            raise TransactionFault(f'there is no savepoint "{name}"')
        transaction.rollback_to(self._savepoints[fold(name)])
        names = list(self._savepoints)
        for later in names[names.index(fold(name)) + 1 :]:
            del self._savepoints[later]

    @contextlib.contextmanager
    def undoing(self, transaction: Transaction) -> Iterator[None]:
        """What fails inside the block is undone whole; a Conflict ends the transaction."""
        mark = transaction.savepoint()
        try:
            yield
        except Conflict:
            if self._transaction is not None:
                self.rollback()
                self.was_undone = True
            raise
        except BaseException:
            if self._transaction is not None:
                transaction.rollback_to(mark)
            raise

    def note_change(self, text: str) -> None:
        """A statement's text for the commit of the open transaction."""
        if sum(map(len, self._changed)) < STATEMENT_CHARACTERS_MAX:
            self._changed.append(text)

    def _get_transaction(self, what: str) -> Transaction:
        if self._transaction is None:
            raise TransactionFault(f"{what}: no transaction is open", hint="BEGIN TRAN opens one")
        return self._transaction


def _system_user() -> str:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user whom the system's list does not name
        return f"uid {os.getuid()}"
