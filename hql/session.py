"""The life of a statement, top to bottom.

    execute(text, parameters)
      1. prepare       text → statements, cached by text
      2. for each statement, in the text's order:
         a. transaction     outside one: its own, committed with the statement's text and author;
                            inside one: a savepoint, so that a failed statement is undone whole
         b. run             the statement binds and plans its queries (plans are cached with it),
                            changes rows, gives a Result
         c. commit          a Conflict of a statement that stands alone is tried again
      3. results       the last one streams, earlier ones are spooled
    The first error ends the text. Every error leaves with a code and a place in the text.
"""

from __future__ import annotations

import getpass
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hartonomous.hql.context import Context, Memory
from hartonomous.hql.errors import (
    ExecutionFault,
    InternalFault,
    TransactionFault,
)
from hartonomous.hql.limits import Limits
from hartonomous.hql.parameters import ParameterSet
from hartonomous.hql.result import Result
from hartonomous.hql.workspace import Mark, Merger, Workspace
from hartonomous.storage.errors import Conflict, Error

if TYPE_CHECKING:
    from hartonomous.hql.statements.base import Statement
    from hartonomous.storage.database import Database

#: texts whose statements and plans are kept
TEXTS_MAX = 512
#: a text longer than this is not kept
TEXT_CHARACTERS_MAX = 100_000
#: how often a statement that stands alone is run when others change the same rows
ATTEMPTS_MAX = 10
#: how much of a statement a commit keeps
STATEMENT_CHARACTERS_MAX = 4_000


class Prepared:
    """One statement of a text, with what was worked out for it so far."""

    __slots__ = ("memory", "statement", "text")

    def __init__(self, statement: Statement, text: str) -> None:
        self.statement = statement
        self.text = text
        self.memory = Memory()


class Session:
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
        self.database = database
        self.autocommit = autocommit
        self.timeout = timeout
        self.memory = memory
        self.author = author if author is not None else _system_user()
        self.last_identity: int | None = None
        self.is_closed = False
        self._texts: OrderedDict[str, tuple[Prepared, ...]] = OrderedDict()
        self._merger = Merger()
        self._temporary: Database | None = None
        self._workspace: Workspace | None = None  # of the open transaction
        self._savepoints: dict[str, Mark] = {}
        self._texts_changed: list[str] = []
        self._running: Limits | None = None

    # --- 1. prepare ------------------------------------------------------------------------------

    def prepare(self, text: str) -> tuple[Prepared, ...]:
        """The statements of a text. Raises SyntaxFault."""
        known = self._texts.get(text)
        if known is not None:
            self._texts.move_to_end(text)
            return known
        from hartonomous.hql.parse import parse_batch

        prepared = tuple(
            Prepared(s, text[s.span.start : s.span.end].strip()) for s in parse_batch(text)
        )
        if len(text) <= TEXT_CHARACTERS_MAX:
            self._texts[text] = prepared
            if len(self._texts) > TEXTS_MAX:
                self._texts.popitem(last=False)
        return prepared

    # --- 2. run ----------------------------------------------------------------------------------

    def execute(
        self,
        text: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        messages: list[str] | None = None,
    ) -> list[Result]:
        """Runs every statement; results in order, only the last one may still be computing.
        `messages` gets what statements say, also if a later one fails."""
        self.check_open()
        heard: list[str] = messages if messages is not None else []
        self.last_identity = None
        results: list[Result] = []
        with _Guard(self):
            statements = self.prepare(text)
            given = ParameterSet(parameters)
            for prepared in statements:
                if results:
                    results[-1].spool()
                results.append(self.run(prepared, given, heard))
        return results

    def execute_many(
        self,
        text: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]],
        messages: list[str] | None = None,
    ) -> int:
        """Runs a text for each set of parameters, all or nothing; the number of rows changed, or
        -1. An INSERT of parameters becomes one INSERT of many rows."""
        self.check_open()
        from hartonomous.hql.many import execute_many

        with _Guard(self):
            return execute_many(self, text, rows, messages if messages is not None else [])

    def run(self, prepared: Prepared, parameters: ParameterSet, messages: list[str]) -> Result:
        """Runs one statement under its limits."""
        limits = Limits(timeout=self.timeout, memory_bytes=self.memory)
        self._running = limits
        effect = prepared.statement.effect
        try:
            if effect == "controls":
                result = self._run_control(prepared, parameters, messages, limits)
            else:
                if self._workspace is None and not self.autocommit:
                    self.begin()
                if self._workspace is None:
                    result = self._run_alone(prepared, parameters, messages, limits)
                else:
                    result = self._run_inside(prepared, parameters, messages, limits)
        except Error as error:
            limits.stop()
            _locate(error, prepared)
            raise
        except BaseException:
            limits.stop()
            raise
        return result

    def _context(
        self,
        workspace: Workspace,
        prepared: Prepared,
        parameters: ParameterSet,
        messages: list[str],
        limits: Limits,
    ) -> Context:
        return Context(
            self, workspace, parameters, limits, prepared.memory, prepared.text, messages
        )

    def _run_alone(
        self,
        prepared: Prepared,
        parameters: ParameterSet,
        messages: list[str],
        limits: Limits,
    ) -> Result:
        """A statement that is its own transaction."""
        reading = prepared.statement.effect == "reads"
        for attempt in range(1, ATTEMPTS_MAX + 1):
            workspace = self.open_workspace(reading=reading)
            try:
                context = self._context(workspace, prepared, parameters, messages, limits)
                result = prepared.statement.run(context)
                if reading:
                    return self._streaming(result, prepared, limits)
                result.spool()
                workspace.commit(statement=shorten(prepared.text), author=self.author)
            except Conflict:
                if attempt == ATTEMPTS_MAX or parameters.consumed:
                    raise
                limits.check()
            except BaseException:
                workspace.rollback()
                raise
            else:
                limits.stop()
                return result
        raise AssertionError("the last attempt returns or raises")

    def _run_inside(
        self,
        prepared: Prepared,
        parameters: ParameterSet,
        messages: list[str],
        limits: Limits,
    ) -> Result:
        """A statement inside the open transaction; if it fails it is undone whole."""
        workspace = self._workspace
        assert workspace is not None
        mark = workspace.savepoint()
        try:
            context = self._context(workspace, prepared, parameters, messages, limits)
            result = prepared.statement.run(context)
            if prepared.statement.effect == "reads":
                return self._streaming(result, prepared, limits)
            result.spool()
        except Conflict:
            self.rollback()
            raise
        except BaseException:
            workspace.rollback_to(mark)
            raise
        self._texts_changed.append(prepared.text)
        limits.stop()
        return result

    def _run_control(
        self,
        prepared: Prepared,
        parameters: ParameterSet,
        messages: list[str],
        limits: Limits,
    ) -> Result:
        """BEGIN TRAN, COMMIT and others that stand outside transactions or end them."""
        workspace = self._workspace or self.open_workspace(reading=True)
        context = self._context(workspace, prepared, parameters, messages, limits)
        result = prepared.statement.run(context)
        result.spool()
        limits.stop()
        return result

    def _streaming(self, result: Result, prepared: Prepared, limits: Limits) -> Result:
        """A result whose rows are still to come: later errors get the same treatment."""

        def guarded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            try:
                with _Guard(self):
                    try:
                        yield from batches
                    except Error as error:
                        _locate(error, prepared)
                        raise
            finally:
                limits.stop()

        result.wrap(guarded)
        result.prime()
        return result

    # --- transactions ----------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        return self._workspace is not None

    @property
    def read_only(self) -> bool:
        return self.database.read_only

    def open_workspace(self, *, reading: bool) -> Workspace:
        """What a new transaction (or a single reading statement) sees."""
        return Workspace(self.database, self._temporary, self._merger, reading=reading)

    def open_temporary(self, workspace: Workspace) -> None:
        """Makes the session's database of #temp tables, when the first one is created."""
        if self._temporary is None:
            from hartonomous.storage.database import Database

            self._temporary = Database.open(None)
            workspace.open_temporary(self._temporary)

    def begin(self) -> None:
        """Begins a transaction; TRANSACTION if one is open."""
        self.check_open()
        if self._workspace is not None:
            raise TransactionFault(
                "a transaction is open already",
                hint="use SAVE TRAN for a part that can be undone by itself",
            )
        self._workspace = self.open_workspace(reading=False)
        self._savepoints = {}
        self._texts_changed = []

    def commit(self) -> None:
        """Makes the open transaction durable. After a Conflict it is undone."""
        workspace, self._workspace = self._open_transaction("COMMIT"), None
        statement = shorten(";\n".join(self._texts_changed))
        try:
            workspace.commit(statement=statement, author=self.author)
        except Conflict:
            raise
        except BaseException:
            workspace.rollback()
            raise

    def rollback(self) -> None:
        """Undoes the open transaction."""
        workspace, self._workspace = self._open_transaction("ROLLBACK"), None
        workspace.rollback()

    def save(self, name: str) -> None:
        """Sets a savepoint; one of the same name is moved."""
        workspace = self._open_transaction("SAVE TRAN")
        self._savepoints.pop(name, None)
        self._savepoints[name] = workspace.savepoint()

    def rollback_to(self, name: str) -> None:
        """Undoes what came after a savepoint, which stays; later savepoints go."""
        workspace = self._open_transaction("ROLLBACK TRAN")
        if name not in self._savepoints:
            raise TransactionFault(f'there is no savepoint "{name}"')
        workspace.rollback_to(self._savepoints[name])
        names = list(self._savepoints)
        for later in names[names.index(name) + 1 :]:
            del self._savepoints[later]

    def _open_transaction(self, what: str) -> Workspace:
        if self._workspace is None:
            raise TransactionFault(
                f"{what}: no transaction is open", hint="BEGIN TRAN opens one"
            )
        return self._workspace

    # --- life ------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stops what runs now, from any thread."""
        running = self._running
        if running is not None:
            running.cancel()

    def check_open(self) -> None:
        if self.is_closed:
            raise TransactionFault("the connection is closed", hint="connect again")

    def close(self) -> None:
        """Undoes an open transaction, drops temp tables, lets the database go. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        try:
            if self._workspace is not None:
                self.rollback()
        finally:
            self._texts.clear()
            if self._temporary is not None:
                self._temporary.close()
            self.database.close()


class _Guard:
    """Nothing but Error and KeyboardInterrupt leaves a session: what Python raises by itself is our
    bug, is said to be one, and ends the session, whose state may be wrong."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        if error is None or isinstance(error, (Error, GeneratorExit)):
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
            raise ExecutionFault(
                "there is not enough memory", code="MEMORY", hint="read fewer rows or columns"
            ) from error
        self.session.close()
        raise InternalFault(
            f"{type(error).__name__}: {error}",
            hint="this is a bug of ours; the connection is closed, what is committed is safe",
        ) from error


def _locate(error: Error, prepared: Prepared) -> None:
    """An error without a place gets its statement's; a Conflict says that it can be retried."""
    if error.line is None:
        span = prepared.statement.span
        error.line, error.column = span.line, span.column
    if isinstance(error, Conflict) and error.hint is None:
        error.hint = "the transaction is rolled back; run it again"


def shorten(text: str) -> str:
    """A statement's text as a commit keeps it."""
    if len(text) <= STATEMENT_CHARACTERS_MAX:
        return text
    return text[: STATEMENT_CHARACTERS_MAX - 2] + " …"


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name in the system's list
        import os

        return f"uid {os.getuid()}"


