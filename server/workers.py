"""Worker processes, as the server keeps them: started, watched, started again, ended.

    Workers ── keeps ──▶ Worker ── a process, its own socket ──▶ Pipe ── one query at a time

A worker reads the database beside the server's process, which alone writes. It is started again
when it ends, soon the first time and then after longer and longer pauses; a worker that says
nothing for HANG_SECONDS is killed. Its end of the sockets is all that it is known by, so nothing of
it is left anywhere when the server ends, however that comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from hartonomous.server.worker_frames import (
    Ask,
    Connect,
    Frames,
    Ping,
    Pong,
    Ready,
    Stop,
    packed,
)

if TYPE_CHECKING:
    import pyarrow as pa

#: queries of one worker that are open at once; more are the server's own
PIPES_MAX: Final = 16
#: seconds between two questions whether a worker lives, and what counts as no answer
PING_SECONDS, HANG_SECONDS = 1.0, 30.0
#: seconds that a new process has until it takes queries
START_SECONDS: Final = 60.0
#: pauses before a worker is started again; one that lived for STEADY_SECONDS was a good one
PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX, STEADY_SECONDS = 0.1, 30.0, 30.0
#: seconds that a process has to end when its socket is closed
END_SECONDS: Final = 2.0
MESSAGE_BYTES_MAX: Final = 1 << 16


class Gone(Exception):
    """The worker ended, or closed the pipe."""


class Pipe:
    """A connection to a worker for queries, one at a time. On the event loop."""

    def __init__(self, worker: Worker, number: int, end: socket.socket) -> None:
        self.worker, self.number = worker, number
        self._socket, self._frames = end, Frames()

    async def send(self, ask: Ask) -> None:
        """Asks. Raises Gone."""
        loop = asyncio.get_running_loop()
        try:
            for piece in packed(ask):
                await loop.sock_sendall(self._socket, piece)
        except OSError as fault:
            raise Gone from fault

    async def receive(self) -> tuple[Any, pa.Buffer | None]:
        """The next message and its payload. Raises Gone."""
        loop = asyncio.get_running_loop()
        while (frame := self._frames.next()) is None:
            try:
                count = await loop.sock_recv_into(self._socket, self._frames.room)
            except OSError as fault:
                raise Gone from fault
            if count == 0:
                raise Gone
            self._frames.received(count)
        return frame

    def take(self) -> tuple[Any, pa.Buffer | None] | None:
        """A message that has been received already, if there is one."""
        return self._frames.next()

    def stop(self, number: int) -> None:
        """Asks the worker to end a query of this pipe."""
        self.worker.tell(Stop(self.number, number))

    def break_off(self) -> None:
        """Whoever waits here for the worker gets Gone."""
        with contextlib.suppress(OSError):  # the worker may have closed it
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Nobody waits here any more."""
        self._socket.close()


class Worker:
    """One process. `is_ready`: it takes queries; `busy`: those that are open, `queries`: those so
    far; `position` and `memory` are of its last answer to Ping."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_ready = False
        self.is_over = False
        self.busy = 0
        self.queries = 0
        self.position = self.memory = 0
        self._temporary = tempfile.mkdtemp(prefix="hartonomous-worker-")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._pipes: dict[int, Pipe] = {}
        self._idle: list[Pipe] = []
        #: questions that the process has not answered
        self._asked = 0
        self._numbers = 0

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return None if self._process is None else self._process.pid

    def start(self, folder: str, memory_bytes: int) -> None:
        """Starts the process, whose queries may take so much memory; may wait, so not on
        an event loop. Raises OSError."""
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            command = [sys.executable, "-m", "hartonomous.server.worker_process"]
            self._process = subprocess.Popen(
                [*command, str(its.fileno()), folder, self._temporary, str(memory_bytes)],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the server
            )
        except BaseException:
            mine.close()
            raise
        finally:
            its.close()
        mine.setblocking(False)
        self._socket = mine

    async def watch(self) -> None:
        """Hears what the process says, until it ends or is given up."""
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        pinging = loop.create_task(self._ping())
        try:
            while data := await loop.sock_recv(self._socket, MESSAGE_BYTES_MAX):
                message = pickle.loads(data)
                self._asked = 0
                if isinstance(message, Ready):
                    self.is_ready = True
                else:
                    assert isinstance(message, Pong), message
                    self.position, self.memory = message.position, message.memory
        except OSError:
            return  # it ended before it had read all that it was told
        finally:
            self.is_ready = False
            pinging.cancel()

    async def _ping(self) -> None:
        """Asks whether it lives. What counts is how often it was asked, not the time: this process
        may have been stopped for a while itself."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            if self._asked * PING_SECONDS > (HANG_SECONDS if self.is_ready else START_SECONDS):
                self.kill()
                return
            self._asked += 1
            if self.is_ready:
                self.tell(Ping())

    def kill(self) -> None:
        """Ends the process at once."""
        if self._process is not None:
            self._process.kill()

    async def end(self) -> None:
        """Ends the process and lets go of all that belongs to it."""
        self.is_ready, self.is_over = False, True
        for pipe in list(self._pipes.values()):
            pipe.break_off()
        for pipe in self._idle:
            pipe.close()
        self._idle.clear()
        if self._socket is not None:
            self._socket.close()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        if self._process is not None:
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._temporary, ignore_errors=True)

    # --- queries

    def tell(self, message: object) -> None:
        """Says something on the process's own socket; it is lost if the process ends, or takes
        nothing any more, and then it is killed soon."""
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.send(pickle.dumps(message))

    def pipe(self) -> Pipe:
        """A pipe for a query; to be given back. Raises Gone."""
        if not self.is_ready:
            raise Gone
        self.busy += 1
        self.queries += 1
        if self._idle:
            return self._idle.pop()
        try:
            return self._connect()
        except OSError as fault:
            self.busy -= 1
            raise Gone from fault

    def _connect(self) -> Pipe:
        assert self._socket is not None
        mine, its = socket.socketpair()
        try:
            self._numbers += 1
            message = pickle.dumps(Connect(self._numbers))
            socket.send_fds(self._socket, [message], [its.fileno()])
        except OSError:
            mine.close()
            raise
        finally:
            its.close()
        mine.setblocking(False)
        made = self._pipes[self._numbers] = Pipe(self, self._numbers, mine)
        return made

    def give_back(self, pipe: Pipe, *, is_clean: bool) -> None:
        """The query is over; `is_clean`: all that the worker said of it was heard."""
        self.busy -= 1
        if is_clean and not self.is_over:
            self._idle.append(pipe)
        else:
            self._pipes.pop(pipe.number, None)
            pipe.close()


class Workers:
    """A number of workers over the database in `folder`, whose queries may take `memory_bytes` in
    each. `report` takes what people should know."""

    def __init__(
        self, folder: str, count: int, memory_bytes: int, report: Callable[[str], object]
    ) -> None:
        self._folder, self.count, self._report = folder, count, report
        self._memory_bytes = memory_bytes
        #: those that there are now, by their place
        self.workers: dict[int, Worker] = {}
        #: how often one was started again
        self.restarts = 0
        self._keeping: list[asyncio.Task[None]] = []
        self._background: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Starts them; they take queries when they are ready."""
        loop = asyncio.get_running_loop()
        for place in range(self.count):
            self._keeping.append(loop.create_task(self._keep(place)))

    async def wait_ready(self) -> None:
        """Returns when all take queries."""
        while sum(w.is_ready for w in self.workers.values()) < self.count:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Ends them, and what they do."""
        keeping, self._keeping = self._keeping, []
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        await asyncio.gather(*self._background)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Has something done that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def choose(self) -> Worker | None:
        """The one with the least to do; None if all have enough, or none is there."""
        ready = [w for w in self.workers.values() if w.is_ready and w.busy < PIPES_MAX]
        return min(ready, key=lambda w: w.busy, default=None)

    async def _keep(self, place: int) -> None:
        pause = PAUSE_SECONDS_MIN
        while True:
            began = time.monotonic()
            await self._live(place)
            if time.monotonic() - began > STEADY_SECONDS:
                pause = PAUSE_SECONDS_MIN
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
            self.restarts += 1

    async def _live(self, place: int) -> None:
        """The life of one process."""
        worker = Worker(place)
        try:
            await asyncio.to_thread(worker.start, self._folder, self._memory_bytes)
            self.workers[place] = worker
            await worker.watch()
        except OSError as fault:
            self._report(f"worker {place} cannot be started: {fault}")
        finally:
            self.workers.pop(place, None)
            await asyncio.shield(worker.end())
        self._report(f"worker {place} (process {worker.pid}) ended")
