"""Queries that worker processes answer, and how their rows come through.

    text ─▶ may it be one for a worker? ─▶ Ask ─▶ NotMine: the session runs it
             (a cheap look)                    ─▶ rows, relayed as they are encoded

What a query may be is settled by the worker, when it has bound it (hql/elsewhere.py). It reads the
log at least as far as it was durable when the query came, so a client sees its own writes, and
everybody's that were acknowledged before. A worker may see a commit a moment before this process
shows it: its rows wait until it does, so that nobody sees it and then not.

What turns out to be the work of a row or so goes to a worker only while this process is busy: to
pass it on costs more than to do it.

The first rows are waited for before anything is given on. Until then a worker that dies costs
another try.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.elsewhere import AwayQuery
from hartonomous.hql.errors import AuthFault, ConfigurationFault, WorkerFault
from hartonomous.hql.parameters import is_table
from hartonomous.server.events import Columns, Complete, Event, Finished, Rows
from hartonomous.server.memory import memory_of
from hartonomous.server.play import schema_of
from hartonomous.server.worker_frames import Ask, Began, Ended, Failed, NotMine, Some
from hartonomous.server.workers import Gone, Pipe, Workers
from hartonomous.storage.errors import Cancelled, Error

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.server.engine import Engine
    from hartonomous.server.running import Running

#: how a text begins that may be a query: after comments and brackets
_QUERY: Final = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH)\b", re.I | re.S)
#: it reads something
_READS: Final = re.compile(r"\bFROM\b", re.I)
#: what only a session knows, or what changes something
_OWN: Final = re.compile(r"#|@@|\bINTO\b", re.I)
#: longer texts are not looked at
TEXT_CHARACTERS_MAX: Final = 20_000
#: texts that workers have handed back, and for how many seconds they are not asked again: what a
#: text means may change. As many are known to be small.
REFUSED_MAX, REFUSED_SECONDS = 1_024, 10.0
#: seconds that a query waits until a worker has read the log as far as it must
WAIT_SECONDS: Final = 0.05
#: workers that are asked for one query: the second if the first dies
TRIES: Final = 2
#: seconds that this process has to show a commit that a worker has seen
SHOW_SECONDS: Final = 1.0
#: seconds that a worker has to end a query that is cancelled
STOP_SECONDS: Final = 5.0

_NUMBERS = itertools.count(1)


class WorkerRouter:
    """Sends queries to workers. On the event loop."""

    def __init__(self, engine: Engine, workers: Workers) -> None:
        self.engine, self.workers = engine, workers
        self.wait_seconds = WAIT_SECONDS
        self._refused: OrderedDict[str, float] = OrderedDict()
        self._small: OrderedDict[str, None] = OrderedDict()
        #: queries that workers answered, that they handed back, that one died of
        self.answered = self.handed_back = self.lost = 0

    async def route(self, running: Running) -> Relay | None:
        """See hooks.Router."""
        if not self._may_go(running):
            return None
        for _ in range(TRIES):
            worker = self.workers.choose()
            if worker is None:
                return None
            try:
                pipe = worker.pipe()
            except Gone:
                continue
            relay = Relay(self, running, pipe)
            try:
                answer = await relay.begin()
            except Gone:
                self.lost += 1
                if running.is_cancelled:
                    return None  # the session says so
                continue
            if answer is None:
                self.answered += 1
                self._note_small(running.text, relay.is_bounded)
                return relay
            self.handed_back += 1
            if answer.lasts:
                self._note_refused(running.text)
            return None
        return None

    def _may_go(self, running: Running) -> bool:
        """Whether a text may be a query for a worker; the worker knows better."""
        session, text = running.session, running.text
        if not session.autocommit or session.in_transaction or session.has_temporary:
            return False
        if len(text) > TEXT_CHARACTERS_MAX or _QUERY.match(text) is None:
            return False
        if _OWN.search(text) is not None or _READS.search(text) is None:
            return False
        if text in self._small and self.engine.may_run_at_once:
            return False
        refused = self._refused.get(text)
        if refused is not None and time.monotonic() < refused:
            return False
        parameters = running.parameters
        if parameters:
            values = parameters.values() if isinstance(parameters, Mapping) else parameters
            return not any(is_table(value) for value in values)
        return True

    def _note_refused(self, text: str) -> None:
        self._refused[text] = time.monotonic() + REFUSED_SECONDS
        self._refused.move_to_end(text)
        if len(self._refused) > REFUSED_MAX:
            self._refused.popitem(last=False)

    def _note_small(self, text: str, is_small: bool) -> None:
        self._small.pop(text, None)
        if is_small:
            self._small[text] = None
            if len(self._small) > REFUSED_MAX:
                self._small.popitem(last=False)


class Relay:
    """One query at a worker: its messages as events."""

    def __init__(self, router: WorkerRouter, running: Running, pipe: Pipe) -> None:
        self._router, self._running, self._pipe = router, running, pipe
        self._number = next(_NUMBERS)
        self._began = time.perf_counter()
        self._events: deque[Event] = deque()
        self._error: Error | None = None
        self._schema: pa.Schema | None = None
        self._rows = 0
        #: whether it is the work of a row or so
        self.is_bounded = False
        self._has_heard_all = False  # of the worker
        self._is_over = False
        self._is_stopped = False
        self._is_closed = False
        self._is_receiving = False
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.call_soon_threadsafe(self.cancel)

        self._away = AwayQuery(running.play.session, running.text, stop)

    # --- the beginning

    async def begin(self) -> NotMine | None:
        """Asks, and waits for the first rows; NotMine if the session is to answer. Raises Gone if
        the worker died."""
        running, is_begun = self._running, False
        running.on_cancel = self.cancel
        try:
            answer = await self._ask()
            is_begun = answer is None
        finally:
            if is_begun:
                self._away.confirm()
                running.worker = f"worker {self._pipe.worker.number}"
                running.play.title = "SELECT"
            else:
                running.on_cancel = None
                self._away.forget()
                self._let_go()
        return answer

    async def _ask(self) -> NotMine | None:
        running, database = self._running, self._router.engine.database
        session = running.play.session
        branch, account = session.branch, session.account  # which EXECUTE AS may have changed
        try:
            session.check_account()  # the worker knows it by name
        except AuthFault:
            self._has_heard_all = True
            return NotMine("the account is gone", lasts=False)
        ask = Ask(
            self._number,
            running.text,
            running.parameters,
            branch,
            None if account is None else account.name,
            running.play.timeout,
            running.play.memory,
            database.position,
            self._router.wait_seconds,
        )
        await self._pipe.send(ask)
        while not self._events and self._error is None:
            message, payload = await self._pipe.receive()
            if isinstance(message, NotMine):
                self._has_heard_all = True
                return message
            if isinstance(message, Began) and not await self._shown(branch, message.sequence):
                await self._drain()
                return NotMine("the commit that it read is not shown here", lasts=False)
            self._note(message, payload)
            if isinstance(message, Began):
                columns = self._events.popleft()  # waits for the rows
        if self._error is None:
            self._events.appendleft(columns)
        return None

    async def _shown(self, branch: str, sequence: int) -> bool:
        """Whether this process shows a commit that a worker has read."""
        deadline = time.monotonic() + SHOW_SECONDS
        try:
            while not self._router.engine.database.shows(branch, sequence):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.001)
        except Error:
            return False  # the branch is gone
        return True

    # --- events

    async def __anext__(self) -> Event:
        """The next event. Raises Error."""
        if not self._events:
            if self._error is not None:
                raise self._finished(self._error)
            self._away.go_on()
            try:
                self._running.play.session.check_account()
            except AuthFault:
                await self.aclose()
                raise
            self._running.session.used_at = time.monotonic()
            try:
                self._note(*await self._receive())
            except Gone as fault:
                raise self._finished(self._why_gone()) from fault
            if self._error is not None:
                raise self._finished(self._error)
        return self._events.popleft()

    async def _receive(self) -> tuple[Any, pa.Buffer | None]:
        """The worker's next message. Who waits here may not be who closes: then this reads on in
        the background, as two may not read at once."""
        self._is_receiving = True
        try:
            frame = await self._pipe.receive()
            if self._is_closed:
                self._has_heard_all = isinstance(frame[0], (Ended, Failed))
                raise Cancelled("the statement was cancelled")
            return frame
        finally:
            self._is_receiving = False
            if self._is_closed:
                self._router.workers.in_background(self._drain())

    def take(self) -> Event | None:
        """An event that is there already, if there is one."""
        if not self._events and self._error is None and not self._has_heard_all:
            frame = self._pipe.take()
            if frame is not None:
                self._note(*frame)
        return self._events.popleft() if self._events else None

    def _note(self, message: Any, payload: pa.Buffer | None) -> None:
        """A message of the worker becomes events."""
        running = self._running
        if isinstance(message, Some):
            assert self._schema is not None
            self._rows += message.count
            self._away.note_rows(message.count)
            self._events.append(Rows(self._schema, encoded=payload, count=message.count))
        elif isinstance(message, Began):
            self._schema, self.is_bounded = schema_of(message.fields), message.is_bounded
            state = running.session.state
            made = Columns(message.fields, self._schema, True, message.row_count, state)
            self._events.append(made)
        elif isinstance(message, Ended):
            self._has_heard_all = True
            elapsed_ms = (time.perf_counter() - self._began) * 1000
            self._events.append(Finished(message.row_count, True))
            self._events.append(Complete(self._rows, elapsed_ms, None, running.session.state))
            self._finished(None)
        else:
            assert isinstance(message, Failed), message
            self._has_heard_all = True
            self._error = message.error

    def _why_gone(self) -> Error:
        if self._is_stopped:
            return Cancelled("the statement was cancelled")
        return WorkerFault("the process that computed the rows ended", hint="run it again")

    # --- the end

    def cancel(self) -> None:
        """Has the query end with Cancelled. Idempotent."""
        if self._is_over or self._is_stopped:
            return
        self._is_stopped = True
        self._pipe.stop(self._number)
        asyncio.get_running_loop().call_later(STOP_SECONDS, self._break_off)

    def _break_off(self) -> None:
        """The worker did not end it in time."""
        if not self._is_over:
            self._pipe.break_off()

    async def aclose(self) -> None:
        """Ends it where it is; what the worker still says of it is read in the background."""
        if self._is_over or self._is_closed:
            return
        self._is_closed = True
        self._away.end(self._error)
        self.cancel()
        if not self._is_receiving:
            self._router.workers.in_background(self._drain())

    async def _drain(self) -> None:
        """Reads what the worker says until it has said all, and gives the pipe back."""
        self.cancel()
        try:
            while not self._has_heard_all:
                message, _ = await self._pipe.receive()
                self._has_heard_all = isinstance(message, (Ended, Failed, NotMine))
        except Gone:
            return
        finally:
            self._let_go()

    def _finished(self, error: Any) -> Any:
        self._away.end(error)
        self._let_go()
        return error

    def _let_go(self) -> None:
        if not self._is_over:
            if not self._has_heard_all:
                self._pipe.stop(self._number)
            self._is_over = True
            self._pipe.worker.give_back(self._pipe, is_clean=self._has_heard_all)


def start_workers(engine: Engine, report: Callable[[str], object]) -> Workers:
    """The workers of an engine that runs, which sends them what they may answer. Raises
    ConfigurationFault."""
    folder = engine.database.path
    if folder is None:
        raise ConfigurationFault(
            "a database in memory has no workers", hint="serve a folder, or leave workers out"
        )
    _, memory = memory_of(engine.settings)
    workers = Workers(str(folder), engine.settings.workers, memory, report)
    workers.start()
    engine.router = WorkerRouter(engine, workers)
    return workers
