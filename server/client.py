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

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hartonomous.hql.errors import ConnectionFault, NotSupported
from hartonomous.hql.opening import Options
from hartonomous.hql.result import Result
from hartonomous.hql.session_interface import ProcedureParameter
from hartonomous.server.client_address import Address, parse_address
from hartonomous.server.client_connection import ServerConnection
from hartonomous.server.client_parameters import encode_parameters, encode_sets
from hartonomous.server.client_stream import CREDIT, RemoteAdvance, Stream
from hartonomous.server.wire import Frame

if TYPE_CHECKING:
    from hartonomous.server.client_names import RemoteNames

Given = Mapping[str, Any] | Sequence[Any]

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


class RemoteSession(ServerConnection):
    """See the module."""

    def __init__(self, address: Address, options: Options) -> None:
        self.timeout = options.get("timeout")
        self.memory = options.get("memory")
        super().__init__(address, options)

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
            self._keeps = self._keeps or _KEEPING.search(text) is not None
            stream = self._send_query(text, given, messages, fields)
            ready = _has_begun if fields.get("stepwise") else _is_at_last
            try:
                self.wait(stream, lambda: ready(stream))
            except ConnectionFault:
                if stream.has_answered or self._transport.was_dismissed:
                    raise
                if not (_is_repeatable(text, given) and self._may_come_back()):
                    raise
                self._connect()
                stream = self._send_query(text, given, messages, fields)
                self.wait(stream, lambda: ready(stream))
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

    # --- life ------------------------------------------------------------------------------------

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
