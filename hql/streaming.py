"""A result whose rows are computed as they are asked for, after its statement's run returned: its
errors leave as those of the run do, and what stops the statement stops them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from hartonomous.hql.run import Guard, complete
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.result import Result
    from hartonomous.hql.run import Run
    from hartonomous.hql.session import Session


def stream(result: Result, run: Run, session: Session) -> None:
    """Wraps the batches of a statement's result. An error counts for the transaction that the
    statement is in, unless that is over by then."""
    around = session.transaction if session.in_transaction else None

    def guarded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Guard(session):
            try:
                yield from _cancellable(batches, run.limits.outermost, session)
            except Error as error:
                complete(error, run)
                run.limits.note_error(error)
                session.status.note_error(error)
                if session.in_transaction and session.transaction is around:
                    session.note_error()
                raise

    result.wrap(guarded)
    result.on_close(run.limits.stop)


def _cancellable(
    batches: Iterator[pa.RecordBatch], limits: Limits, session: Session
) -> Iterator[pa.RecordBatch]:
    """While a batch is computed, `cancel` stops the statement that it is of, also if others were
    begun since. No more come for an account that is gone."""
    watched = limits.watched
    while True:
        with session.computing(limits):
            session.check_account()
            batch = next(batches, None)
        if batch is None:
            return
        if watched is not None:
            watched.pause(batch.num_rows)
        yield batch
        if watched is not None:
            watched.go_on()
