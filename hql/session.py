"""The life of a statement, top to bottom.

execute(text, parameters)
  1. prepare       text → statements, cached by text (texts.py)
  2. for each statement, in the text's order:
     a. transaction     outside one: its own, committed with the statement's text and author;
                        inside one: a savepoint, so that a failed statement is undone whole
     b. run             the statement binds and plans its queries (plans are cached with it),
                        changes rows, gives a Result
     c. commit          a Conflict of a statement that stands alone is tried again
  3. results       the last one streams (streaming.py), earlier ones are spooled
The first error ends the text. Every error leaves with a code and a place in the text.
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.activity import activity_of
from hartonomous.hql.errors import TransactionFault
from hartonomous.hql.limits import Limits
from hartonomous.hql.parameters import ParameterSet, check_count
from hartonomous.hql.result import Result
from hartonomous.hql.run import (
    Guard,
    Prepared,
    Run,
    complete,
    shorten,
    step_aside,
)
from hartonomous.hql.scripts.frame import Frame
from hartonomous.hql.scripts.settings import Settings
from hartonomous.hql.scripts.signals import Return
from hartonomous.hql.scripts.status import Status
from hartonomous.hql.session_about import About
from hartonomous.hql.streaming import stream
from hartonomous.hql.texts import Texts
from hartonomous.storage.errors import Conflict, Error

if TYPE_CHECKING:
    from hartonomous.hql.activity import Activity
    from hartonomous.hql.advance import Advance
    from hartonomous.hql.context import Context
    from hartonomous.hql.scripts.cursors import Cursor
    from hartonomous.hql.security.accounts import Account
    from hartonomous.hql.security.files import FileAccess
    from hartonomous.storage.database import Database
    from hartonomous.storage.transaction import Transaction

#: how often a statement that stands alone is run when others change the same rows
ATTEMPTS_MAX = 25
#: what @@SPID tells the sessions of a process apart by
_NUMBERS = itertools.count(1)


class Session(About):
    """One client's view of a database: its transaction, its temp tables, its limits.

    Not for two threads at once, but for `cancel`.
    """

    def __init__(
        self,
        database: Database,
        *,
        autocommit: bool = True,
        timeout: float | None = None,
        memory: int | None = None,
        author: str | None = None,
    ) -> None:
        super().__init__(database, author)
        self.number: int = next(_NUMBERS)
        #: how its client came in and from where, for those who watch
        self.door: str = "embedded"
        self.peer: str | None = None
        #: whose it was before each EXECUTE AS USER
        self.callers: list[Account | None] = []
        #: the files that its statements may read and write; None: all that the process may
        self.files: FileAccess | None = None
        #: called when KILL ends the session, in the thread of whoever says so
        self.on_kill: Callable[[], object] | None = None
        self.was_killed = False
        self.autocommit = autocommit
        #: branch and autocommit as it was opened, for `reset`
        self.home = (self.branch, autocommit)
        self.timeout = timeout
        self.memory = memory
        self.last_identity: int | None = None
        #: of the text that runs: what its statement at work is called, and whether the result given
        #: last is certainly the last one
        self.title: str | None = None
        self.is_last = False
        #: whether the query that began last is the work of a row or so, whatever its parameters
        self.is_bounded = False
        self.status: Status = Status()
        self.settings = Settings()
        self.cursors: dict[str, Cursor] = {}  # GLOBAL ones, by folded name
        self._texts = Texts()
        self._running: Limits | None = None
        self._streams: weakref.WeakSet[Result] = weakref.WeakSet()
        self.opened_at_us: int = database.clock.now_us()
        self.activity: Activity = activity_of(database)
        self.activity.enter(self)

    # --- 1. prepare ------------------------------------------------------------------------------

    def prepare(self, text: str, *, is_routine: bool = False) -> tuple[Prepared, ...]:
        """The statements of a text; those of a routine's are kept however long it is. Raises
        SyntaxFault."""
        return self._texts.prepare(text, is_routine=is_routine)

    def prepared(self, text: str) -> Iterator[Prepared]:
        """The statements of a text, which is read when the first one is asked for."""
        yield from self.prepare(text)

    # --- 2. run ----------------------------------------------------------------------------------

    def execute(
        self,
        text: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        messages: list[str] | None = None,
    ) -> list[Result]:
        """Runs every statement; results in order, only the last one may still be computing.
        `messages` gets what statements say, also if a later one fails."""
        return list(self.results(text, parameters, messages))

    def results(
        self,
        text: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        messages: list[str] | None = None,
        frame: Frame | None = None,
    ) -> Iterator[Result]:
        """The results one by one. A statement runs when the next result is asked for; rows of the
        one before that nobody took by then are spooled first. `frame` keeps variables from one
        text to the next (`open_frame`); it holds the parameters then."""
        self.check_open()
        heard: list[str] = messages if messages is not None else []
        self.last_identity = self.title = None
        self._running = None  # an open stream of an earlier text is not what `cancel` means now
        with Guard(self):
            check_count(text, parameters)
            own = frame if frame is not None else self.open_frame(parameters)
            own.declared.clear()  # a DECLARE of an earlier text is not this one's, run again
            try:
                yield from self._play_text(text, own, heard)
            finally:
                if frame is None:
                    own.close()

    def _play_text(self, text: str, frame: Frame, messages: list[str]) -> Iterator[Result]:
        result: Result | None = None
        try:
            statements = self.prepare(text)
            for prepared in statements:
                if result is not None:
                    result.spool()
                self.title, self.is_last = prepared.statement.title, False
                if prepared.statement.usual_effect == "scripts":
                    for result in self._play(prepared, frame, messages):
                        yield result
                else:
                    self.is_bounded = False
                    result = self.run(prepared, frame, messages)
                    self.is_last = prepared is statements[-1]
                    self.is_bounded &= prepared.statement.effect == "reads"
                    yield result
        except Return:
            return
        except Error as error:
            self.status.note_error(error)
            raise

    def note_identity(self, value: int, frame: Frame) -> None:
        """A statement of `frame` gave out an IDENTITY value."""
        self.last_identity = self.status.identity = frame.identity = value

    def open_frame(self, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> Frame:
        """A frame for texts that share variables, as those of a shell do until GO. Close it."""
        return Frame(ParameterSet(parameters))

    def execute_many(
        self,
        text: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]],
        messages: list[str] | None = None,
    ) -> int:
        """Runs a text for each set of parameters, all or nothing; the number of rows changed, or
        -1. An INSERT of parameters becomes one INSERT of many rows."""
        self.check_open()
        from hartonomous.hql.changes.many import execute_many

        with Guard(self):
            return execute_many(self, text, rows, messages if messages is not None else [])

    def play(self, prepared: Prepared, frame: Frame, messages: list[str]) -> Iterator[Result]:
        """Runs one statement of any kind."""
        if prepared.statement.usual_effect == "scripts":
            return self._play(prepared, frame, messages)
        return iter((self.run(prepared, frame, messages),))

    def _play(self, prepared: Prepared, frame: Frame, messages: list[str]) -> Iterator[Result]:
        """Runs a statement that holds or steers others, under its limits."""
        from hartonomous.hql.scripts.script import play

        return play(self, prepared, frame, messages)

    def run(
        self,
        prepared: Prepared,
        frame: Frame,
        messages: list[str],
        outer: Limits | None = None,
    ) -> Result:
        """Runs one statement that holds no others, under its limits or those around it."""
        limits = self.new_limits(prepared) if outer is None else outer.nested()
        run = Run(prepared, frame, messages, limits)
        mark = run.mark()
        try:
            if prepared.statement.effect == "controls":
                result = self._run_control(run)
            else:
                if self._transaction is None and not self.autocommit:
                    self.begin()
                if self._transaction is None:
                    result = self._run_alone(run)
                else:
                    result = self._run_inside(run, self._transaction)
        except BaseException as error:
            run.undo(mark)
            if isinstance(error, Error):
                complete(error, run)
                limits.note_error(error)
                self.note_error()
            limits.stop()
            raise
        self.status.note(result)
        if self.settings.no_count and not result.has_rows:
            self.status.note_rows(self.status.rows)
            result.row_count = -1
        return result

    def new_limits(self, prepared: Prepared | None) -> Limits:
        """Limits of an outermost statement, which `cancel` stops from now on."""
        limits = self._running = Limits(timeout=self.timeout, memory_bytes=self.memory)
        if prepared is not None:
            self.activity.begin(self, prepared, limits)
        return limits

    def note_error(self) -> None:
        """A statement failed: with XACT_ABORT that ends the transaction."""
        if self.settings.xact_abort and self._transaction is not None:
            self.rollback()
            self.was_undone = True

    def read(
        self,
        prepared: Prepared,
        frame: Frame,
        messages: list[str],
        outer: Limits,
        work: Callable[[Context], Any],
    ) -> Any:
        """What `work` gives, which only reads: a condition, an argument of a statement."""
        limits = outer.nested()
        run = Run(prepared, frame, messages, limits)
        if self._transaction is None and not self.autocommit:
            self.begin()
        own = self.open_transaction() if self._transaction is None else None
        transaction = own or self.transaction
        try:
            with run.seeing(transaction):
                return work(run.context(self, transaction))
        except Error as error:
            complete(error, run)
            self.note_error()
            raise
        finally:
            limits.stop()
            if own is not None:
                own.rollback()

    def _run_alone(self, run: Run) -> Result:
        """A statement that is its own transaction."""
        reading = run.prepared.statement.effect == "reads"
        mark = run.mark()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            transaction = self.open_transaction()
            try:
                result = run.start(self, transaction)
                if reading:
                    return self._streaming(result, run, transaction)
                result.spool()
                info = transaction.commit(statement=shorten(run.prepared.text), author=self.author)
                self.note_commit(info)
            except Conflict:
                transaction.rollback()
                run.undo(mark)
                if attempt == ATTEMPTS_MAX or run.frame.parameters.consumed:
                    raise
                step_aside(attempt)
                run.limits.check()
            except BaseException:
                transaction.rollback()
                raise
            else:
                run.end(result)
                return result
        raise AssertionError("the last attempt returns or raises")

    def _run_inside(self, run: Run, transaction: Transaction) -> Result:
        """A statement inside the open transaction."""
        with self.undoing(transaction):
            result = run.start(self, transaction)
            if run.prepared.statement.effect == "reads":
                return self._streaming(result, run, None)
            result.spool()
        self.note_change(run.prepared.text)
        run.end(result)
        return result

    @contextlib.contextmanager
    def inside(self, transaction: Transaction) -> Iterator[None]:
        """Inside the block statements run in `transaction`, that of the statement which called a
        function; what the session says of itself stays as that statement sees it."""
        before = self._transaction, self._changed, self.status, self.last_identity
        settings = self.settings
        self._transaction, self._changed, self.status = transaction, [], self.status.copy()
        self.settings = Settings()  # an error ends the transaction when it reaches that statement
        try:
            yield
        finally:
            self._transaction, self._changed, self.status, self.last_identity = before
            self.settings = settings

    def _run_control(self, run: Run) -> Result:
        """BEGIN TRAN, COMMIT and others that stand outside transactions or end them."""
        result = run.start(self, self._transaction or self.open_transaction())
        result.spool()
        run.end(result)
        return result

    def _streaming(self, result: Result, run: Run, transaction: Transaction | None) -> Result:
        """A result whose rows are still to come. The snapshot of a statement that stands alone is
        held until it is closed."""
        stream(result, run, self)
        if transaction is not None:
            result.on_close(transaction.rollback)
        self._streams.add(result)
        result.prime()
        return result

    @contextlib.contextmanager
    def computing(self, limits: Limits) -> Iterator[None]:
        """Inside the block `cancel` stops the statement of these limits."""
        before, self._running = self._running, limits
        try:
            yield
        finally:
            self._running = before

    # --- life ------------------------------------------------------------------------------------

    @property
    def advance(self) -> Advance | None:
        """How far what runs now is, if that is known; from any thread."""
        running = self._running
        return None if running is None else running.advance

    def cancel(self) -> None:
        """Stops what runs now, from any thread."""
        running = self._running
        if running is not None:
            running.cancel()

    def reset(self) -> bool:
        """See session_interface.py."""
        for result in list(self._streams):
            result.close()
        self.status = Status()
        return not (
            self.is_closed
            or self.in_transaction
            or self.has_temporary
            or self.cursors
            or self.settings != Settings()
            or (self.branch, self.autocommit) != self.home
        )

    def kill(self) -> None:
        """Ends the session, from any thread: stops what it runs; the rest happens when it is used
        next, or when the server that it belongs to closes it."""
        self.was_killed = True
        for watched in self.activity.statements():
            if watched.session is self and watched.limits is not None:
                watched.limits.cancel()
        if self.on_kill is not None:
            self.on_kill()

    def check_open(self) -> None:
        """Raises TransactionFault if the session is closed, or was killed, which closes it."""
        if self.was_killed:
            self.close()
            raise TransactionFault("the session was ended by KILL", hint="connect again")
        super().check_open()

    def close(self) -> None:
        """Undoes an open transaction, drops temp tables, lets the database go. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            for result in list(self._streams):
                result.close()
            for cursor in list(self.streaming):
                cursor.close()
            if self._transaction is not None:
                self.rollback()
        finally:
            self._texts.clear()
            if self.database.path is not None:
                self.activity.log.flush(self.database)
            self.database.close()
