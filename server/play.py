"""What a session does for a running text, on an engine thread: results become events.

play.events(say)      an iterator of events; `say` passes on what is said while it computes
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from sys import getsizeof
from typing import TYPE_CHECKING, Any, SupportsIndex

import pyarrow as pa

from hartonomous.hql.errors import ResourceFault
from hartonomous.server.events import Columns, Complete, Event, Finished, Notice, Rows, State

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field
    from hartonomous.hql.result import Result
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.session import Session

Given = Mapping[str, Any] | Sequence[Any] | None
#: bytes of one Rows, about
ROWS_BYTES = 1 << 20
#: names of a column's metadata in the schema: its HQL type, the encoder of its vectors, whether
#: its texts compare without case
TYPE_KEY, SPACE_KEY, NOCASE_KEY = b"hql.type", b"hql.space", b"hql.nocase"


class Play:
    """A text in a session. `encodes`: Rows get their Arrow IPC form here, off the event loop."""

    def __init__(
        self,
        session: Session,
        text: str,
        parameters: Given | Callable[[], Given],
        frame: Frame | None,
        *,
        timeout: float | None,
        memory: int | None,
        encodes: bool,
        notice_bytes_max: int,
    ) -> None:
        self.session, self.text, self.parameters, self.frame = session, text, parameters, frame
        self.timeout, self.memory, self.encodes = timeout, memory, encodes
        self.notice_bytes_max = notice_bytes_max
        self.title: str | None = None
        #: whether the text turned out to be one query that is the work of a row or so
        self.is_bounded = False
        self._noticed = self._taken = 0  # bytes said, and taken by the client

    def events(self, say: Callable[[Event], object]) -> Iterator[Event]:
        """The text's events, Complete last. Raises Error."""
        session, heard = self.session, _Heard(self, say)
        began, commit_before, rows = time.perf_counter(), session.last_commit, 0
        results, count = iter(self._results(heard)), 0
        while True:
            session.timeout, session.memory = self.timeout, self.memory
            result = next(results, None)
            if result is None:
                break
            count += 1
            if self.title is None:
                self.title = session.title
            if not result.has_rows:
                yield Finished(result.row_count, False)
                continue
            assert result.fields is not None
            schema, last = schema_of(result.fields), session.is_last
            state = state_of(session) if last else None
            try:
                yield Columns(result.fields, schema, last, result.row_count, state)
                for batch in result.batches():
                    for piece in pieces(batch):
                        rows += piece.num_rows
                        yield self._rows(schema, piece)
            finally:
                result.close()
            yield Finished(result.row_count, True)
        commit = session.last_commit if session.last_commit != commit_before else None
        self.is_bounded = count == 1 and session.is_last and session.is_bounded
        yield Complete(rows, (time.perf_counter() - began) * 1000, commit, state_of(session))

    def _results(self, heard: list[str]) -> Iterable[Result]:
        given = self.parameters() if callable(self.parameters) else self.parameters
        return self.session.results(self.text, given, heard, self.frame)

    def _rows(self, schema: pa.Schema, batch: pa.RecordBatch) -> Rows:
        if self.encodes:
            return Rows(schema, encoded=batch.serialize(), count=batch.num_rows)
        return Rows(schema, batch=batch)

    # --- messages ---

    def note_said(self, notice: Notice) -> None:
        """Counts a message; MEMORY if the client has left too many where they are."""
        self._noticed += getsizeof(notice.text)
        if self._noticed - self._taken > self.notice_bytes_max:
            raise ResourceFault(
                "the statement says more than its client takes",
                code="MEMORY",
                hint="PRINT less, or read the messages as they come",
            )

    def note_taken(self, notice: Notice) -> None:
        """The client has a message."""
        self._taken += getsizeof(notice.text)


class PlayMany(Play):
    """A text run once for each set of parameters (executemany), as one transaction."""

    def __init__(self, rows: Iterable[Mapping[str, Any] | Sequence[Any]], **options: Any) -> None:
        super().__init__(parameters=None, frame=None, **options)
        self.sets = rows

    def events(self, say: Callable[[Event], object]) -> Iterator[Event]:
        session, heard = self.session, _Heard(self, say)
        began, commit_before = time.perf_counter(), session.last_commit
        session.timeout, session.memory = self.timeout, self.memory
        count = session.execute_many(self.text, self.sets, heard)
        self.title = session.title
        yield Finished(count, False)
        commit = session.last_commit if session.last_commit != commit_before else None
        yield Complete(0, (time.perf_counter() - began) * 1000, commit, state_of(session))


class _Heard(list[str]):
    """Where statements put their messages: each is passed on as it is said."""

    def __init__(self, play: Play, say: Callable[[Event], object]) -> None:
        super().__init__()
        self._play, self._say = play, say

    def append(self, text: str) -> None:
        notice = Notice(text)
        self._play.note_said(notice)
        self._say(notice)

    def extend(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.append(text)

    def insert(self, index: SupportsIndex, text: str) -> None:
        raise AssertionError("messages come one after the other")


def state_of(session: Session) -> State:
    """What a session is like now."""
    return State(session.in_transaction, session.branch, session.autocommit, session.last_identity)


@lru_cache(maxsize=1_024)
def schema_of(fields: tuple[Field, ...]) -> pa.Schema:
    """The Arrow schema of a result, each column's HQL type in its metadata."""
    columns = []
    for field in fields:
        about = {TYPE_KEY: str(field.type).encode()}
        if field.type.space is not None:
            about[SPACE_KEY] = field.type.space.encode()
        if field.nocase:
            about[NOCASE_KEY] = b"1"
        columns.append(pa.field(field.name, field.type.arrow, metadata=about))
    return pa.schema(columns)


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in pieces of about ROWS_BYTES, at least a row each."""
    if batch.num_rows <= 1 or batch.nbytes <= ROWS_BYTES * 3 // 2:
        yield batch
        return
    count = -(-batch.nbytes // ROWS_BYTES)
    rows = max(1, batch.num_rows // count)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
