"""Engine threads: statements run on them, so that the event loop never waits for one.

A job is two functions: `work` runs on a thread and raises nothing, `over` runs on the event loop
afterwards. A queue of our own, because an executor's futures cost more than `SELECT 1` does.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from hartonomous.hql.frozen import frozen


@frozen
class Job:
    """What a thread is to do, and what the event loop is to do then."""

    work: Callable[[], None]
    over: Callable[[], None]


class EngineThreads:
    """A number of threads and the queue before them. Started in the event loop."""

    def __init__(self, count: int) -> None:
        assert count >= 1, count
        self.count = count
        #: jobs that were put and are not over
        self.outstanding = 0
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Starts the threads; they are the event loop's that runs now."""
        self._loop = asyncio.get_running_loop()
        for i in range(self.count):
            thread = threading.Thread(target=self._work, name=f"hql-engine-{i}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def put(self, job: Job) -> None:
        """Has a job done when a thread is free."""
        self.outstanding += 1
        self._jobs.put(job)

    @property
    def running(self) -> int:
        """Jobs that a thread is at now, or has just done."""
        return max(0, min(self.count, self.outstanding - self.queued))

    @property
    def queued(self) -> int:
        """Jobs that no thread has begun."""
        return self._jobs.qsize()

    async def stop(self) -> None:
        """Ends the threads when the jobs that are queued are done."""
        for _ in self._threads:
            self._jobs.put(None)
        threads, self._threads = self._threads, []
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        assert self._loop is not None
        tell = self._loop.call_soon_threadsafe
        while (job := self._jobs.get()) is not None:
            try:
                job.work()
            finally:
                tell(self._over, job)
            del job  # or an idle thread would keep a statement's snapshot

    def _over(self, job: Job) -> None:
        self.outstanding -= 1
        job.over()
