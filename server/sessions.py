"""A client's session on the server: the one waist between doors and the engine.

Every door turns bytes into `run`, `run_many` and `call`, and the events that come back into bytes.
What a session is asked to do it does in that order, one after the other, on engine threads; several
texts may be open at once, the rows of an earlier one waiting while a later one runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from hartonomous.hql.errors import TransactionFault
from hartonomous.server.events import State
from hartonomous.server.play import Play, PlayMany, state_of
from hartonomous.server.quick import QuickTexts
from hartonomous.server.running import Running
from hartonomous.server.threads import Job

if TYPE_CHECKING:
    from hartonomous.hql.advance import Advance
    from hartonomous.hql.scripts.frame import Frame
    from hartonomous.hql.security.accounts import Account
    from hartonomous.hql.session import Session
    from hartonomous.server.engine import Engine

T = TypeVar("T")
Door = Literal["wire", "http", "postgres", "worker"]
Parameters = Mapping[str, Any] | Sequence[Any] | None


class ServerSession:
    """One client's session, whichever door it came through. All methods on the event loop, except
    what `do` and `call` are given. `encodes`: rows are wanted as Arrow IPC messages. `on_close`:
    what the door does when the server ends the session; `has_left`: whether its client hung up, for
    doors that are not told."""

    def __init__(
        self,
        engine: Engine,
        session: Session,
        door: Door,
        peer: str,
        account: Account | None,
        *,
        encodes: bool = False,
    ) -> None:
        self.number = session.number  # that of @@SPID and sys.sessions
        self.engine, self.door, self.peer, self.account = engine, door, peer, account
        self.encodes = encodes
        self.client = ""
        self.opened_at = time.time()
        self.used_at = time.monotonic()
        self.on_close: Callable[[str], object] | None = None
        self.has_left: Callable[[], bool] | None = None
        self.runnings: dict[int, Running] = {}
        self.is_closed = False
        self._closing: asyncio.Future[None] | None = None
        self._session = session
        self._frames: dict[int, Frame] = {}
        self._jobs: deque[Job] = deque()
        self._is_busy = False
        #: texts that may run where they are asked for
        self.quick = QuickTexts(engine, session)
        self._turns: deque[asyncio.Future[None]] = deque()

    # --- what it is like ---

    @property
    def in_transaction(self) -> bool:
        return self._session.in_transaction

    @property
    def branch(self) -> str:
        return self._session.branch

    @property
    def autocommit(self) -> bool:
        return self._session.autocommit

    @property
    def author(self) -> str:
        """Who its commits are by."""
        return self._session.author

    @property
    def state(self) -> State:
        """What frames say of it."""
        return state_of(self._session)

    @property
    def has_temporary(self) -> bool:
        """Whether it has #temp tables."""
        return self._session.has_temporary

    @property
    def may_run_at_once(self) -> bool:
        """Whether nothing else is done for it, and the event loop may do something small now."""
        return not self._is_busy and self.engine.may_run_at_once

    @property
    def is_busy(self) -> bool:
        """Whether something is done for it now, here or elsewhere, or waits for a thread."""
        return self._is_busy or any(running.is_elsewhere for running in self.runnings.values())

    @property
    def advance(self) -> Advance | None:
        """How far what runs now is, if that is known."""
        return self._session.advance

    # --- texts ---

    def run(
        self,
        text: str,
        parameters: Parameters | Callable[[], Parameters] = None,
        *,
        frame: int | None = None,
        timeout: float | None = None,
        memory: int | None = None,
        stepwise: bool = False,
        traceparent: str | None = None,
    ) -> Running:
        """A text's events. It begins when the first one is asked for. `parameters` may be a
        function that gives them, called on an engine thread. `stepwise`: a statement runs when the
        event after the result before it is asked for. `traceparent` is W3C's, for spans. Raises
        Busy, and TransactionFault if the session is closed."""
        options = self._options(text, timeout, memory)
        variables = None if frame is None else self._frame(frame)
        play = Play(parameters=parameters, frame=variables, **options)
        known = None if callable(parameters) else parameters
        may_route = self.engine.router is not None and frame is None and not callable(parameters)
        running = Running(self, text, known, play, may_route=may_route, stepwise=stepwise)
        running.may_be_quick = frame is None and not callable(parameters)
        running.traceparent = traceparent
        return self._begin(running)

    def run_many(
        self,
        text: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]],
        *,
        timeout: float | None = None,
        memory: int | None = None,
    ) -> Running:
        """A text for each set of parameters, as one transaction: Finished, Complete."""
        play = PlayMany(rows, **self._options(text, timeout, memory))
        return self._begin(Running(self, text, None, play, may_route=False))

    def _options(self, text: str, timeout: float | None, memory: int | None) -> dict[str, Any]:
        settings = self.engine.settings
        return {
            "session": self._session,
            "text": text,
            "timeout": _least(timeout, settings.statement_timeout),
            "memory": _least(memory, settings.statement_memory),
            "encodes": self.encodes,
            "notice_bytes_max": settings.notice_bytes_max,
        }

    def _begin(self, running: Running) -> Running:
        self.check_open()
        self.engine.admit(running)
        self.runnings[running.number] = running
        return running

    def note_use(self) -> None:
        """Its client is there."""
        self.used_at = time.monotonic()

    def forget(self, running: Running) -> None:
        """A running text is over."""
        self.note_use()
        self.runnings.pop(running.number, None)

    def cancel(self, running: Running | None = None) -> None:
        """Stops one text, or all that are open."""
        for each in [running] if running is not None else list(self.runnings.values()):
            each.cancel()

    def interrupt(self) -> None:
        """Stops what a thread does for the session now."""
        self._session.cancel()

    # --- other work ---

    async def call(self, work: Callable[[Session], T]) -> T:
        """What `work` gives of the session, in its turn, on an engine thread. Raises Error."""
        self.check_open()
        return await self.do(lambda: work(self._session))

    async def do(self, work: Callable[[], T]) -> T:
        """What `work` gives, in the session's turn, on an engine thread."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        out: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                out.append(work())
            except BaseException as error:  # it is whoever waits who hears of it
                failed.append(error)

        def over() -> None:
            self.job_over()
            if future.done():
                return
            if failed:
                future.set_exception(failed[0])
            else:
                future.set_result(out[0])

        self.put(Job(run, over))
        return await future

    async def open_frame(
        self, number: int, parameters: Parameters | Callable[[], Parameters] = None
    ) -> None:
        """Variables that texts run with frame=number share."""

        def work(session: Session) -> Frame:
            return session.open_frame(parameters() if callable(parameters) else parameters)

        self._frames[number] = await self.call(work)

    async def close_frame(self, number: int) -> None:
        """Lets go of a frame's variables; nothing happens if there is none of that number."""
        frame = self._frames.pop(number, None)
        if frame is not None:
            await self.call(lambda session: frame.close())

    @property
    def frames(self) -> Mapping[int, Frame]:
        return self._frames

    def _frame(self, number: int) -> Frame:
        frame = self._frames.get(number)
        if frame is None:
            raise TransactionFault(f"there is no frame {number}", hint="open it first")
        return frame

    # --- order ---

    def put(self, job: Job) -> None:
        """Has a job done after those put before it."""
        self.used_at = time.monotonic()
        if self._is_busy:
            self._jobs.append(job)
        else:
            self._is_busy = True
            self.engine.threads.put(job)

    def job_over(self) -> None:
        """A job of this session is done: the next one, if there is any."""
        if self._jobs:
            self.engine.threads.put(self._jobs.popleft())
            return
        self._is_busy = False
        while self._turns and not self._is_busy:
            waiter = self._turns.popleft()
            if not waiter.done():
                self._is_busy = True
                waiter.set_result(None)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Inside the block no thread works for the session, and what was asked before is done."""
        if self._is_busy:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._turns.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self.job_over()
                raise
        else:
            self._is_busy = True
        try:
            yield
        finally:
            self.job_over()

    # --- life ---

    def check_open(self) -> None:
        """Raises TransactionFault if the session is closed."""
        if self.is_closed or self._session.is_closed:
            raise TransactionFault("the connection is closed", hint="connect again")

    def expel(self, why: str) -> None:
        """The server ends the session: its door is told."""
        if self.on_close is not None:
            self.on_close(why)

    async def close(self) -> None:
        """Stops what runs, undoes an open transaction, drops temp tables. Returns when all that is
        done, whoever asked for it first."""
        if self._closing is None:
            self.is_closed = True
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        for running in list(self.runnings.values()):
            await running.close()
        try:
            await self.do(self._session.close)
        finally:
            self._frames.clear()
            self.engine.session_closed(self)


def _least(*limits: Any) -> Any:
    """The smallest of those that are limits; None if none is."""
    return min((limit for limit in limits if limit is not None), default=None)
