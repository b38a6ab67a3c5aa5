"""executemany: a text once for each set of parameters, in one transaction.

An INSERT of parameters becomes INSERTs of many rows at once, an UPDATE or DELETE by a key becomes
one over a table of the parameters; any other text is run again and again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hartonomous.hql.changes.fast_insert import prepare_fast
from hartonomous.hql.changes.plain_values import Unusual
from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.parameters import check_count
from hartonomous.hql.run import Prepared, Run, complete
from hartonomous.hql.scripts.signals import Return
from hartonomous.storage.errors import DataError, Error, IntegrityError, ProgrammingError

if TYPE_CHECKING:
    from hartonomous.hql.changes.fast_insert import FastInsert
    from hartonomous.hql.context import Context
    from hartonomous.hql.limits import Limits
    from hartonomous.hql.session import Session

#: parameter sets that become one INSERT
SETS_MAX = 16_384

Given = Mapping[str, Any] | Sequence[Any]


def execute_many(session: Session, text: str, rows: Iterable[Given], messages: list[str]) -> int:
    """The number of rows changed, or -1 if no statement says. All or nothing: inside an open
    transaction what was done is undone by a savepoint, outside there is a transaction for it."""
    statements = session.prepare(text)
    chunks = chunks_of(text, rows, SETS_MAX)
    if session.in_transaction or not session.autocommit:
        if not session.in_transaction:
            session.begin()
        with session.undoing(session.transaction):
            return _run_all(session, statements, chunks, messages)
    session.begin()
    try:
        changed = _run_all(session, statements, chunks, messages)
    except BaseException:
        if session.in_transaction:
            session.rollback()
        raise
    if session.in_transaction:
        session.commit()
    return changed


def chunks_of(text: str, rows: Iterable[Given], count: int) -> Iterator[list[Given]]:
    """The caller's sets, `count` at a time. What making them raises is the caller's fault, not
    ours."""
    marks = text.count("?")
    try:
        source = iter(rows)
        while chunk := list(itertools.islice(source, count)):
            # asked of all at once first: sets are many
            if not set(map(type, chunk)) <= {tuple, list} or max(map(len, chunk)) > marks:
                for given in chunk:
                    check_count(text, given)
            yield chunk
    except Error:
        raise
    except Exception as fault:
        raise ParameterFault(
            f"the sets of parameters cannot be read: {type(fault).__name__}: {fault}",
            hint="executemany takes a sequence of dicts or sequences",
        ) from fault


def _run_all(
    session: Session,
    statements: tuple[Prepared, ...],
    chunks: Iterator[list[Given]],
    messages: list[str],
) -> int:
    limits = session.new_limits(statements[0] if statements else None)
    limits.start()
    try:
        changed = _run_chunks(session, statements, chunks, messages, limits)
        if limits.watched is not None:
            limits.watched.rows = max(0, changed)
        return changed
    except Error as error:
        limits.note_error(error)
        raise
    finally:
        limits.stop()


def _run_chunks(
    session: Session,
    statements: tuple[Prepared, ...],
    chunks: Iterator[list[Given]],
    messages: list[str],
    limits: Limits,
) -> int:
    from hartonomous.hql.statements.insert import Insert

    changed = 0
    seen = False
    for chunk in chunks:
        limits.check()
        if len(statements) == 1 and isinstance(statements[0].statement, Insert):
            done = _insert_chunk(session, statements[0], statements[0].statement, chunk, limits)
            if done is not None:
                changed, seen = changed + done, True
                continue
        elif len(statements) == 1:
            done = _change_chunk(session, statements[0], chunk, messages, limits)
            if done is not None:
                changed, seen = changed + done, True
                continue
        if limits.watched is not None:
            limits.watched.forget()  # each run of the text is seen by itself
        for given in chunk:
            limits.check()
            done = _run_once(session, statements, given, messages)
            if done is not None:
                changed, seen = changed + done, True
    return changed if seen else -1


def _run_once(
    session: Session, statements: tuple[Prepared, ...], given: Given, messages: list[str]
) -> int | None:
    """The text for one set of parameters: the number of rows changed, or None."""
    changed: int | None = None
    frame = session.open_frame(given)
    try:
        for prepared in statements:
            for result in session.play(prepared, frame, messages):
                result.spool()
                if result.row_count >= 0:
                    changed = (changed or 0) + result.row_count
    except Return:
        pass
    finally:
        frame.close()
    return changed


def _change_chunk(
    session: Session, prepared: Prepared, chunk: list[Given], messages: list[str], limits: Limits
) -> int | None:
    """One UPDATE or DELETE for all sets, or None if they must be taken one by one."""
    from hartonomous.hql.changes.many_changes import SETS, SETS_MIN, find_many_changes

    if len(chunk) < SETS_MIN or session.settings.xact_abort:
        return None
    with closing(session.open_frame()) as frame:
        context = Run(prepared, frame, [], limits).context(session, session.transaction)
        many = find_many_changes(prepared.statement, context)
        sets = None if many is None else many.table(chunk)
    if many is None or sets is None:
        return None
    with closing(session.open_frame({SETS: sets})) as frame:
        try:
            result = session.run(Prepared(many.statement, prepared.text), frame, messages, limits)
        except (DataError, ProgrammingError, IntegrityError):
            return None  # one set after the other says which one it is
        return result.row_count


def _insert_chunk(
    session: Session, prepared: Prepared, statement: Any, chunk: list[Given], limits: Limits
) -> int | None:
    """One INSERT for all sets, or None if a value needs the general way."""
    if statement.output is not None:
        return None
    run = Run(prepared, session.open_frame(), [], limits)
    transaction = session.transaction
    context = run.context(session, transaction)
    fast = prepare_fast(statement, context)
    if fast is None or fast.is_constant:
        return None
    try:
        with session.undoing(transaction):
            count = _store(fast, context, chunk)
            if transaction.broken:
                from hartonomous.hql.changes.references import settle

                settle(context)
    except (DataError, ProgrammingError):
        return None  # one set after the other says which value it is
    except Error as error:
        complete(error, run)
        raise
    if count is None:
        return None
    session.note_change(prepared.text)
    return count


def _store(fast: FastInsert, context: Context, chunk: list[Given]) -> int | None:
    try:
        arrays = fast.arrays_of_sets(chunk)
    except KeyError:
        return None
    except Unusual:
        from hartonomous.hql.changes.converted_rows import insert_converted

        return insert_converted(fast, context, chunk)
    return fast.insert(context, arrays)[0]
