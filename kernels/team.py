"""A team of threads that share the chunks of small jobs, all processors together.

A step of a language model is some hundred products of 10 to 100 µs each, so handing one to other
threads must cost about a microsecond. An executor costs 30; OpenMP costs 3, but kills processes
that fork, and is not everywhere. So: threads that look at a word of memory for half a millisecond
after their last work before they sleep (team_compiled.py), and need Python only to sleep.

One job runs at a time. Who comes meanwhile works alone, so nobody waits and nothing can lock up.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

#: memory is read no faster by more
THREADS_MAX: Final = 16


class Team:
    """The calling thread and `workers` others."""

    def __init__(self, workers: int) -> None:
        from hartonomous.kernels import team_compiled as compiled

        self._compiled = compiled
        self._board = compiled.new_board()
        self._address = self._board.ctypes.data
        self._busy = threading.Lock()
        self._asleep: deque[threading.Semaphore] = deque()
        self._is_over = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"hartonomous-team-{i}", daemon=True)
            for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, chunks: int, work: Callable[..., None], *arguments: object) -> None:
        """Calls `work(board, *arguments)`, which writes a job of so many chunks on the board and
        gives it, holding what the job has addresses of."""
        assert 0 <= chunks <= self._compiled.CHUNKS_MAX, chunks
        if chunks > 1 and self._busy.acquire(blocking=False):
            try:
                while self._asleep:
                    self._asleep.pop().release()
                work(self._board, *arguments)
            finally:
                self._busy.release()
        else:
            work(self._compiled.new_board(), *arguments)

    def end(self) -> None:
        """Ends the workers, when nobody runs anything."""
        self._is_over = True
        self._board[self._compiled.REST] = 1
        while any(thread.is_alive() for thread in self._threads):
            while self._asleep:
                self._asleep.pop().release()
            self._threads[0].join(0.001)
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def _serve(self) -> None:
        wake = threading.Semaphore(0)
        while not self._is_over:
            self._compiled.serve(self._address)
            self._asleep.append(wake)
            wake.acquire()


def processors(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many this process may keep busy: those it may run on, and no more than a container's
    quota (cgroup v2: microseconds of all processors together, or `max`, in so many), as threads
    that look out for work spend it."""
    allowed = len(os.sched_getaffinity(0))
    try:
        spent, period = quota.read_text("ascii").split()
    except (OSError, ValueError):
        return allowed  # no cgroup of that kind
    if not (spent.isdigit() and period.isdigit() and int(period)):
        return allowed
    return max(1, min(allowed, int(spent) // int(period)))


@cache
def team() -> Team:
    """The process's team. Its threads end before the interpreter does: a thread that came back
    from compiled code later would be torn down in the middle of it."""
    made = Team(min(THREADS_MAX, processors()) - 1)
    atexit.register(made.end)
    return made


# a forked process has none of the threads
os.register_at_fork(after_in_child=team.cache_clear)
