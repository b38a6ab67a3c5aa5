"""One run of a statement, and how what goes wrong in it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hartonomous.hql.context import Context, Memory
from hartonomous.hql.errors import (
    ExecutionFault,
    InternalFault,
    PermissionFault,
    ResourceFault,
)
from hartonomous.hql.frozen import frozen
from hartonomous.storage.errors import Cancelled, Conflict, Error

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.session import Session
    from hartonomous.hql.statements.base import Statement
    from hartonomous.storage.transaction import Transaction
    from hartonomous.storage.variables import Mark

#: how much of a statement a commit keeps
STATEMENT_CHARACTERS_MAX = 4_000
#: the longest wait before a statement that met a Conflict is run again
WAIT_SECONDS_MAX = 0.1


class Prepared:
    """One statement of a text, with what was worked out for it so far. `skipped`: how many fast
    and slow runs of it QueryLog was not told of."""

    __slots__ = ("_inner", "memory", "skipped", "statement", "text")

    def __init__(self, statement: Statement, text: str) -> None:
        self.statement = statement
        self.text = text
        self.memory = Memory()
        self.skipped = [0, 0]
        self._inner: dict[int, Prepared] = {}

    def inner(self, statement: Statement) -> Prepared:
        """One of the statements inside this one, with what was worked out for it."""
        found = self._inner.get(id(statement))
        if found is None:
            first = statement.span.start - self.statement.span.start
            last = statement.span.end - self.statement.span.start
            found = Prepared(statement, self.text[first:last].strip())
            self._inner[id(statement)] = found
        return found


@frozen
class Run:
    """One run of a statement."""

    prepared: Prepared
    frame: Frame
    messages: list[str]
    limits: Limits

    def context(self, session: Session, transaction: Transaction) -> Context:
        """What the statement may use when it runs in a transaction. PERMISSION if it may not run,
        AUTH if the session's account is gone."""
        context = Context(
            session,
            transaction,
            self.frame,
            self.limits,
            self.prepared.memory,
            self.prepared.text,
            self.messages,
            self.prepared,
        )
        if session.account is not None:
            from hartonomous.hql.security.checking import begin

            begin(context, self.prepared.statement)
        return context

    def start(self, session: Session, transaction: Transaction) -> Result:
        """Runs the statement in a transaction."""
        if session.account is None:
            return self._start(self.context(session, transaction))
        from hartonomous.hql.security.checking import watched

        with watched(session, self.prepared.statement):
            return self._start(self.context(session, transaction))

    def _start(self, context: Context) -> Result:
        transaction = context.transaction
        if self.frame.rows is transaction.variables:  # usually both None
            result = self.prepared.statement.run(context)
        else:
            with self.seeing(transaction):
                result = self.prepared.statement.run(context)
        if transaction.broken:
            from hartonomous.hql.changes.references import settle

            settle(context)
        if self.frame.rows is not None and self.limits.memory_bytes is not None:
            self.limits.account(self.frame.rows.bytes)
        return result

    @contextmanager
    def seeing(self, transaction: Transaction) -> Iterator[None]:
        """Inside the block the transaction has the frame's table variables."""
        before, transaction.variables = transaction.variables, self.frame.rows
        try:
            yield
        finally:
            transaction.variables = before

    def mark(self) -> Mark | None:
        """What the frame's table variables hold, for `undo`."""
        rows = self.frame.rows
        return None if rows is None else rows.mark()

    def undo(self, mark: Mark | None) -> None:
        """Table variables are again what they were when the statement began."""
        if mark is not None and self.frame.rows is not None:
            self.frame.rows.restore(mark)

    def end(self, result: Result) -> None:
        """The statement ended, and its rows are all there."""
        watched = self.limits.outermost.watched
        if watched is not None and result.row_count > 0:
            watched.rows += result.row_count
        self.limits.stop()


class Guard:
    """Nothing but Error and KeyboardInterrupt leaves a session: what Python raises by itself is our
    bug, is said to be one, and ends the session, whose state may be wrong."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        if error is None or isinstance(error, (Error, GeneratorExit)):
            if isinstance(error, PermissionFault):
                from hartonomous.hql.security.checking import note_denied

                note_denied(self.session, error)
            return
        if not isinstance(error, Exception):
            return  # KeyboardInterrupt, SystemExit
        if isinstance(error, RecursionError):
            raise ExecutionFault(
                "the statement nests too deep",
                code="RECURSION",
                hint="split it with WITH or a #temp table",
            ) from error
        if isinstance(error, MemoryError):
            raise ResourceFault(
                "there is not enough memory", code="MEMORY", hint="read fewer rows or columns"
            ) from error
        self.session.close()
        raise InternalFault(
            f"{type(error).__name__}: {error}",
            hint="this is a bug of ours; the connection is closed, what is committed is safe",
        ) from error


def complete(error: Error, run: Run) -> None:
    """An error without a place gets its statement's; a Cancelled says by what; a Conflict that it
    can be retried."""
    if isinstance(error, Cancelled) and run.limits.cancelled.is_set():
        why = run.limits.error()
        error.code, error.message, error.hint = why.code, why.message, why.hint
        error.args = (error.message,)
    note_routine(error, run.prepared.statement, run.frame)
    if isinstance(error, Conflict) and error.hint is None:
        error.hint = "the transaction is rolled back; run it again"


def note_routine(error: Error, statement: Statement, frame: Frame) -> None:
    """The innermost statement that an error passes gives it the place: its own, if the error does
    not know better, and the text that both are in."""
    if not error.is_placed:
        if error.line is None:
            span = statement.span_of(error)
            error.line, error.column = span.line, span.column
        error.routine, error.is_placed = frame.routine, True
        from hartonomous.hql.bind.inlined import resolve

        resolve(error, frame.routine)


def step_aside(attempt: int) -> None:
    """Waits a moment, by chance and longer each time, so that those who change the same rows do
    not meet again and again."""
    import random
    import time

    time.sleep(random.random() * min(WAIT_SECONDS_MAX, 0.001 * 2**attempt))


def shorten(text: str) -> str:
    """A statement's text as a commit keeps it: not endless, and without secrets."""
    from hartonomous.hql.security.redaction import redact

    if len(text) <= STATEMENT_CHARACTERS_MAX:
        return redact(text)
    return redact(text[: STATEMENT_CHARACTERS_MAX - 2]) + " …"
