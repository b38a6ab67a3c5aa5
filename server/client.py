"""RemoteSession: a session of a server, to its client what hql.Session is (SessionInterface).

    Connection, Shell … ──▶ RemoteSession ──▶ Transport ══ docs/PROTOCOL.md ══ WireDoor
                                │
                             Stream (one text's frames)

No thread and no event loop: whoever waits for something reads what the server sends, and hands each
frame to the text that it is of. What the session is like (branch, open transaction …) stands in the
frames that end texts, so asking it costs nothing.

A connection that broke is made again where nothing can be lost or done twice: outside transactions,
when the session had nothing of its own (#temp tables, settings, variables, open results), and when
nothing of the statement was sent yet, or it only reads and has given nothing.
"""

from __future__ import annotations

import gc
import itertools
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hartonomous.hql.errors import (
    AuthFault,
    ConnectionFault,
    InternalFault,
    NotSupported,
    ParameterFault,
    TransactionFault,
    WireFault,
)
from hartonomous.hql.opening import CONNECT_SECONDS, Options
from hartonomous.hql.result import Result
from hartonomous.hql.session_interface import ProcedureParameter
from hartonomous.server import wire
from hartonomous.server.client_address import Address, parse_address
from hartonomous.server.client_parameters import encode_parameters, encode_sets
from hartonomous.server.client_schemas import Schemas
from hartonomous.server.client_stream import CREDIT, RemoteAdvance, Stream
from hartonomous.server.client_texts import Texts
from hartonomous.server.transport import Transport
from hartonomous.server.wire import Frame
from hartonomous.storage.errors import Cancelled

if TYPE_CHECKING:
    import pyarrow as pa

    from hartonomous.hql.plan import Field
    from hartonomous.server.client_names import RemoteNames

Given = Mapping[str, Any] | Sequence[Any]

#: entries of an array or map that a server may send
ENTRIES_MAX = 1 << 20
#: options of which an argument that is this may have been left out, so that the URL's holds
_DEFAULTS = {"autocommit": True, "read_only": False}
#: what a text may hold that stays with the session after it: #temp tables, GLOBAL cursors,
#: settings, whatever a procedure does. (The branch is not among it: the client knows it.)
_KEEPING = re.compile(r"#|\b(?:CURSOR|EXEC|EXECUTE|SET\s+\w+\s+(?:ON|OFF))\b", re.IGNORECASE)


def open_session(url: str, options: Options) -> RemoteSession:
    """A session of the server at `url`. Raises Error."""
    address = parse_address(url)
    said = {name: value for name, value in options.items() if value != _DEFAULTS.get(name)}
    given = cast(Options, {**options, **address.options, **said})
    if given.get("password") is None:
        given["password"] = address.password
    if given.get("read_only"):
        raise NotSupported(
            "not supported yet: read_only at a server",
            hint="what a user may change there is GRANTed",
        )
    return RemoteSession(address, given)


class RemoteFrame:
    """Variables at the server that texts share."""

    def __init__(self, session: RemoteSession, number: int) -> None:
        self.session, self.number = session, number

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """See session_interface.py."""
        asked = {"about": "values", "frame": self.number, "names": list(names)}
        return dict(self.session.ask(asked))

    def close(self) -> None:
        """See session_interface.py."""
        self.session.close_frame(self)


class RemoteSession:
    """See the module."""

    def __init__(self, address: Address, options: Options) -> None:
        self._address, self._options = address, options
        self.timeout = options.get("timeout")
        self.memory = options.get("memory")
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
            read_timeout=self._options.get("read_timeout"),
        )
        self._transport.on_interrupt = self._cancel_now
        self._streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
        self._frames: set[int] = set()
        self._schemas = Schemas()
        self._state_of = 0
        self._uploads = itertools.count(1)
        self._reason: str | None = None
        try:
            self._welcomed(self._say_hello())
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
                    hint="hql://user:password@host:7433/, or token=…",
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

    # --- what it is like -------------------------------------------------------------------------

    @property
    def address(self) -> str:
        return str(self._address)

    @property
    def folder(self) -> Path | None:
        return None

    @property
    def where(self) -> str:
        way = "encrypted" if self._address.is_secure else "not encrypted"
        return f"session {self.number} with {self.database_name} of {self.server}, {way}"

    @property
    def branch(self) -> str:
        return self._branch

    @property
    def in_transaction(self) -> bool:
        return self._in_transaction

    @property
    def autocommit(self) -> bool:
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self._request({"type": "set", "autocommit": value})

    @property
    def advance(self) -> RemoteAdvance | None:
        return self._advance

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or the connection is lost for good."""
        return self._is_closed or (self._transport.is_broken and not self._may_come_back())

    def check_open(self) -> None:
        if self._is_closed:
            raise TransactionFault("the connection is closed", hint="connect again")

    # --- texts -----------------------------------------------------------------------------------

    def execute(
        self, text: str, parameters: Given | None = None, messages: list[str] | None = None
    ) -> list[Result]:
        """See session_interface.py."""
        stream = self._query(text, parameters, messages)
        if not stream.is_at_last and stream.error is not None:
            stream.check()
        return stream.take_results()

    def results(
        self,
        text: str,
        parameters: Given | None = None,
        messages: list[str] | None = None,
        frame: RemoteFrame | None = None,
    ) -> Iterator[Result]:
        """See session_interface.py."""
        fields: Frame = {"stepwise": True}
        if frame is not None:
            fields["frame"] = frame.number
        stream = self._query(text, parameters, messages, **fields)
        while True:
            if stream.has_result:
                result, is_last = stream.take_result(), stream.is_at_last
                yield result
                if is_last:
                    return  # its rows may be taken after the text has ended
                result.spool()
                stream.step()
            elif stream.is_over:
                if stream.error is not None:
                    stream.check()
                return
            self.wait(stream, lambda: stream.has_result or stream.is_over)

    def execute_many(
        self,
        text: str,
        rows: Iterable[Mapping[str, Any] | Sequence[Any]],
        messages: list[str] | None = None,
    ) -> int:
        """See session_interface.py."""
        self.check_open()
        with self._turn:
            pieces = self._gathered(encode_sets(text, rows))
            self._come_back_if_lost()
            stream = self._send(
                {"type": "many", "text": text, "upload": self._send_upload(pieces)}
                | self._own_limits(),
                messages,
            )
            self._wait_for_end(stream)
        counts = [result.row_count for result in stream.take_results()]
        return counts[-1] if counts else -1

    def _query(
        self, text: str, given: Given | None, messages: list[str] | None, **fields: Any
    ) -> Stream:
        """Sends a text, and reads what comes until its first result is there, or, unless it goes
        step by step, its last."""
        self.check_open()
        self.last_identity = None
        with self._turn:
            self._come_back_if_lost()
            stream = self._send_query(text, given, messages, fields)
            ready = _has_begun if fields.get("stepwise") else _is_at_last
            try:
                self.wait(stream, lambda: ready(stream))
            except ConnectionFault:
                is_lost = stream.has_answered or not _is_repeatable(text, given)
                if is_lost or not self._may_come_back():
                    raise
                self._connect()
                stream = self._send_query(text, given, messages, fields)
                self.wait(stream, lambda: ready(stream))
        self._keeps = self._keeps or _KEEPING.search(text) is not None
        return stream

    def _send_query(
        self, text: str, given: Given | None, messages: list[str] | None, fields: Frame
    ) -> Stream:
        asked: Frame = {"credit": CREDIT, **fields}
        if given:
            asked["params"] = encode_parameters(text, given, self._upload)
        ahead, frame = self._texts.frame_of(text)
        return self._send(
            frame | asked | self._own_limits(), messages, bool(fields.get("stepwise")), ahead
        )

    def _own_limits(self) -> Frame:
        limits = {"timeout": self.timeout, "memory": self.memory}
        return {name: value for name, value in limits.items() if value is not None}

    # --- frames of variables ---------------------------------------------------------------------

    def open_frame(self, parameters: Given | None = None) -> RemoteFrame:
        """See session_interface.py."""
        number = next(self._numbers)
        frame: Frame = {"type": "open_frame", "frame": number}
        with self._turn:
            self._come_back_if_lost()
            if parameters:
                frame["params"] = encode_parameters("?" * len(parameters), parameters, self._upload)
            self._request(frame)
            self._frames.add(number)
        return RemoteFrame(self, number)

    def close_frame(self, frame: RemoteFrame) -> None:
        """Lets go of a frame's variables. Idempotent."""
        if frame.number in self._frames:
            self._frames.discard(frame.number)
            if not self._is_closed and not self._transport.is_broken:
                self._request({"type": "close_frame", "frame": frame.number})

    # --- questions -------------------------------------------------------------------------------

    def ask(self, asked: Frame) -> Any:
        """The answer to a question (wire_questions.py). Raises Error."""
        return self._request({"type": "ask"} | asked)["value"]

    def find_procedure(self, name: str) -> tuple[ProcedureParameter, ...] | None:
        """See session_interface.py."""
        found = self.ask({"about": "procedure", "name": name})
        return None if found is None else tuple([ProcedureParameter(*each) for each in found])

    def names(self, frame: RemoteFrame | None = None) -> RemoteNames:
        """See session_interface.py."""
        from hartonomous.server.client_names import RemoteNames

        return RemoteNames(self, frame)

    # --- transactions ----------------------------------------------------------------------------

    def begin(self) -> None:
        """See session_interface.py."""
        self._request({"type": "begin"})

    def commit(self) -> None:
        """See session_interface.py."""
        self._request({"type": "commit"})

    def rollback(self) -> None:
        """See session_interface.py."""
        self._request({"type": "rollback"})

    def use_branch(self, name: str) -> None:
        """See session_interface.py."""
        self._request({"type": "set", "branch": name})

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
        gathered, size = [], 0
        try:
            for piece in pieces:
                if self._was_cancelled:
                    raise Cancelled("the statement was cancelled")
                gathered.append(piece)
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
            while not is_ready():
                self._pump()
                self._advance = stream.advance
            if self._transport.was_interrupted:
                self._transport.was_interrupted = False
                stream.close()
                raise KeyboardInterrupt

    def _pump(self) -> None:
        """Reads one message, and hands its frames to their texts."""
        message = self._transport.receive()
        try:
            for frame in wire.unpack(message, entries_max=ENTRIES_MAX):
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
        elif frame["type"] == "goodbye":
            self._reason = str(frame["reason"])
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

    def _open_streams(self) -> list[Stream]:
        return [s for s in self._streams.values() if s.has_answered and not s.is_over]

    def _come_back_if_lost(self) -> None:
        """Connects again if the connection is lost and nothing is lost with it. Raises Error."""
        if not self._transport.is_dead:
            return
        if not self._may_come_back():
            raise self._transport.fault
        self._wants = (self._branch, self._autocommit)
        self._connect()

    def is_alive(self, *, asks: bool = False) -> bool:
        """See session_interface.py."""
        if self._is_closed or self._transport.is_dead:
            return False
        if asks:
            try:
                self._request({"type": "ping"})
            except ConnectionFault:
                return False
        return True

    def reset(self) -> bool:
        """See session_interface.py."""
        if self._is_closed or self._transport.is_dead or self._frames:
            return False
        for stream in list(self._streams.values()):
            stream.close()
        if not self._keeps:
            return not self._in_transaction and (self._branch, self._autocommit) == self._home
        is_as_new = bool(self.ask({"about": "reset"}))
        self._keeps = not is_as_new
        return is_as_new and (self._branch, self._autocommit) == self._home

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


def _has_begun(stream: Stream) -> bool:
    return stream.has_result or stream.is_over


def _is_at_last(stream: Stream) -> bool:
    return stream.is_at_last or stream.is_over


def _is_repeatable(text: str, given: Given | None) -> bool:
    """Whether a text only reads, and what it was given can be read again."""
    import pyarrow as pa

    from hartonomous.hql.syntax.parse import parse_batch

    values = () if given is None else given.values() if isinstance(given, Mapping) else given
    if any(isinstance(value, pa.RecordBatchReader) for value in values):
        return False
    return all(statement.effect == "reads" for statement in parse_batch(text))
