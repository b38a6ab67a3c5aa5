"""Statements of one frame at work, in the limits of the outermost statement.

    play(statements)      runs them, yields results with rows or row counts as they come
    test(condition)       the truth of a condition
    evaluate(expression)  a value in Python's form
    call(frame)           the Script of a callee, whose text is then given to its play_text

A statement inside is one of its own for transactions, and keeps its plans with the statement
around it, so a loop's next turn finds them. Rows that nobody took when the next statement runs are
spooled first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql import ast
from hartonomous.hql.run import note_routine
from hartonomous.hql.scripts.frame import CALLS_MAX, Frame
from hartonomous.hql.scripts.signals import Return
from hartonomous.hql.scripts.temporary import drop_temporary
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.result import Result
    from hartonomous.hql.run import Prepared
    from hartonomous.hql.session import Session
    from hartonomous.hql.statements.base import Statement
    from hartonomous.hql.types import Type

#: how soon WAITFOR hears that it is cancelled
WAIT_SLICE_SECONDS = 0.01


class Script:
    """`prepared` is the statement that holds the statements played. `limits` are those of the
    outermost statement. `streams` says whether the last result may be left to be computed as its
    rows are asked for; in TRY it may not, as its errors are to be caught there."""

    __slots__ = ("_last", "frame", "limits", "messages", "prepared", "session", "streams")

    def __init__(
        self,
        session: Session,
        frame: Frame,
        messages: list[str],
        limits: Limits,
        prepared: Prepared,
        *,
        streams: bool = True,
        last: list[Result] | None = None,
    ) -> None:
        self.session = session
        self.frame = frame
        self.messages = messages
        self.limits = limits
        self.prepared = prepared
        self.streams = streams
        self._last: list[Result] = last if last is not None else []  # the result given last

    # --- statements ------------------------------------------------------------------------------

    def play(self, statements: Iterable[Statement]) -> Iterator[Result]:
        """Runs one after the other. Raises Error, and the signals of BREAK, CONTINUE, RETURN."""
        for statement in statements:
            yield from self.play_prepared(self.prepared.inner(statement))

    def play_prepared(self, prepared: Prepared) -> Iterator[Result]:
        """Runs one statement that is prepared already (one of a callee's text)."""
        if prepared.statement.usual_effect == "scripts":
            inner = self._of(prepared)
            try:
                yield from prepared.statement.play(inner)
            except Error as error:
                note_routine(error, prepared.statement, self.frame)
                raise
            return
        self._settle()
        self.limits.check()
        result = self.session.run(prepared, self.frame, self.messages, self.limits)
        if not result.has_rows and result.row_count < 0:
            return
        if not self.streams:
            result.spool(self.limits.outermost)
        self._last[:] = [result]
        yield result

    def call(self, frame: Frame, *, what: str) -> Script:
        """The script of a callee, whose frame has this one as its caller. RECURSION if the calls
        go too deep; `what` names the callee in that message."""
        assert frame.caller is self.frame
        if frame.depth > CALLS_MAX:
            from hartonomous.hql.errors import ExecutionFault

            raise ExecutionFault(
                f"{what}: calls nest deeper than {CALLS_MAX} levels",
                code="RECURSION",
                hint="a recursive routine needs a condition that ends it, or use a loop",
            )
        return Script(
            self.session,
            frame,
            self.messages,
            self.limits,
            self.prepared,
            streams=self.streams,
            last=self._last,
        )

    @property
    def text_definer(self) -> str | None:
        """With whose rights a text of EXEC runs (Frame.definer): those of the session, but an owner
        lends a body that others made no more than it has."""
        account = self.session.account
        return self.frame.definer if account is None or account.is_owner else None

    def play_text(self, statements: Iterable[Prepared]) -> Iterator[Result]:
        """Runs a callee's text to its end or its RETURN, and closes its frame. Its errors learn
        where it was called."""
        settings = self.session.settings
        try:
            try:
                for prepared in statements:
                    yield from self.play_prepared(prepared)
                if self.frame.tables:
                    self._settle()
            except Return:
                pass
            self._keep_rows()
        except Error as error:
            caller = self.frame.caller
            assert caller is not None, "the client's own text is played by the session"
            routine = f"{caller.routine}, " if caller.routine is not None else ""
            if not error.is_placed:  # the text could not be read
                error.routine, error.is_placed = self.frame.routine, True
            error.calls += (f"{routine}line {self.prepared.statement.span.line}",)
            raise
        finally:
            self.session.settings = settings
            self.frame.close()
            drop_temporary(self.frame, self.session)

    def _keep_rows(self) -> None:
        """The rows of the table variable that a function fills, before its frame is closed."""
        if self.frame.result_table is not None:
            from hartonomous.hql.syntax.parse import parse_query

            query = parse_query(f"SELECT * FROM @{self.frame.result_table}")
            self.frame.return_value = self._reading(lambda c: c.table(query, key="returned"))

    def handle(self, error: Error, statements: Iterable[Statement]) -> Iterator[Result]:
        """Plays a CATCH for an error."""
        status = self.session.status
        status.caught.append(error)
        status.note_rows(0)
        status.note_error(error)
        try:
            yield from self.play(statements)
        finally:
            status.caught.pop()

    def wait(self, seconds: float) -> None:
        """Does nothing for a while; what stops the statement ends it."""
        self._settle()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.limits.check()
            time.sleep(min(left, WAIT_SLICE_SECONDS))
        self.limits.check()

    def finish(self) -> None:
        """The outermost statement is over; its limits hold for rows that are still to come."""
        if self._last:
            self._last.pop().on_close(self.limits.stop)
        else:
            self.limits.stop()

    def catching(self) -> Script:
        """This script with every result computed whole before it is given."""
        return self._of(self.prepared, streams=False)

    def _of(self, prepared: Prepared, *, streams: bool = True) -> Script:
        return Script(
            self.session,
            self.frame,
            self.messages,
            self.limits,
            prepared,
            streams=self.streams and streams,
            last=self._last,
        )

    def _settle(self) -> None:
        """Computes what is left of the result before: what runs next may change what it reads."""
        if self._last:
            self._last.pop().spool(self.limits.outermost)

    # --- values ----------------------------------------------------------------------------------

    def test(self, condition: ast.Expression) -> bool:
        """Whether a condition is true; unknown is not. @@ROWCOUNT is 0 then, as in T-SQL."""
        from hartonomous.hql.scripts.values import test

        self.limits.check()
        is_true = bool(self._reading(lambda context: test(context, condition)))
        self.session.status.note_rows(0)
        return is_true

    def evaluate(
        self,
        expression: ast.Expression,
        type_: Type,
        *,
        key: Any = "value",
        name: str = "the value",
    ) -> Any:
        """An expression's value as `type_`, in Python's form. What is too long for NVARCHAR(n) is
        an error, which calls it `name`. `key` tells the expressions of one statement apart."""
        from hartonomous.hql.scripts.values import evaluate

        return self._reading(lambda c: evaluate(c, expression, type_, key=key, name=name))

    def values(self, expressions: Sequence[ast.Expression]) -> list[tuple[Type, Any]]:
        """Types and values, in Python's form, of expressions as they are."""
        from hartonomous.hql.scripts.values import evaluate_all

        found: list[tuple[Type, Any]] = self._reading(lambda c: evaluate_all(c, expressions))
        return found

    def _reading(self, work: Callable[[Context], Any]) -> Any:
        self._settle()
        return self.session.read(self.prepared, self.frame, self.messages, self.limits, work)


def play(
    session: Session, prepared: Prepared, frame: Frame, messages: list[str]
) -> Iterator[Result]:
    """Runs an outermost statement that holds or steers others, under limits of its own."""
    limits = session.new_limits(prepared)
    limits.start()
    script = Script(session, frame, messages, limits, prepared)
    try:
        yield from prepared.statement.play(script)
    except Error as error:
        note_routine(error, prepared.statement, frame)
        limits.note_error(error)
        raise
    finally:
        script.finish()
