"""A stack of its own for what is called deep down.

A function that calls itself through a query takes some 27 of Python's frames for each level, and
Python allows 1,000 in a thread. Which thread the engine calls from is up to it, and how deep the
program around us stands is up to its author: without this, how deep a function may call itself
would depend on both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hartonomous.hql.limits import Limits

T = TypeVar("T")

#: levels of calls that share a thread's stack
LEVELS = 8


def on_stack_of_level(depth: int, work: Callable[[], T], limits: Limits) -> T:
    """What `work` returns or raises, run `depth` calls deep: in a thread of its own at every
    eighth level, else here. A signal that comes while this thread waits cancels `limits`."""
    return work() if depth == 0 or depth % LEVELS else _in_thread(work, limits)


def _in_thread(work: Callable[[], T], limits: Limits) -> T:
    values: list[T] = []
    errors: list[BaseException] = []
    is_done = threading.Event()  # join() takes a thread for ended when a signal comes meanwhile

    def run() -> None:
        try:
            values.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            is_done.set()

    threading.Thread(target=run, name="hql-calls", daemon=True).start()
    try:
        is_done.wait()
    except BaseException:  # Ctrl-C: nobody may go on in the transaction of a statement that ended
        limits.cancel()
        is_done.wait()
        raise
    if errors:
        raise errors[0]
    return values[0]
