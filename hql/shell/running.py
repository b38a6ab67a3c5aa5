"""Runs a script for the command line: batches at GO, results to `out`, messages to stderr."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, TypeVar

from hartonomous.hql.shell.output import FORMATS, say

if TYPE_CHECKING:
    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.result import Result

T = TypeVar("T")


class LiveMessages(list[str]):
    """Messages that are shown when they come, not when the batch ends."""

    def append(self, message: str) -> None:
        say(message)
        super().append(message)


def run_script(
    connection: Connection,
    text: str,
    parameters: dict[str, Any] | None,
    format_name: str,
    out: IO[bytes],
) -> None:
    """Raises the first Error; places are relative to the whole text."""
    from hartonomous.hql.syntax.parse import split_batches
    from hartonomous.storage.errors import Error

    for line, batch in split_batches(text):
        try:
            _run_batch(connection, batch, parameters, format_name, out)
        except Error as error:
            if error.line is not None:
                error.line += line - 1
            raise
        out.flush()


def _run_batch(
    connection: Connection,
    text: str,
    parameters: dict[str, Any] | None,
    format_name: str,
    out: IO[bytes],
) -> None:
    results = connection.session.results(text, parameters, LiveMessages())
    while (result := interruptibly(connection, lambda: next(results, None))) is not None:
        if result.has_rows:
            count = interruptibly(connection, _writer(result, format_name, out))
            if format_name == "table":
                say(f"({_rows(count)})")
        elif result.row_count >= 0:
            say(f"({_rows(result.row_count)} affected)")
        out.flush()


def _writer(result: Result, format_name: str, out: IO[bytes]) -> Callable[[], int]:
    return lambda: FORMATS[format_name](result, out)


def interruptibly(connection: Connection, work: Callable[[], T]) -> T:
    """Does `work` in a thread, so that Ctrl-C is heard while the engine computes: it cancels the
    statement, waits for it to stop, and goes on as KeyboardInterrupt."""
    outcome: list[T] = []
    failure: list[BaseException] = []
    # Not join(): in Python 3.11 one that a signal interrupts takes the thread for ended, and the
    # next one returns while it still runs (bpo-45274).
    is_done = threading.Event()

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)
        finally:
            is_done.set()

    threading.Thread(target=target, name="hql statement").start()
    try:
        is_done.wait()
    except KeyboardInterrupt:
        connection.cancel()
        is_done.wait()
        raise
    if failure:
        raise failure[0]
    return outcome[0]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
