"""INGEST, from the statement to its figures.

    reading.py, in a thread                          embedding.py, in another     here
    source → hash → changed? → chunks → identity ──▶ batch: new? → vectors ─────▶ one transaction

Outside a transaction every batch is a commit of its own: an INGEST that is interrupted leaves whole
batches, and the same statement run again continues, as sources that are done are skipped by their
hash. Inside BEGIN TRAN everything belongs to that transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hartonomous.hql.copying.progress import Progress
from hartonomous.hql.ingest.asking import check, chooser, requests_of, space_of
from hartonomous.hql.ingest.earlier import known_sources
from hartonomous.hql.ingest.embedding import UNSTORED_MAX, Batch, batch_of, embedded
from hartonomous.hql.ingest.reading import Ahead, Piece, read_all
from hartonomous.hql.ingest.storing import Figures, Stored, store
from hartonomous.hql.plan import Field, schema_of
from hartonomous.hql.result import Result
from hartonomous.hql.run import shorten
from hartonomous.hql.types import BIGINT, FLOAT
from hartonomous.storage.errors import Conflict

if TYPE_CHECKING:
    from hartonomous.hql.context import Context
    from hartonomous.hql.spaces.space import Space
    from hartonomous.hql.statements.ingest import Ingest

#: a batch is stored when it has so many chunks, or so many bytes of sources were read
BATCH_CHUNKS: Final = 4_096
BATCH_BYTES: Final = 64 << 20
#: batches that wait between two threads
AHEAD: Final = 1
assert AHEAD + 2 <= UNSTORED_MAX, "one waits, one waits to wait, one is stored"
#: how often a batch is stored when others change the same rows
ATTEMPTS_MAX: Final = 25

FIGURES: Final = (
    *(
        Field(name, BIGINT)
        for name in ("Files", "Chunks", "NewAtoms", "Skipped", "Errors", "Bytes")
    ),
    Field("Seconds", FLOAT),
)


def run_ingest(statement: Ingest, context: Context) -> Result:
    """Reads, embeds and stores; one row of figures."""
    started = time.perf_counter()
    check(statement, context)
    if not context.session.autocommit and not context.session.in_transaction:
        context.session.begin()
        context = replace(context, transaction=context.session.transaction)
    context.limits.start()
    requests, total, rows = requests_of(statement, context)
    figures = Figures()
    progress = Progress("INGEST")
    space = space_of(statement, context)
    pieces = read_all(requests, known_sources(context), chooser(statement))
    try:
        with (
            _Writer(context, space) as writer,
            Ahead(lambda check: _batches(pieces, check), AHEAD, "hql ingest reader") as reader,
            Ahead(
                lambda check: embedded(reader.take(check), context, space),
                AHEAD,
                "hql ingest encoder",
            ) as encoder,
        ):
            for batch in encoder.take(context.limits.check):
                figures.add(writer.store(batch))
                progress.update(figures.chunks, figures.files / total if total else None)
    finally:
        progress.close()
        if rows is not None:
            rows.close()
    return _result(figures, round(time.perf_counter() - started, 3))


def _result(figures: Figures, seconds: float) -> Result:
    values = [getattr(figures, name) for name in figures.__slots__]
    columns = [
        pa.array([v], f.type.arrow) for v, f in zip([*values, seconds], FIGURES, strict=True)
    ]
    return Result.of_table(FIGURES, pa.Table.from_arrays(columns, schema=schema_of(FIGURES)))


# --- batches -------------------------------------------------------------------------------------


def _batches(pieces: Iterator[Piece], check: Callable[[], None]) -> Iterator[Batch]:
    """Pieces that are stored together; `check` may raise between two of them."""
    held: list[Piece] = []
    chunks = size = 0
    for piece in pieces:
        check()
        held.append(piece)
        chunks += piece.count
        size += piece.size
        if chunks >= BATCH_CHUNKS or size >= BATCH_BYTES:
            yield batch_of(held)
            held, chunks, size = [], 0, 0
    if held:
        yield batch_of(held)


class _Writer:
    """Stores batches: in the session's transaction, or each in one of its own."""

    def __init__(self, context: Context, space: Space | None) -> None:
        self._context = context
        self._space = space
        self._carried: dict[str, list[pa.Table]] = {}
        self._undoing = (
            context.session.undoing(context.transaction)
            if context.session.in_transaction
            else nullcontext()
        )

    def __enter__(self) -> _Writer:
        self._undoing.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._undoing.__exit__(kind, error, trace)
        if error is None and self._context.session.in_transaction:
            self._context.session.note_change(self._context.text)

    def store(self, batch: Batch) -> Figures:
        """Stores a batch, again if others changed the same rows."""
        if self._context.session.in_transaction:
            stored = store(self._context, batch, self._carried, self._space)
        else:
            stored = self._commit(batch)
        self._carried = stored.carried
        return stored.figures

    def _commit(self, batch: Batch) -> Stored:
        session = self._context.session
        for attempt in range(1, ATTEMPTS_MAX + 1):
            transaction = session.open_transaction()
            try:
                context = replace(self._context, transaction=transaction)
                stored = store(context, batch, self._carried, self._space)
                transaction.commit(statement=shorten(context.text), author=session.author)
                return stored
            except Conflict:
                transaction.rollback()
                if attempt == ATTEMPTS_MAX:
                    raise
                self._context.limits.check()
            except BaseException:
                transaction.rollback()
                raise
        raise AssertionError("the last attempt returns or raises")
