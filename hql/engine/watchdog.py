"""The watchdog: one thread of the process that ends statements which have run out of time.

It also listens for Ctrl-C. While the main thread waits inside the relational engine, Python's own
handler cannot run: the signal is only noted, and its number written to a wakeup file descriptor.
The watchdog reads that and cancels what the main thread runs; the engine returns, Python's handler
runs, KeyboardInterrupt is raised.
"""

from __future__ import annotations

import heapq
import math
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from itertools import count

Cancel = Callable[[], object]
#: poll() counts milliseconds in 32 bits
LONGEST_WAIT_S = 86_400.0


class Watchdog:
    """Deadlines, earliest first. Its thread starts with the first deadline and never ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: list[tuple[float, int, Cancel]] = []
        self._gone: set[int] = set()
        self._numbers = count()
        self._main: list[Cancel] = []
        self._read = self._write = -1
        self._own_fd = False

    def at(self, deadline: float, cancel: Cancel) -> int:
        """Calls `cancel` at time.monotonic() == deadline, in the watchdog's thread; gives a number
        for `forget`."""
        with self._lock:
            self._start()
            number = next(self._numbers)
            heapq.heappush(self._deadlines, (deadline, number, cancel))
            is_first = self._deadlines[0][1] == number
        if is_first:
            self._wake()
        return number

    def forget(self, number: int) -> None:
        """The deadline no longer counts. It stays in the heap until its time or a clean-up."""
        with self._lock:
            self._gone.add(number)
            if len(self._gone) > 1000:
                self._deadlines = [d for d in self._deadlines if d[1] not in self._gone]
                heapq.heapify(self._deadlines)
                self._gone.clear()

    def enter_main(self, cancel: Cancel) -> bool:
        """The main thread begins to wait for a statement: Ctrl-C shall call `cancel`. False in
        other threads, and where somebody else listens for signals already (asyncio does)."""
        if threading.current_thread() is not threading.main_thread():
            return False
        with self._lock:
            self._start()
            if not self._own_fd:
                before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
                if before != -1:
                    signal.set_wakeup_fd(before)
                    return False
                self._own_fd = True
            self._main.append(cancel)
        return True

    def leave_main(self, cancel: Cancel) -> None:
        """The main thread has stopped waiting."""
        with self._lock:
            self._main.remove(cancel)
            if not self._main and self._own_fd:
                signal.set_wakeup_fd(-1)
                self._own_fd = False
                if self._drain():  # came too late for this statement, and is not the next one's
                    self._wake()  # what was read may have told of a deadline

    # --- the thread ------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._read != -1:
            return
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)
        threading.Thread(target=self._run, name="hql-watchdog", daemon=True).start()

    def _wake(self) -> None:
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:
            return  # the pipe is full: it wakes up anyway

    def _drain(self) -> bytes:
        """All that lies in the pipe."""
        read = b""
        while True:
            try:
                read += os.read(self._read, 4096)
            except BlockingIOError:
                return read

    def _run(self) -> None:
        pipe = select.poll()  # select() itself knows no descriptor above 1023
        pipe.register(self._read, select.POLLIN)
        while True:
            with self._lock:
                due, wait = self._due(), None
                if self._deadlines:
                    wait = max(0.0, self._deadlines[0][0] - time.monotonic())
            for cancel in due:
                cancel()
            if due:
                continue
            ready = pipe.poll(None if wait is None else math.ceil(min(wait, LONGEST_WAIT_S) * 1000))
            if not ready:
                continue
            with self._lock:  # who leaves meanwhile must not leave the signal to who comes next
                main = tuple(self._main) if signal.SIGINT in self._drain() else ()
            for cancel in main:
                cancel()

    def _due(self) -> list[Cancel]:
        due: list[Cancel] = []
        now = time.monotonic()
        while self._deadlines and (
            self._deadlines[0][1] in self._gone or self._deadlines[0][0] <= now
        ):
            _, number, cancel = heapq.heappop(self._deadlines)
            if number in self._gone:
                self._gone.discard(number)
            else:
                due.append(cancel)
        return due


def _renew() -> None:
    """A forked child has no thread of its parent's."""
    global WATCHDOG
    WATCHDOG = Watchdog()


WATCHDOG = Watchdog()
os.register_at_fork(after_in_child=_renew)
