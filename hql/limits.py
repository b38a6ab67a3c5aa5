"""Limits of a running statement: its deadline, its cancel flag, its memory.

One Limits object lives as long as a statement and its open stream. Whoever does long work looks at
it: operators call `check()` between batches; kernels get `flag`, an int8[1] array that turns
non-zero (the kernels of functions find it through `current()`); the relational engine is
interrupted by a callback that `interrupting` registers. A deadline is kept by the watchdog's
thread, which does what `cancel()` does, with another code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hartonomous.hql.advance import Advance
from hartonomous.hql.engine import watchdog
from hartonomous.storage.errors import Cancelled

if TYPE_CHECKING:
    from hartonomous.hql.activity import Watched
    from hartonomous.hql.models.requests import Request
    from hartonomous.storage.errors import Error

_CANCELLED = "the statement was cancelled"


_thread = threading.local()


def current() -> Limits | None:
    """The limits of the statement whose native functions this thread runs."""
    return getattr(_thread, "limits", None)


class Mark:
    """What threading.Event is to those who never wait, made in a twentieth of the time."""

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set


class Limits:
    """Time limit in seconds and memory limit in bytes (None: no limit); as a context manager it
    runs the clock from entry to exit. `cancel` may be called from any thread at any time."""

    def __init__(self, *, timeout: float | None = None, memory_bytes: int | None = None) -> None:
        self.timeout, self.memory_bytes = timeout, memory_bytes
        self.flag = np.zeros(1, np.int8)
        self.cancelled = Mark()
        self._timed_out = False
        self._starved: int | None = None
        self._started: float | None = None
        self._deadline: float | None = None
        self._timer: int | None = None
        self._lock = threading.Lock()
        #: what the statement asks of models (hql/models/requests.py), by database, model and kind
        self.requests: dict[Any, Request] = {}
        self._at_stop: list[Callable[[], None]] = []
        self._interrupts: list[Callable[[], object]] = []
        self._held = 0  # bytes, see hold
        self.advance: Advance | None = None
        #: the statement that they are of, as others see it
        self.watched: Watched | None = None
        self._outer: Limits | None = None
        self._inner: list[Limits] = []

    def nested(self) -> Limits:
        """Limits for a statement inside this one: what stops this one stops it too. Raises
        Cancelled if that has happened already."""
        inner = Limits(memory_bytes=self.memory_bytes)
        inner._outer = self
        with self._lock:
            self._inner.append(inner)
        try:
            self.check()
        except BaseException:
            inner.stop()
            raise
        return inner

    @property
    def outermost(self) -> Limits:
        """The limits around all others."""
        return self if self._outer is None else self._outer.outermost

    def __enter__(self) -> Limits:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to count the time; does nothing when it already runs."""
        if self._started is None:
            self._started = time.monotonic()
            self._arm()

    def _arm(self) -> None:
        if self.timeout is not None and self._started is not None:
            self._deadline = self._started + self.timeout
            self._timer = watchdog.WATCHDOG.at(self._deadline, self._time_out)

    def stop(self) -> None:
        """The statement is over: its time no longer runs. Idempotent."""
        timer, self._timer = self._timer, None
        if timer is not None:
            watchdog.WATCHDOG.forget(timer)
        self._started = self._deadline = None
        outer, self._outer = self._outer, None
        if outer is not None:
            with outer._lock:
                outer._inner.remove(self)
        callbacks, self._at_stop = self._at_stop, []
        for callback in callbacks:
            callback()
        self.requests = {}

    def at_stop(self, callback: Callable[[], None]) -> None:
        """Have `callback`, which raises nothing, called when the statement is over."""
        self._at_stop.append(callback)

    def note_error(self, error: Error) -> None:
        """The statement failed, as those who watch it will hear."""
        if self.watched is not None:
            self.watched.code = error.code  # the error itself would hold itself, by its frames

    def tighten(self, *, timeout: float | None = None, memory_bytes: int | None = None) -> None:
        """Lower the limits to a statement's own (OPTION (TIMEOUT …, MEMORY …)); never raises
        them. The time counts from start(), whenever that was."""
        if timeout is not None and (self.timeout is None or timeout < self.timeout):
            self.timeout = timeout
            if self._timer is not None:
                watchdog.WATCHDOG.forget(self._timer)
            self._arm()
        if memory_bytes is not None:
            mine = self.memory_bytes
            self.memory_bytes = memory_bytes if mine is None else min(mine, memory_bytes)

    def cancel(self) -> None:
        """Stop the statement, from any thread; it ends with Cancelled."""
        self.flag[0] = 1
        self.cancelled.set()
        self._interrupt()
        with self._lock:
            inner = tuple(self._inner)
        for limits in inner:
            limits.cancel()

    def _interrupt(self) -> None:
        with self._lock:
            interrupts = tuple(self._interrupts)
        for interrupt in interrupts:
            interrupt()
        if interrupts:
            # the engine forgets an interrupt that comes just before it begins: until it has
            # returned, say it again
            watchdog.WATCHDOG.at(time.monotonic() + 0.02, self._interrupt)

    def _time_out(self) -> None:
        self._timed_out = True
        self.cancel()

    def starve(self, memory_bytes: int) -> None:
        """Stop the statement, from any thread, since all together may have no more memory."""
        self._starved = memory_bytes
        self.cancel()

    def check(self) -> None:
        """Raise Cancelled (code CANCELLED, TIMEOUT or MEMORY) if the statement is to stop."""
        if self._outer is not None:
            self._outer.check()
        is_late = self._deadline is not None and time.monotonic() >= self._deadline
        if is_late and not self.cancelled.is_set():
            self._time_out()  # the watchdog may be late on a loaded machine
        if self.cancelled.is_set():
            raise self.error()

    def error(self) -> Cancelled:
        """What a cancelled statement ends with."""
        if self._outer is not None and self._outer.cancelled.is_set():
            return self._outer.error()
        if self._timed_out:
            return Cancelled(
                f"the statement took longer than its time limit of {self.timeout:g} "
                + ("second" if self.timeout == 1 else "seconds"),
                code="TIMEOUT",
                hint="give it more time with OPTION (TIMEOUT '60s'), or ask for less",
            )
        if self._starved is not None:
            return Cancelled(
                f"the statement took more memory than others, and all together may have "
                f"{self._starved:,} bytes",
                code="MEMORY",
                hint="read fewer rows or columns, or make smaller texts",
            )
        return Cancelled(_CANCELLED)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """While the block runs native functions, `current()` is this object in its thread, and
        Ctrl-C in the main thread is a cancel()."""
        before = current()
        _thread.limits = self
        in_main = watchdog.WATCHDOG.enter_main(self.cancel)
        try:
            yield
        finally:
            _thread.limits = before
            if in_main:
                watchdog.WATCHDOG.leave_main(self.cancel)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """While the block waits in foreign code, cancel() calls `interrupt`, and Ctrl-C in the
        main thread is a cancel(). Raises Cancelled instead of entering if it is too late."""
        with self._lock:
            self._interrupts.append(interrupt)
        in_main = watchdog.WATCHDOG.enter_main(self.cancel)
        try:
            self.check()
            yield
        except Cancelled:
            # the engine knows that it was interrupted, not why
            raise (self.error() if self.cancelled.is_set() else Cancelled(_CANCELLED)) from None
        finally:
            if in_main:
                watchdog.WATCHDOG.leave_main(self.cancel)
            with self._lock:
                self._interrupts.remove(interrupt)

    @contextmanager
    def advancing(self, total: int) -> Iterator[Advance]:
        """How far the block is, which works through `total` rows and counts them; whoever waits
        for the outermost statement sees it, of blocks in one another the outer one."""
        own, outermost = Advance(total), self.outermost
        is_seen = outermost.advance is None
        if is_seen:
            outermost.advance = own
        try:
            yield own
        finally:
            if is_seen:
                outermost.advance = None

    def hold(self, byte_count: int) -> None:
        """Counts what the statement keeps for its caller, results and messages of a loop; what is
        negative was let go. MEMORY beyond the limit."""
        with self._lock:
            self._held += byte_count
        if byte_count > 0:
            self.account(self._held)

    def account(self, bytes_used: int) -> None:
        """Refuse what native operators would hold beyond the memory limit."""
        if self.memory_bytes is not None and bytes_used > self.memory_bytes:
            from hartonomous.hql.errors import ResourceFault

            raise ResourceFault(
                f"the statement needs {bytes_used:,} bytes at once, and its memory limit is "
                f"{self.memory_bytes:,}",
                code="MEMORY",
                hint="raise it with OPTION (MEMORY '2GB'), or read fewer rows or columns",
            )
