"""One connection of the wire: frames of a client become work of its session, events become frames.

Every statement has a task that sends what it gives. Rows are sent as long as the statement has
credit, a credit each; small answers leave as one message. A frame that is not of the protocol ends
the connection with a WIRE error; what is wrong with a statement is that statement's error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import WSMsgType

from hartonomous.hql.errors import Busy, TransactionFault, WireFault
from hartonomous.server import wire
from hartonomous.server.wire import EventWriter, Frame, take, take_limits
from hartonomous.server.wire_parameters import Uploads, given_parameters, given_sets
from hartonomous.server.wire_questions import QUESTIONS
from hartonomous.server.wire_sending import Sender
from hartonomous.server.wire_statement import CREDIT, Statement
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from aiohttp import web

    from hartonomous.server.events import Event
    from hartonomous.server.sessions import ServerSession

#: pieces of work of one connection beside its statements
WORK_MAX = 256
#: that a client has to take what waits for it when the server ends the session
GOODBYE_SECONDS = 5.0
Handler = Callable[["WireConnection", Frame], None]


class WireConnection:
    """A client that has been welcomed."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        session: ServerSession,
    ) -> None:
        self.socket, self.session, self._transport = socket, session, transport
        self.sender = Sender(transport, drain)
        self.settings = session.engine.settings
        self.uploads = Uploads(self.settings.upload_bytes_max)
        self._statements: dict[int, Statement] = {}
        self._prepared: dict[int, str] = {}
        self._writer = EventWriter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_leaving = False
        self._is_expelled = False

    async def serve(self) -> None:
        """Until either side leaves. Raises WireFault, ConnectionError."""
        self.session.on_close = self._expel
        self.session.has_left = self._transport.is_closing
        try:
            while not self._is_leaving:
                message = await self.socket.receive()
                if message.type is WSMsgType.BINARY:
                    self.session.note_use()
                    for frame in wire.unpack(message.data):
                        handler = self.HANDLERS.get(frame["type"])
                        if handler is None:
                            raise WireFault(f"there is no frame {frame['type'][:20]!r}")
                        handler(self, frame)
                    await self.sender.wait_for_reader()
                elif message.type is WSMsgType.TEXT:
                    raise WireFault("messages are binary")
                elif message.type is WSMsgType.ERROR:
                    raise WireFault("a message is not WebSocket's")
                else:
                    return
        finally:
            self.session.on_close = self.session.has_left = None
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- texts ---

    def _query(self, frame: Frame) -> None:
        self._start(frame, take(frame, "text", str))

    def _execute(self, frame: Frame) -> None:
        text = self._prepared.get(take(frame, "statement", int))
        if text is None:
            raise WireFault(f"there is no prepared statement {frame['statement']}")
        self._start(frame, text)

    def _start(self, frame: Frame, text: str) -> None:
        number = self._new_number(frame)
        credit = take(frame, "credit", int, CREDIT)
        stepwise = take(frame, "stepwise", bool, False)
        timeout, memory = take_limits(frame)
        try:
            self._check_room()
            parameters = given_parameters(frame.get("params"), self.uploads)
            running = self.session.run(
                text,
                parameters,
                frame=take(frame, "frame", int, None),
                timeout=timeout,
                memory=memory,
                stepwise=stepwise,
                traceparent=take(frame, "traceparent", str, None),
            )
        except WireFault:
            raise
        except Error as error:
            self._answer_error(number, error)
            return
        try:
            is_sent = credit > 0 and running.at_once(partial(self._send_events, number))
        except Error as error:
            self._answer_error(number, error)
            return
        if not is_sent:
            self._follow(Statement(number, running, credit, stepwise))

    def _send_events(self, number: int, events: Iterable[Event]) -> None:
        self.sender.write(b"".join([self._writer.write(number, event) for event in events]))

    def _many(self, frame: Frame) -> None:
        number = self._new_number(frame)
        text = take(frame, "text", str)
        timeout, memory = take_limits(frame)
        try:
            self._check_room()
            rows = given_sets(frame, self.uploads)
            running = self.session.run_many(text, rows, timeout=timeout, memory=memory)
        except WireFault:
            raise
        except Error as error:
            self._answer_error(number, error)
            return
        self._follow(Statement(number, running, CREDIT, False))

    def _prepare(self, frame: Frame) -> None:
        number = take(frame, "statement", int)
        if number not in self._prepared and len(self._prepared) >= self.settings.prepared_max:
            raise WireFault(f"more than {self.settings.prepared_max:,} prepared statements")
        self._prepared[number] = take(frame, "text", str)

    def _forget(self, frame: Frame) -> None:
        self._prepared.pop(take(frame, "statement", int), None)

    def _check_room(self) -> None:
        """Raises Busy if too many statements are open."""
        if len(self._statements) >= self.settings.statements_max:
            raise Busy(
                f"{self.settings.statements_max} statements of this session are open",
                hint="read or close the others first",
            )

    def _new_number(self, frame: Frame) -> int:
        number = take(frame, "id", int)
        if number in self._statements:
            raise WireFault(f"statement {number} is open already")
        return number

    def _answer_error(self, number: int, error: Error) -> None:
        self.sender.write(wire.pack(wire.error_frame(error, number, self.session.state)))

    # --- sending ---

    def _follow(self, statement: Statement) -> None:
        self._statements[statement.number] = statement
        self._go(self._send_all_of(statement))

    async def _send_all_of(self, statement: Statement) -> None:
        try:
            await statement.follow(self.sender, self._writer, self._state)
        finally:
            self._statements.pop(statement.number, None)

    def _go(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        fault = task.exception()
        if isinstance(fault, ConnectionError):
            return  # the client is gone, which `serve` hears too
        if fault is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a task of a connection failed", "exception": fault, "task": task}
            )

    def _state(self) -> Frame:
        return wire.state_fields(self.session.state)

    def _done(self, number: int) -> Frame:
        return {"type": "done", "id": number, "state": self._state()}

    # --- steering statements ---

    def _credit(self, frame: Frame) -> None:
        statement = self._statements.get(take(frame, "id", int))
        if statement is not None:
            statement.add_credit(take(frame, "n", int, 1))

    def _next(self, frame: Frame) -> None:
        statement = self._statements.get(take(frame, "id", int))
        if statement is not None:
            statement.go_on()

    def _cancel(self, frame: Frame) -> None:
        number = take(frame, "id", int, None)
        if number is None:
            self.session.cancel()
            for statement in self._statements.values():
                statement.wake()
            return
        statement = self._statements.get(number)
        if statement is not None:
            statement.cancel()

    def _close(self, frame: Frame) -> None:
        statement = self._statements.get(take(frame, "id", int))
        if statement is not None:
            statement.close()

    # --- the session ---

    def _begin(self, frame: Frame) -> None:
        self._do(frame, _begin)

    def _commit(self, frame: Frame) -> None:
        self._do(frame, lambda session: session.commit())

    def _rollback(self, frame: Frame) -> None:
        self._do(frame, lambda session: session.rollback())

    def _set(self, frame: Frame) -> None:
        autocommit = take(frame, "autocommit", bool, None)
        branch = take(frame, "branch", str, None)

        def change(session: Any) -> None:
            if branch is not None:
                session.use_branch(branch)
            if autocommit is not None:
                if autocommit and session.in_transaction:
                    session.commit()
                session.autocommit = autocommit

        self._do(frame, change)

    def _open_frame(self, frame: Frame) -> None:
        name, params = take(frame, "frame", int), frame.get("params")

        async def work(number: int) -> Frame:
            if len(self.session.frames) >= self.settings.frames_max:
                raise Busy(f"{self.settings.frames_max} frames are open", hint="close others first")
            await self.session.open_frame(name, given_parameters(params, self.uploads))
            return self._done(number)

        self._answer(frame, work)

    def _close_frame(self, frame: Frame) -> None:
        name = take(frame, "frame", int)

        async def work(number: int) -> Frame:
            await self.session.close_frame(name)
            return self._done(number)

        self._answer(frame, work)

    def _do(self, frame: Frame, change: Callable[[Any], None]) -> None:
        async def work(number: int) -> Frame:
            await self.session.call(change)
            return self._done(number)

        self._answer(frame, work)

    def _ask(self, frame: Frame) -> None:
        about, frames = take(frame, "about", str), self.session.frames
        question = QUESTIONS.get(about)
        if question is None:
            raise WireFault(f"nothing is known about {about[:20]!r}")

        async def work(number: int) -> Frame:
            value = await self.session.call(lambda session: question(session, frames, frame))
            return {"type": "answer", "id": number, "value": value}

        self._answer(frame, work)

    def _answer(self, frame: Frame, work: Callable[[int], Awaitable[Frame]]) -> None:
        """Has something done that gives the answer's frame."""
        number = self._new_number(frame)
        if len(self._tasks) < WORK_MAX:
            self._go(self._answered(number, work))
        else:
            self._answer_error(number, Busy(f"{WORK_MAX} things are asked of this session already"))

    async def _answered(self, number: int, work: Callable[[int], Awaitable[Frame]]) -> None:
        try:
            answer = await work(number)
        except Error as error:
            answer = wire.error_frame(error, number, self.session.state)
        await self.sender.send_frame(answer)

    def _upload(self, frame: Frame) -> None:
        self.uploads.add(
            take(frame, "upload", int), take(frame, "data", bytes), take(frame, "last", bool, False)
        )

    # --- life ---

    def _ping(self, frame: Frame) -> None:
        self.sender.write(wire.pack({"type": "pong", "id": take(frame, "id", int, None)}))

    def _bye(self, frame: Frame) -> None:
        self._is_leaving = True

    def _expel(self, why: str) -> None:
        """The server ends the session. A client that does not take the goodbye, or has said that it
        sends no more and does not read either, is not waited for."""
        if self._transport.is_closing():
            self._transport.abort()
        elif not self._is_expelled:
            self._is_leaving = self._is_expelled = True
            self._go(self._leave(why))

    async def _leave(self, why: str) -> None:
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self.sender.send_frame({"type": "goodbye", "reason": why})
                await self.socket.close(code=1001, message=why.encode()[:100])
        except TimeoutError:
            self._transport.abort()

    HANDLERS: ClassVar[dict[str, Handler]] = {
        "query": _query,
        "execute": _execute,
        "many": _many,
        "prepare": _prepare,
        "forget": _forget,
        "credit": _credit,
        "next": _next,
        "cancel": _cancel,
        "close": _close,
        "begin": _begin,
        "commit": _commit,
        "rollback": _rollback,
        "set": _set,
        "open_frame": _open_frame,
        "close_frame": _close_frame,
        "ask": _ask,
        "upload": _upload,
        "ping": _ping,
        "bye": _bye,
    }


def _begin(session: Any) -> None:
    if session.in_transaction:
        raise TransactionFault(
            "a transaction is open already", hint="use SAVE TRAN inside a transaction"
        )
    session.begin()
