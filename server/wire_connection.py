"""One connection of the wire: frames of a client become work of its session, events become frames.

Every statement has a task that sends what it gives. Rows are sent as long as the statement has
credit, a credit each; small answers leave as one message. A frame that is not of the protocol ends
the connection with a WIRE error; what is wrong with a statement is that statement's error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import WSMsgType

from hartonomous.hql.errors import Busy, TransactionFault, WireFault
from hartonomous.server import wire
from hartonomous.server.events import Finished, Rows
from hartonomous.server.running import Running
from hartonomous.server.wire import EventWriter, Frame, take
from hartonomous.server.wire_parameters import Uploads, given_parameters, given_sets
from hartonomous.server.wire_questions import QUESTIONS
from hartonomous.storage.errors import Cancelled, Error

if TYPE_CHECKING:
    from aiohttp import web

    from hartonomous.server.sessions import ServerSession

#: rows frames that a statement may send before its client says more
CREDIT = 4
CREDIT_MAX = 1 << 20
#: bytes that are gathered into one message
MESSAGE_BYTES = 64 << 10
#: bytes that may wait for a slow client before its statements wait too
WAITING_BYTES = 1 << 20
Handler = Callable[["WireConnection", Frame], None]


class Statement:
    """One statement of the client. `credit`: rows frames that may be sent; `steps`: results that
    may be begun, None: all."""

    __slots__ = ("credit", "is_closed", "number", "running", "steps", "waiter")

    def __init__(self, number: int, running: Running, credit: int, stepwise: bool) -> None:
        self.number, self.running, self.credit = number, running, credit
        self.steps: int | None = 0 if stepwise else None
        self.is_closed = False
        self.waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Something that it may wait for came."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self) -> None:
        """Returns when something came. Raises Cancelled if it is cancelled, or was before."""
        if not self.running.is_cancelled:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        if self.running.is_cancelled:
            raise Cancelled("the statement was cancelled")


class Gathered:
    """Frames on their way: small ones leave as one message, large rows as one of their own whose
    Arrow bytes are not copied."""

    __slots__ = ("_parts", "_send", "_size")

    def __init__(self, send: Callable[..., Awaitable[None]]) -> None:
        self._send = send
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, frame: bytes) -> None:
        """One more frame."""
        self._parts.append(frame)
        self._size += len(frame)
        if self._size >= MESSAGE_BYTES:
            await self.flush()

    async def add_rows(self, number: int, rows: Rows) -> None:
        """Rows of the statement `number`."""
        head, encoded = wire.rows_parts(number, rows)
        if len(encoded) < MESSAGE_BYTES:
            await self.add(head + bytes(encoded))
            return
        await self.flush()
        await self._send(head, encoded)

    async def flush(self) -> None:
        """Sends what is there."""
        if self._parts:
            parts, self._parts, self._size = self._parts, [], 0
            await self._send(b"".join(parts))

    def clear(self) -> None:
        """Forgets what was not sent."""
        self._parts, self._size = [], 0


class WireConnection:
    """A client that has been welcomed."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        session: ServerSession,
    ) -> None:
        self.socket, self.transport, self.session = socket, transport, session
        transport.set_write_buffer_limits(WAITING_BYTES)
        self._drain = drain
        self.settings = session.engine.settings
        self.uploads = Uploads(self.settings.upload_bytes_max)
        self._statements: dict[int, Statement] = {}
        self._prepared: dict[int, str] = {}
        self._writer = EventWriter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    async def serve(self) -> None:
        """Until either side leaves. Raises WireFault, ConnectionError."""
        self.session.on_close = self._expel
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
                elif message.type is WSMsgType.TEXT:
                    raise WireFault("messages are binary")
                elif message.type is WSMsgType.ERROR:
                    raise WireFault("a message is not WebSocket's")
                else:
                    return
        finally:
            self.session.on_close = None
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
        timeout, memory = take(frame, "timeout", float, None), take(frame, "memory", int, None)
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
            events = running.at_once() if credit > 0 else None
        except Error as error:
            self._write(wire.pack(wire.error_frame(error, number, self.session.state)))
            return
        if events is None:
            self._follow(Statement(number, running, min(credit, CREDIT_MAX), stepwise))
        else:
            self._write(b"".join([self._writer.write(number, event) for event in events]))

    def _many(self, frame: Frame) -> None:
        number = self._new_number(frame)
        text = take(frame, "text", str)
        timeout, memory = take(frame, "timeout", float, None), take(frame, "memory", int, None)
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
        self._write(wire.pack(wire.error_frame(error, number, self.session.state)))

    # --- sending ---

    def _write(self, message: bytes) -> None:
        """Sends a small message now, without a task: a WebSocket frame, binary and whole."""
        if self.transport.get_write_buffer_size() > 0:
            self._go(self._send(message))
        elif not self.transport.is_closing():
            self.transport.write(_head(len(message)) + message)

    async def _send(self, *parts: bytes | memoryview) -> None:
        """Sends a message of these parts, copying none of them, and waits while too much waits for
        the client. Raises ConnectionError."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.transport.write(_head(sum(map(len, parts))) + parts[0])
        for part in parts[1:]:
            self.transport.write(part)
        if self.transport.get_write_buffer_size() > WAITING_BYTES:
            await self._drain()

    def _follow(self, statement: Statement) -> None:
        self._statements[statement.number] = statement
        self._go(self._pump(statement))

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

    async def _pump(self, statement: Statement) -> None:
        """Sends what a statement gives, to its end; the last frame is complete, error or done."""
        number, running = statement.number, statement.running
        out = Gathered(self._send)
        try:
            while True:
                event = running.take()
                if event is None:
                    await out.flush()
                    event = await anext(running, None)
                    if event is None:
                        return
                if type(event) is Rows:
                    if statement.credit <= 0:
                        await out.flush()
                        while statement.credit <= 0:
                            await statement.wait()
                    statement.credit -= 1
                    await out.add_rows(number, event)
                    continue
                await out.add(self._writer.write(number, event))
                if type(event) is Finished and statement.steps is not None:
                    await out.flush()
                    while statement.steps <= 0:
                        await statement.wait()
                    statement.steps -= 1
        except Error as error:
            await running.close()
            last = wire.error_frame(error, number, self.session.state)
            if statement.is_closed:
                out.clear()
                last = self._done(number)
            await out.add(wire.pack(last))
            await out.flush()
        finally:
            self._statements.pop(number, None)
            if not running.is_over:
                await running.close()

    async def _send_frame(self, frame: Frame) -> None:
        await self._send(wire.pack(frame))

    def _done(self, number: int) -> Frame:
        return {"type": "done", "id": number, "state": wire.state_fields(self.session.state)}

    # --- steering statements ---

    def _credit(self, frame: Frame) -> None:
        statement = self._statements.get(take(frame, "id", int))
        if statement is not None:
            more = max(0, take(frame, "n", int, 1))
            statement.credit = min(statement.credit + more, CREDIT_MAX)
            statement.wake()

    def _next(self, frame: Frame) -> None:
        statement = self._statements.get(take(frame, "id", int))
        if statement is not None and statement.steps is not None:
            statement.steps += 1
            statement.wake()

    def _cancel(self, frame: Frame) -> None:
        number = take(frame, "id", int, None)
        if number is None:
            self.session.cancel()
            for statement in self._statements.values():
                statement.wake()
            return
        statement = self._statements.get(number)
        if statement is not None:
            statement.running.cancel()
            statement.wake()

    def _close(self, frame: Frame) -> None:
        statement = self._statements.get(take(frame, "id", int))
        if statement is not None:
            statement.is_closed = True
            statement.running.cancel()
            statement.wake()

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
        number, name = self._new_number(frame), take(frame, "frame", int)
        if len(self.session.frames) >= self.settings.frames_max:
            raise WireFault(f"more than {self.settings.frames_max} frames")
        params = frame.get("params")

        async def work() -> None:
            await self.session.open_frame(name, given_parameters(params, self.uploads))

        self._go(self._answered(number, work))

    def _close_frame(self, frame: Frame) -> None:
        number, name = self._new_number(frame), take(frame, "frame", int)
        self._go(self._answered(number, lambda: self.session.close_frame(name)))

    def _do(self, frame: Frame, work: Callable[[Any], None]) -> None:
        number = self._new_number(frame)
        self._go(self._answered(number, lambda: self.session.call(work)))

    async def _answered(self, number: int, work: Callable[[], Awaitable[None]]) -> None:
        """Does something and says done, or what went wrong."""
        try:
            await work()
            answer = self._done(number)
        except Error as error:
            answer = wire.error_frame(error, number, self.session.state)
        await self._send_frame(answer)

    def _ask(self, frame: Frame) -> None:
        number, about = self._new_number(frame), take(frame, "about", str)
        question = QUESTIONS.get(about)
        if question is None:
            raise WireFault(f"nothing is known about {about[:20]!r}")

        async def answered() -> None:
            try:
                frames = self.session.frames
                value = await self.session.call(lambda session: question(session, frames, frame))
                answer: Frame = {"type": "answer", "id": number, "value": value}
            except Error as error:
                answer = wire.error_frame(error, number, self.session.state)
            await self._send_frame(answer)

        self._go(answered())

    def _upload(self, frame: Frame) -> None:
        self.uploads.add(
            take(frame, "upload", int), take(frame, "data", bytes), take(frame, "last", bool, False)
        )

    # --- life ---

    def _ping(self, frame: Frame) -> None:
        self._write(wire.pack({"type": "pong", "id": take(frame, "id", int, None)}))

    def _bye(self, frame: Frame) -> None:
        self._is_leaving = True

    def _expel(self, why: str) -> None:
        """The server ends the session."""
        self._is_leaving = True

        async def leave() -> None:
            await self._send_frame({"type": "goodbye", "reason": why})
            await self.socket.close(code=1001, message=why.encode()[:100])

        self._go(leave())

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


def _head(size: int) -> bytes:
    """The head of a WebSocket frame: a whole binary message of the server's."""
    if size < 126:
        return bytes((0x82, size))
    if size < 1 << 16:
        return b"\x82\x7e" + size.to_bytes(2, "big")
    return b"\x82\x7f" + size.to_bytes(8, "big")
