"""What one text of a client gives, as its frames come in: results, messages, its end.

    frames ──▶ Stream ──▶ Incoming (one result's rows) ──▶ hql.Result
                  ◀── credits, as rows are taken

A server sends as many frames of rows as it has credits for. Rows of a result after which the text
goes on are taken as they come, as the text has to go on; those of its last result as they are read.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.result import Result
from hartonomous.server.wire import Frame, error_of
from hartonomous.storage.errors import Cancelled

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field
    from hartonomous.server.client_connection import ServerConnection
    from hartonomous.storage.errors import Error

#: frames of rows that a server may send before any is taken, about a mebibyte each
CREDIT = 8
#: credits that are given back at once
CREDITS_OWED_MAX = 4


class RemoteAdvance:
    """How far a statement is, as the server said last."""

    def __init__(self) -> None:
        self.done = 0
        self.share = 0.0
        self._begun = time.monotonic()

    def note(self, frame: Frame) -> None:
        """A progress frame: its text begins with a number of rows."""
        digits = str(frame["text"]).partition(" ")[0].replace(",", "")
        self.done = int(digits) if digits.isdecimal() else 0
        self.share = float(frame["share"] or 0.0)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun


class Incoming:
    """The rows of one result. `is_last`: the text has no statement after it."""

    def __init__(self, stream: Stream, fields: tuple[Field, ...], schema: pa.Schema) -> None:
        self.stream, self.fields, self.schema = stream, fields, schema
        self.is_last = False
        self.is_whole = False
        self.is_dropped = False
        self._batches: deque[bytes | memoryview] = deque()

    @property
    def is_eager(self) -> bool:
        """Whether rows are taken as they come."""
        return self.is_dropped or not (self.is_last or self.stream.is_stepwise)

    def add(self, frame: Frame) -> None:
        """A frame of rows."""
        if not self.is_dropped:
            self._batches.append(frame["arrow"])
        if self.is_eager:
            self.stream.grant()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, waited for as they are asked for. Raises Error."""
        while True:
            while self._batches:
                data = self._batches.popleft()
                if not self.is_whole and not self.is_eager:
                    self.stream.grant()
                yield pa.ipc.read_record_batch(pa.py_buffer(data), self.schema)
            if self.is_whole:
                return
            self.stream.session.wait(self.stream, self._has_more)

    def _has_more(self) -> bool:
        if self._batches or self.is_whole:
            return True
        self.stream.check()
        return False

    def drop(self) -> None:
        """Nobody reads the rest: the text ends here, or goes on without it."""
        self.is_dropped = True
        self._batches.clear()
        if self.is_whole:
            return
        if self.is_last:
            self.stream.close()
        else:
            self.stream.grant(CREDIT)


class Stream:
    """One text at the server. `is_stepwise`: a statement begins when `step` says so."""

    def __init__(
        self, session: ServerConnection, number: int, messages: list[str] | None, is_stepwise: bool
    ) -> None:
        self.session, self.number, self.is_stepwise = session, number, is_stepwise
        self.messages = [] if messages is None else messages
        self.advance: RemoteAdvance | None = None
        #: nothing more comes: it ended, failed, or was closed
        self.is_over = False
        self.has_answered = False
        self.error: Error | None = None
        #: what ended it, beside results: the frame complete, done or answer
        self.last_frame: Frame | None = None
        self._results: list[Result] = []
        self._incoming: Incoming | None = None
        self._owed = 0

    # --- frames ---

    def take_frame(self, frame: Frame) -> None:
        """One frame of this text."""
        self.has_answered = True
        match frame["type"]:
            case "rows":
                assert self._incoming is not None, "rows come after columns"
                self._incoming.add(frame)
            case "columns":
                self._begin_result(frame)
            case "finished":
                self._end_result(frame)
            case "notice":
                self.messages.append(str(frame["text"]))
            case "progress":
                if self.advance is None:
                    self.advance = RemoteAdvance()
                self.advance.note(frame)
            case "error":
                self.error, self.is_over = error_of(frame), True
            case _:  # complete, done, answer
                self.last_frame, self.is_over = frame, True

    def _begin_result(self, frame: Frame) -> None:
        fields, schema = self.session.schema_of(frame)
        incoming = self._incoming = Incoming(self, fields, schema)
        incoming.is_last = bool(frame["last"])
        self._results.append(
            Result(
                fields, incoming.batches(), row_count=int(frame["row_count"]), close=incoming.drop
            )
        )

    def _end_result(self, frame: Frame) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            self._results.append(Result(row_count=int(frame["row_count"])))
            return
        incoming.is_whole = True
        if incoming.is_last:
            if self.is_stepwise:
                self.step()
        elif not self.is_stepwise:
            self._results[-1].row_count = int(frame["row_count"])

    # --- what is there ---

    @property
    def is_at_last(self) -> bool:
        """Whether the last result's rows come now."""
        return self._incoming is not None and self._incoming.is_last

    @property
    def has_result(self) -> bool:
        return bool(self._results)

    def take_results(self) -> list[Result]:
        """The results so far."""
        results, self._results = self._results, []
        return results

    def take_result(self) -> Result:
        """The next result."""
        return self._results.pop(0)

    def check(self) -> None:
        """Raises the error that ended the text, and Cancelled if its results were closed."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                error = None  # its frames, of which this is one, go when nobody has it any more
        if self.is_over:
            raise Cancelled("the result was closed before all its rows were read")

    # --- steering ---

    def grant(self, count: int = 1) -> None:
        """Rows were taken: the server may send as many more."""
        self._owed += count
        if self._owed >= CREDITS_OWED_MAX and not self.is_over:
            owed, self._owed = self._owed, 0
            self.session.steer({"type": "credit", "id": self.number, "n": owed})

    def step(self) -> None:
        """The next statement may begin."""
        if not self.is_over:
            self.session.steer({"type": "next", "id": self.number})

    def close(self) -> None:
        """Ends the text where it is. Idempotent."""
        if not self.is_over:
            self.is_over = True
            self.session.forget(self.number)

    def __del__(self) -> None:
        # Nobody reads it any more. A collector may run anywhere, so this only leaves a note.
        if not self.is_over:
            self.session.abandoned.append(self.number)
