"""One running text: an async iterator of events, computed on an engine thread when asked for.

        event loop                        engine thread
    next ─▶ nothing ready? ─▶ job ─▶ step: events until STEP_BYTES or STEP_SECONDS
         ◀─ ready ◀──────────────────────┘

Between steps it holds no thread, so a statement that waits for a slow reader costs a step's events
and its snapshot. Small texts are one step, and `take` gives what is ready without waiting, so that
a door can send a whole answer at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.activity import next_number
from hartonomous.hql.errors import InternalFault
from hartonomous.server.events import Complete, Event, Finished, Notice, Progress, Rows
from hartonomous.server.threads import Job
from hartonomous.storage.errors import Cancelled, Error

if TYPE_CHECKING:
    from hartonomous.server.hooks import Routed
    from hartonomous.server.play import Play
    from hartonomous.server.sessions import ServerSession

#: a step ends when its rows have as many bytes, or when it took so long
STEP_BYTES = 1 << 20
STEP_SECONDS = 0.01
#: seconds after which a statement that was cancelled and still runs is told again: it may have
#: been between two pieces of work that can be stopped
AGAIN_SECONDS = 0.02
#: a text that took more of a processor is passed to a thread
QUICK_SECONDS = 0.005


class Running:
    """A text at work. `rows` counts those given so far, `bytes` their size; `title` is what its
    first statement is called (SELECT …), None before it began."""

    def __init__(
        self,
        session: ServerSession,
        text: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None,
        play: Play,
        *,
        may_route: bool,
        stepwise: bool = False,
    ) -> None:
        self.number = next_number()
        self.session, self.text, self.parameters = session, text, parameters
        self.started_at = time.monotonic()
        #: time.time() when it was taken, for people
        self.begun = time.time()
        self.rows = 0
        self.bytes = 0
        self.is_cancelled = False
        #: whether its text and parameters say all that it depends on
        self.may_be_quick = False
        #: whether its Complete was taken
        self.is_complete = False
        #: where it runs, if not in this process
        self.worker: str | None = None
        #: W3C's trace context of whoever asked
        self.traceparent: str | None = None
        #: what stops it there
        self.on_cancel: Callable[[], object] | None = None
        self.play = play
        self._may_route = may_route
        self._stepwise = stepwise
        self._events: Iterator[Event] | None = None
        self._routed: Routed | None = None
        self._ready: deque[Event] = deque()
        self._error: Error | None = None
        self._is_begun = False  # asked for its first event
        self._is_computed = False  # there are no events after those that are ready
        self._is_over = False
        self._is_pulling = False
        self._stepping = False  # a step is queued or runs
        self._seconds = 0.0  # of a processor, so far
        self._in_step = False  # a thread is at it
        self._bulk = False  # the step before ended because it was full
        self._waiter: asyncio.Future[None] | None = None

    # --- for doors ---

    def __aiter__(self) -> Running:
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises Error if the text failed."""
        while not self._ready:
            if self._is_computed:
                self._end()
            if self._routed is not None:
                await self._pull(self._routed)
            elif not self._is_begun:
                await self._begin()
            else:
                self._step()
                await self._changed()
        return self._pop()

    def take(self) -> Event | None:
        """An event that is ready now, else None."""
        return self._pop() if self._ready else None

    def at_once(self, send: Callable[[Iterable[Event]], object]) -> bool:
        """Computes all events here and now and sends them; False if that might take a while, or is
        not its turn. Raises Error if the text failed. Passing work to a thread and back takes
        longer than a row of constants, or a row by its key, and for those alone it is saved: what a
        text's plan was when it last ran (and how long it took) says whether it is one of them."""
        session = self.session
        if not self.may_be_quick or self._is_begun or not session.may_run_at_once:
            return False
        if not session.quick.knows(self.text, self.parameters):
            return False
        self._is_begun = True
        began = time.perf_counter()
        while not self._is_computed:
            self._compute()
        self.session.engine.note_spent(time.perf_counter() - began)
        error, self._error = self._error, None
        if error is None:  # the client has its answer before the books are kept
            send(self._ready)
        for event in self._ready:
            self._note(event)
        self._ready.clear()
        self._note_speed()
        self._is_over = True
        self.session.engine.end(self, error)
        self.session.forget(self)
        if error is not None:
            try:
                raise self._shown(error)
            finally:
                error = None  # its frames, of which this is one, go when nobody has it any more
        return True

    def _note_speed(self) -> None:
        """Whether the text may run at once from now on."""
        is_quick = self.play.is_bounded and self._seconds < QUICK_SECONDS
        if self.may_be_quick:
            self.session.quick.note(self.text, self.parameters, is_quick)

    async def close(self) -> None:
        """Stops it, if it is not over, and lets go of its snapshot. Idempotent."""
        if self._is_over:
            return
        self._is_over = True
        self.cancel()
        self.session.engine.end(self, None)
        self._ready.clear()
        routed, self._routed = self._routed, None
        if routed is not None:
            await routed.aclose()
        elif self._is_begun:
            while self._stepping:
                await self._changed()
            if self._events is not None and not self._is_computed:
                await self.session.do(self._let_go)
        self._ready.clear()
        self.session.forget(self)

    def cancel(self) -> None:
        """Makes it end with Cancelled, whether it waits, runs, or is between two steps."""
        self.is_cancelled = True
        if self.on_cancel is not None:
            self.on_cancel()
        if self._in_step:
            self.session.interrupt()
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._cancel_again)

    @property
    def is_over(self) -> bool:
        """Whether it ended, failed or was closed."""
        return self._is_over

    @property
    def has_begun(self) -> bool:
        """Whether a thread of this process has begun it, or another process was asked to."""
        return self._events is not None or self.on_cancel is not None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the next event is waited for, and another process computes it."""
        return self._is_pulling

    @property
    def is_computing(self) -> bool:
        """Whether a thread is at it now."""
        return self._in_step

    @property
    def title(self) -> str | None:
        return self.play.title

    @property
    def elapsed(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self.started_at

    # --- on the event loop ---

    async def _begin(self) -> None:
        """Takes its place in the session's order."""
        self._is_begun = True
        if self._may_route:
            router = self.session.engine.router
            assert router is not None
            async with self.session.turn():
                if not self.is_cancelled:
                    self._routed = await router.route(self)
            if self._is_over:  # closed meanwhile
                routed, self._routed = self._routed, None
                if routed is not None:
                    await routed.aclose()
                raise Cancelled("the statement was cancelled")
            if self._routed is not None:
                return
        self._step()
        await self._changed()

    async def _pull(self, routed: Routed) -> None:
        """The next event of a text that runs elsewhere."""
        self._is_pulling = True
        try:
            if self.is_cancelled:
                raise Cancelled("the statement was cancelled")
            event = await routed.__anext__()
        except Error as error:
            self._error, self._is_computed, self._routed = error, True, None
            await routed.aclose()
            return
        finally:
            self._is_pulling = False
        self._ready.append(event)
        while (more := routed.take()) is not None:
            self._ready.append(more)
        if type(self._ready[-1]) is Complete:
            self._is_computed, self._routed = True, None

    def _step(self) -> None:
        """Has the next events computed, if that is not under way."""
        if not self._stepping:
            self._stepping = True
            self.session.put(Job(self._compute, self._computed))

    async def _changed(self) -> None:
        """Returns when there may be more events."""
        if not self._stepping:
            return
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        # shielded: one who waits may be cancelled, and others wait on
        await asyncio.shield(self._waiter)

    def wake(self) -> None:
        """Gives what is ready to who waits."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def note_progress(self) -> None:
        """A long step: what was said meanwhile is passed on, and how far it is."""
        advance = self.session.advance
        if advance is not None and not self._ready:
            self._ready.append(Progress(advance.share, f"{advance.done:,} rows"))
        if self._ready:
            self.wake()

    def _computed(self) -> None:
        """A step is over."""
        self._stepping = False
        self.session.job_over()
        self.wake()

    def _pop(self) -> Event:
        event = self._ready.popleft()
        self._note(event)
        # while a bulk result is sent, the next step of it is computed
        if self._bulk and not self._ready and not self._is_computed and not self._is_over:
            self._step()
        return event

    def _note(self, event: Event) -> None:
        """Counts what is given."""
        kind = type(event)
        if kind is Rows:
            assert isinstance(event, Rows)
            self.rows += event.count
            self.bytes += event.size
        elif kind is Notice:
            assert isinstance(event, Notice)
            self.play.note_taken(event)
        elif kind is Complete:
            self.is_complete = True

    def _end(self) -> None:
        """Nothing more comes: how it ended."""
        error, self._error = self._error, None
        if not self._is_over:
            if self.play.is_bounded and error is None:
                self._note_speed()
            self._is_over = True
            self.session.engine.end(self, error)
            self.session.forget(self)
        if error is not None:
            try:
                raise self._shown(error)
            finally:
                error = None  # see at_once
        raise StopAsyncIteration

    def _shown(self, error: Error) -> Error:
        """An error as its client sees it: what goes on inside is told to owners alone."""
        account = self.session.account
        if not isinstance(error, InternalFault) or account is None or account.is_owner:
            return error
        return InternalFault(
            "the server met a bug of its own; the session is closed",
            hint="the server's log says more; what is committed is safe",
        )

    def _cancel_again(self) -> None:
        if self._in_step:
            self.session.interrupt()
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._cancel_again)

    # --- on an engine thread ---

    def _compute(self) -> None:
        """One step; raises nothing."""
        self._in_step = True
        began = time.thread_time()
        try:
            if self.is_cancelled:
                raise Cancelled("the statement was cancelled")
            if self._events is None:
                self._events = self.play.events(self._ready.append)
            self._fill(self._events)
        except Error as error:
            self._fail(error)
        except Exception as fault:  # what a session's guard lets through is a bug of the server's
            self._fail(InternalFault(f"{type(fault).__name__}: {fault}"))
        finally:
            self._in_step = False
            self._seconds += time.thread_time() - began

    def _fill(self, events: Iterator[Event]) -> None:
        """Events until the step is full."""
        began = time.perf_counter()
        size, self._bulk = 0, False
        for event in events:
            self._ready.append(event)
            kind = type(event)
            if kind is Complete:
                self._is_computed = True
                return
            if kind is Rows:
                assert isinstance(event, Rows)
                size += event.size
                if size >= STEP_BYTES:
                    self._bulk = True
                    return
            elif kind is Finished and self._stepwise:
                return
            if time.perf_counter() - began > STEP_SECONDS:
                return
        raise AssertionError("the last event is Complete")

    def _fail(self, error: Error) -> None:
        if self.is_cancelled:  # what its frames hold is of use to nobody, and goes at once
            error.__traceback__ = error.__context__ = error.__cause__ = None
        self._error, self._is_computed = error, True
        if self.play.title is None:
            self.play.title = self.play.session.title
        if self._events is not None:
            self._let_go()

    def _let_go(self) -> None:
        """Ends the text where it is: its open result lets go of the snapshot."""
        assert self._events is not None
        closing = getattr(self._events, "close", None)
        if closing is not None:
            closing()
