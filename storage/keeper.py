"""The keeper: a thread of a writer that does in the background what VACUUM does at once.

It begins some time after a checkpoint, works in small steps, and rests after each of them three
times as long as the step took, so that it takes at most a quarter of one processor. It ends when
the database is closed, in the middle of a step if need be: what it has written and not put in place
is garbage. A fault of the disk ends the turn, is kept in `fault`, and the next checkpoint begins
another one. The setting `compaction = OFF` keeps it from working.

A database in memory has no checkpoints, and there memory fills as fast as rows are changed. So the
commit after which enough rows are dead does the work itself, at once: what it costs is in
proportion to the rows that died.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hartonomous.storage.errors import Error
from hartonomous.storage.interrupts import Interrupts
from hartonomous.storage.settings import COMPACTION, DEFAULTS

if TYPE_CHECKING:
    from hartonomous.storage.database import Database

#: seconds from a checkpoint to the beginning of work; others may follow at once
DELAY_S = 5.0
#: after a step it rests so many times as long as the step took, but not longer than REST_MAX_S
REST = 3.0
REST_MAX_S = 2.0
#: in memory, work is due when so many rows have died, and half as many as there are
DEAD_ROWS_MIN = 65_536


class Stopped(Exception):
    """The database is being closed."""


class Preempted(Exception):
    """Somebody wants it done at once."""


class Keeper:
    """One for each database that is open for writing. The thread is made at the first wake()."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._working = threading.Lock()  # one at a time works: this thread, or a VACUUM
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._counting = threading.Lock()
        self._waiting = 0  # how many want to work at once
        self._thread: threading.Thread | None = None
        self._rested = 0.0
        self._due = DEAD_ROWS_MIN
        self.fault: Error | None = None
        self.turns = 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For a VACUUM: meanwhile nobody else compacts. A turn of the thread is given up."""
        with self._counting:
            self._waiting += 1
        try:
            with self._working:
                yield
        finally:
            with self._counting:
                self._waiting -= 1

    def wake(self) -> None:
        """There may be something to do."""
        if self._stopping.is_set():
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
            self._thread.start()
        self._awake.set()

    def collect_if_due(self) -> None:
        """After a commit of a database in memory. Ctrl-C waits meanwhile, as it came too late for
        the statement."""
        path = self._database.commits_path
        if path.rows_died < self._due or not self._is_on():
            return
        if not self._working.acquire(blocking=False):
            return  # somebody does it
        from hartonomous.storage.vacuum import vacuum

        try:
            with Interrupts() as interrupts:
                interrupts.hold()
                died = path.rows_died
                vacuum(self._database, thorough=False)
                with path.lock:
                    lines = path.repository.lines.values()
                    chunks = [c for line in lines for s in line.all_tables() for c in s.chunks]
                self._due = died + max(DEAD_ROWS_MIN, sum(c.count for c in chunks) // 2)
        finally:
            self._working.release()

    def stop(self) -> None:
        """Return when the thread has ended."""
        self._stopping.set()
        self._awake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                self._awake.wait()
                self._wait(DELAY_S)
                self._awake.clear()
                if self._is_on():
                    self._turn()
                self.turns += 1
        except Stopped:
            return

    def _is_on(self) -> bool:
        settings = self._database.settings
        return settings.get(COMPACTION, DEFAULTS[COMPACTION]) == "ON"

    def _turn(self) -> None:
        from hartonomous.storage.vacuum import vacuum

        self._rested = time.monotonic()
        try:
            with self._working:
                vacuum(self._database, thorough=False, pace=self._rest)
            self.fault = None
        except Preempted:
            return
        except Error as fault:
            self.fault = fault

    def _rest(self) -> None:
        if self._waiting:
            raise Preempted
        worked = time.monotonic() - self._rested
        self._wait(min(worked * REST, REST_MAX_S))
        self._rested = time.monotonic()

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped
