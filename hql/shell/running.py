"""Runs texts for the command line and the shell: batches at GO, results handed to who shows them,
messages to stderr, Ctrl-C to the statement."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Any, TypeVar

from hartonomous.hql.shell.output import FORMATS, say
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.dbapi import Connection
    from hartonomous.hql.result import Result
    from hartonomous.hql.session_interface import FrameInterface

T = TypeVar("T")

#: seconds between two looks at whether a statement still runs, to show the time that it takes
TICK_S = 0.1

#: what a statement that runs is waited for by: its end, or a person's impatience
_DONE, _CTRL_C = "done", "Ctrl-C"

#: a place in the text that a person sent, among those that called a routine
_OWN_LINE = re.compile(r"line (\d+)")

#: shows one result: its rows, or how many it changed
Show = Callable[["Result"], None]


class LiveMessages(list[str]):
    """Messages that are shown when they come, not when the batch ends."""

    def append(self, message: str) -> None:
        say(message)
        super().append(message)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while a statement ran. `is_done`: it was over before it could be cancelled."""

    def __init__(self, *, is_done: bool) -> None:
        super().__init__()
        self.is_done = is_done


def run_script(
    connection: Connection,
    text: str,
    parameters: dict[str, Any] | None,
    format_name: str,
    out: IO[bytes],
) -> None:
    """Raises the first Error; places are relative to the whole text."""

    def show(result: Result) -> None:
        if result.has_rows:
            count = interruptibly(connection, lambda: FORMATS[format_name](result, out))
            if format_name == "table":
                say(f"({count_rows(count)})")
        elif result.row_count >= 0:
            say(f"({count_rows(result.row_count)} affected)")
        out.flush()

    run_batches(connection, text, show, lambda: connection.session.open_frame(parameters))
    out.flush()


def run_batches(
    connection: Connection, text: str, show: Show, open_frame: Callable[[], FrameInterface]
) -> None:
    """Runs each batch in a frame of its own, made by `open_frame`. Raises the first Error, with its
    place in the whole text, and Interrupted."""
    from hartonomous.hql.syntax.parse import split_batches

    for line, batch in split_batches(text):
        frame = open_frame()
        try:
            run_batch(connection, batch, show, frame, first_line=line)
        finally:
            frame.close()


def run_batch(
    connection: Connection, text: str, show: Show, frame: FrameInterface, *, first_line: int = 1
) -> None:
    """Runs one batch in a frame that stays open. Raises as run_batches does; lines of errors count
    from `first_line`."""
    results = connection.session.results(text, messages=LiveMessages(), frame=frame)
    try:
        while True:
            result = interruptibly(connection, lambda: next(results, None), shows_time=True)
            if result is None:
                break
            show(result)
    except Error as error:
        shift_lines(error, first_line - 1)
        raise
    finally:
        results.close()  # type: ignore[attr-defined]


def shift_lines(error: Error, lines: int) -> None:
    """Makes an error's places in a batch those of the text that the batch begins `lines` into.
    Lines of routines count from their own first one."""
    if error.line is not None and error.routine is None:
        error.line += lines
    if error.calls and (called := _OWN_LINE.fullmatch(error.calls[-1])):
        error.calls = (*error.calls[:-1], f"line {int(called[1]) + lines}")


def interruptibly(connection: Connection, work: Callable[[], T], *, shows_time: bool = False) -> T:
    """Does `work` in a thread, so that Ctrl-C is heard while the engine computes: it cancels the
    statement, waits for it to stop, and goes on as Interrupted. `shows_time`: how long it takes is
    shown where a person looks, or how far it is; not for work that writes on the screen itself."""
    from hartonomous.hql.copying.progress import Waiting

    outcome: list[T] = []
    failure: list[BaseException] = []
    # A queue, as its put() may be called by a handler of signals; and not join(): in Python 3.11
    # one that a signal interrupts takes the thread for ended (bpo-45274).
    heard: SimpleQueue[str] = SimpleQueue()

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)
        finally:
            heard.put(_DONE)

    waiting = Waiting("running, Ctrl-C cancels")
    is_interrupted = False
    with _hearing_ctrl_c(heard):
        threading.Thread(target=target, name="hql statement").start()
        while (event := _next_event(heard, shows_time and waiting.is_shown)) is not _DONE:
            if event is _CTRL_C:
                is_interrupted = True
                connection.cancel()
            else:
                waiting.tick(connection.session.advance)
        waiting.close()
    if is_interrupted or not heard.empty():  # one more, when it was done
        raise Interrupted(is_done=not failure)
    if failure:
        raise failure[0]
    return outcome[0]


@contextlib.contextmanager
def _hearing_ctrl_c(heard: SimpleQueue[str]) -> Iterator[None]:
    """Ctrl-C is an event, however often and whenever it comes, and no exception: one in the middle
    of cancelling would leave while the thread still works. Signals are the main thread's, and who
    ignores this one (a job in the background of a script) goes on ignoring it."""
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or before in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: heard.put(_CTRL_C))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _next_event(heard: SimpleQueue[str], ticks: bool) -> str | None:
    """What comes next; None when it is time to look at the clock."""
    try:
        return heard.get(timeout=TICK_S if ticks else None)
    except Empty:
        return None


def count_rows(count: int) -> str:
    """`1 row`, `2 rows`."""
    return "1 row" if count == 1 else f"{count:,} rows"
