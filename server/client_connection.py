"""ServerConnection: what the wire protocol asks of a client, below the session that it shows.

It sends frames, reads what comes and hands it to the text that it is of (Stream), remembers what
the session is like, and is made again when it broke and nothing is lost with it.
"""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hartonomous.hql.errors import (
    AuthFault,
    ConnectionFault,
    InternalFault,
    ParameterFault,
    TransactionFault,
    WireFault,
)
from hartonomous.hql.opening import CONNECT_SECONDS, Options
from hartonomous.server import wire
from hartonomous.server.client_address import Address
from hartonomous.server.client_schemas import Schemas
from hartonomous.server.client_stream import RemoteAdvance, Stream
from hartonomous.server.client_texts import Texts
from hartonomous.server.frame_reader import READ_BYTES
from hartonomous.server.transport import Transport
from hartonomous.server.wire import Frame
from hartonomous.storage.errors import Cancelled

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.plan import Field

#: entries of an array or map that a server may send
ENTRIES_MAX = 1 << 20


class ServerConnection:
    """A connection to a server that has welcomed it."""

    def __init__(self, address: Address, options: Options) -> None:
        self._address, self._options = address, options
        #: texts that nobody reads any more and that the server has not heard so of
        self.abandoned: deque[int] = deque()
        self._turn = threading.RLock()
        self._numbers = itertools.count(1)
        self._running: int | None = None  # the text that `cancel` means
        self._advance: RemoteAdvance | None = None
        self._is_closed = False
        self._is_gathering = self._was_cancelled = False  # parameters, of a text not sent yet
        self._keeps = False  # the session may have something of its own
        self._wants: tuple[str | None, bool] = (
            options.get("branch"),
            options.get("autocommit", True),
        )
        self._connect()
        self._home = (self._branch, self._autocommit)

    # --- connecting ------------------------------------------------------------------------------

    def _connect(self) -> None:
        """A new session at the server. Raises Error."""
        tls = None
        if self._address.is_secure:
            from hartonomous.server.transport_tls import client_context

            try:
                tls = client_context(self._options.get("ca_file"))
            except OSError as fault:
                raise ConnectionFault(f"ca_file cannot be read: {fault}") from fault
        self._transport = Transport(
            self._address.host,
            self._address.port,
            path=wire.PATH,
            subprotocol=wire.SUBPROTOCOL,
            tls=tls,
            connect_timeout=self._options.get("connect_timeout", CONNECT_SECONDS),
        )
        self._transport.on_interrupt = self._cancel_now
        self._streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
        self._frames: set[int] = set()
        self._schemas = Schemas()
        self._state_of = 0
        self._uploads = itertools.count(1)
        try:
            self._welcomed(self._say_hello())
            self._transport.wait_for(self._options.get("read_timeout"))
        except BaseException:
            self._transport.drop()
            raise

    def _say_hello(self) -> Frame:
        from importlib.metadata import version

        branch, autocommit = self._wants
        hello: Frame = {
            "type": "hello",
            "versions": [wire.VERSION],
            "client": f"hartonomous {version('hartonomous')}",
            "autocommit": autocommit,
            "branch": branch,
            "author": self._options.get("author"),
        }
        token = self._options.get("token")
        if token is not None:
            hello["auth"] = {"token": token}
        elif (password := self._options.get("password")) is not None:
            hello["auth"] = {"user": self._address.user or "", "password": password}
        self._transport.send(wire.pack(hello))
        (frame,) = wire.unpack(self._transport.receive(), entries_max=ENTRIES_MAX)
        match frame["type"]:
            case "welcome":
                return frame
            case "challenge":
                raise AuthFault(
                    "the server asks who you are",
                    hint="hql://user:password@host:7433/, or token=…; the shell reads "
                    "HQL_PASSWORD and HQL_TOKEN",
                )
            case "error":
                raise wire.error_of(frame)
        raise WireFault(f"a server that greets with {frame['type'][:20]!r}")

    def _welcomed(self, welcome: Frame) -> None:
        self.server = str(welcome["server"])
        self.number = int(welcome["session"])
        self.user: str | None = welcome["user"]
        self.author = str(welcome["author"])
        self.read_only = bool(welcome["read_only"])
        self.database_name = str(welcome["database"])
        self.limits: Mapping[str, Any] = welcome["limits"]
        self._texts = Texts(self.limits["prepared"])
        self._note_state(welcome["state"])

    def _note_state(self, state: Frame) -> None:
        self._in_transaction = bool(state["in_transaction"])
        self._branch = str(state["branch"])
        self._autocommit = bool(state["autocommit"])
        self.last_identity: int | None = state["last_identity"]

    def check_open(self) -> None:
        """Raises TransactionFault if it is closed."""
        if self._is_closed:
            raise TransactionFault("the connection is closed", hint="connect again")

    # --- frames of the wire ----------------------------------------------------------------------

    def _request(self, frame: Frame) -> Frame:
        """Asks for something that is no text; the frame that answers. Raises Error."""
        self.check_open()
        with self._turn:
            self._come_back_if_lost()
            stream = self._send(frame, None)
            self._wait_for_end(stream)
        assert stream.last_frame is not None
        return stream.last_frame

    def _wait_for_end(self, stream: Stream) -> None:
        self.wait(stream, lambda: stream.is_over)
        if stream.error is not None:
            stream.check()

    def _send(
        self,
        frame: Frame,
        messages: list[str] | None,
        is_stepwise: bool = False,
        ahead: bytes = b"",
    ) -> Stream:
        """Sends a frame that is answered, and others `ahead` of it."""
        if len(self._streams) >= self.limits["statements"] // 2:
            gc.collect()  # cursors that nobody has any more hold themselves until then
        while self.abandoned:
            self.forget(self.abandoned.popleft())
        number = next(self._numbers)
        stream = Stream(self, number, messages, is_stepwise)
        message = ahead + wire.pack({"id": number, **frame})
        if len(message) > self.limits["message_bytes"]:
            stream.is_over = True
            self._texts = Texts(self.limits["prepared"])  # what is ahead will not come
            raise ParameterFault(
                f"the text and its parameters are {len(message):,} bytes; the server takes "
                f"{self.limits['message_bytes']:,}",
                hint="pass many values as a table: an Arrow table, a data frame",
            )
        self._streams[number] = stream
        try:
            self._transport.send(message)
        except BaseException:
            stream.is_over = True
            raise
        return stream

    def _gathered(self, pieces: Iterator[bytes]) -> list[bytes]:
        """What is to be uploaded, made whole before any is sent: making it may fail. Raises
        Cancelled, and ParameterFault if it is more than the server takes."""
        self._is_gathering, self._was_cancelled = True, False
        gathered: list[bytes] = []
        size, room = 0, self.limits["message_bytes"] // 2  # one value may be more than a message
        try:
            for piece in pieces:
                if self._was_cancelled:
                    raise Cancelled("the statement was cancelled")
                gathered += [piece[i : i + room] for i in range(0, max(len(piece), 1), room)]
                size += len(piece)
                if size > self.limits["upload_bytes"]:
                    raise ParameterFault(
                        f"the parameters are more than the {self.limits['upload_bytes']:,} bytes "
                        "that the server takes at once",
                        hint="hand them over in parts, inside one transaction",
                    )
        finally:
            self._is_gathering = False
        return gathered

    def _upload(self, pieces: Iterator[bytes]) -> int:
        """Sends what a later frame names, in pieces; its number. Raises as _gathered does."""
        return self._send_upload(self._gathered(pieces))

    def _send_upload(self, pieces: Sequence[bytes]) -> int:
        number = next(self._uploads)
        for i, piece in enumerate(pieces, 1):
            is_last = i == len(pieces)
            self.steer({"type": "upload", "upload": number, "data": piece, "last": is_last})
        return number

    def steer(self, frame: Frame) -> None:
        """Sends a frame that nothing answers. Raises ConnectionFault."""
        self._transport.send(wire.pack(frame))

    def wait(self, stream: Stream, is_ready: Callable[[], bool]) -> None:
        """Reads what the server sends until a text has what it waits for. Raises Error; and
        KeyboardInterrupt, when the server has heard of it and answered."""
        with self._turn:
            self._running, self._advance = stream.number, stream.advance
            try:
                while not is_ready():
                    self._pump()
                    self._advance = stream.advance
            except Cancelled:
                if not self._transport.was_interrupted:
                    raise
            finally:
                was_interrupted = self._transport.was_interrupted
                self._transport.was_interrupted = False
            if was_interrupted:
                stream.close()
                raise KeyboardInterrupt

    def _pump(self) -> None:
        """Reads one message, and hands its frames to their texts."""
        try:
            message = self._transport.receive()
        except ConnectionFault as fault:
            self._lose(fault)
            raise
        try:
            # a long frame has memory of its own, where its rows can be used as they lie
            is_own = isinstance(message, memoryview) and len(message) > READ_BYTES
            rows = wire.open_rows(message) if is_own else None
            frames = wire.unpack(message, entries_max=ENTRIES_MAX) if rows is None else [rows]
            for frame in frames:
                self._take_frame(frame)
        except WireFault:
            self._transport.drop()
            raise

    def _take_frame(self, frame: Frame) -> None:
        number = frame.get("id")
        state = frame.get("state")
        if state is not None and number is not None and number >= self._state_of:
            self._state_of = number
            self._note_state(state)
        stream = self._streams.get(number) if number is not None else None
        if stream is not None:
            stream.take_frame(frame)
            if stream.error is not None and isinstance(stream.error, InternalFault):
                self._end()  # the server has closed the session, whose state may be wrong
        elif frame["type"] == "columns":
            self._schemas.take(frame)  # later results name its schema
        elif frame["type"] == "error" and number is None:
            self._transport.drop()
            raise wire.error_of(frame)

    def schema_of(self, frame: Frame) -> tuple[tuple[Field, ...], pa.Schema]:
        """Columns and Arrow schema of a result that begins."""
        return self._schemas.take(frame)

    def forget(self, number: int) -> None:
        """Ends a text where it is; what still comes of it is not looked at."""
        self._streams.pop(number, None)
        if not self._transport.is_broken:
            self.steer({"type": "close", "id": number})

    # --- stopping --------------------------------------------------------------------------------

    def cancel(self) -> None:
        """See session_interface.py."""
        self._was_cancelled = self._is_gathering
        number = self._running
        if number is not None and number in self._streams and not self._transport.is_broken:
            self.steer({"type": "cancel", "id": number})

    def _cancel_now(self) -> None:
        """Ctrl-C came while the main thread waits."""
        self._transport.send_now(wire.pack({"type": "cancel", "id": self._running}))

    # --- coming back -----------------------------------------------------------------------------

    def _may_come_back(self) -> bool:
        """Whether a new session of the server would be as good as the lost one."""
        return (
            self._options.get("reconnect", True)
            and not self._is_closed
            and not self._in_transaction
            and not self._keeps
            and not self._frames
            and not self._open_streams()
        )

    def _lose(self, fault: ConnectionFault) -> None:
        """What was under way is lost: who reads it hears of that, and what comes after it may run
        on a new connection."""
        for stream in self._open_streams():
            stream.error, stream.is_over = fault, True

    def _open_streams(self) -> list[Stream]:
        return [s for s in self._streams.values() if s.has_answered and not s.is_over]

    def _come_back_if_lost(self) -> None:
        """Connects again if the connection is lost and nothing is lost with it. Raises Error."""
        if not self._transport.is_dead:
            return
        if not self._may_come_back():
            fault = self._transport.fault
            self._lose(fault)
            raise fault
        self._wants = (self._branch, self._autocommit)
        self._connect()

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """See session_interface.py."""
        if not self._is_closed:
            self._end()

    def _end(self) -> None:
        self._is_closed = True
        for stream in list(self._streams.values()):
            stream.is_over = True
        self._in_transaction = False
        self._transport.close()
