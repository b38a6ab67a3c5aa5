"""Frames between the server and a worker process: what they say, and rows as they lie.

    0  4  bytes of the header, little-endian     8    …  header: one of the messages below, pickled
    4  4  bytes of the payload                   8+h  …  payload: an Arrow IPC message, as it is

    server                                       worker
    Ask                        one socket        NotMine | Began Some* (Ended | Failed)
                               for each query    Failed
    Connect (with a socket),   one for the       Ready Pong*
    Stop, Ping                 process

The sockets are pairs that the server makes and hands on, so no other program ever writes to one,
and both ends are one program: hence pickle, which keeps every value of a parameter as it was.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hartonomous.hql.frozen import frozen
from hartonomous.storage.errors import Error

if TYPE_CHECKING:
    from hartonomous.hql.plan import Field

_HEAD: Final = struct.Struct("<II")
#: bytes that are received at once, where a payload has no place of its own yet
ROOM: Final = 1 << 16


# --- the server says -----------------------------------------------------------------------------


@frozen
class Ask:
    """A query. `account` is the name of whose it is, "" is nobody's while there are no users, None:
    nobody is asked. The worker is to see the log up to `position`, and waits for that so many
    seconds."""

    number: int
    text: str
    parameters: Mapping[str, Any] | Sequence[Any] | None
    branch: str
    account: str | None
    timeout: float | None
    memory: int | None
    position: int
    wait: float


@frozen
class Connect:
    """A socket comes with this, for queries; it is called `connection` from now on."""

    connection: int


@frozen
class Stop:
    """The query `number` of a connection is to end."""

    connection: int
    number: int


@frozen
class Ping:
    """The worker is to say that it lives."""


# --- a worker says -------------------------------------------------------------------------------


@frozen
class Ready:
    """It takes queries."""


@frozen
class Pong:
    """It lives. `position`: how far it has read the log; `memory`: bytes that it has resident."""

    position: int
    memory: int


@frozen
class NotMine:
    """The writer is to answer; `lasts`: also the next time, as it lies in the text."""

    reason: str
    lasts: bool


@frozen
class Began:
    """The rows of a query begin; they are of commit `sequence` of its branch. `is_bounded`: it is
    the work of a row or so."""

    sequence: int
    fields: tuple[Field, ...]
    row_count: int
    is_bounded: bool


@frozen
class Some:
    """Rows, in the payload."""

    count: int


@frozen
class Ended:
    """There are no more rows."""

    row_count: int


@frozen
class Failed:
    """The query ended with an error: its class, its arguments and its attributes."""

    kind: type[Error]
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]

    @classmethod
    def of(cls, error: Error) -> Failed:
        return cls(type(error), error.args, dict(vars(error)))

    @property
    def error(self) -> Error:
        """The same error on this side."""
        made = self.kind.__new__(self.kind, *self.arguments)
        made.args = self.arguments
        vars(made).update(self.attributes)
        return made


# --- bytes ---------------------------------------------------------------------------------------


def packed(message: object, payload: pa.Buffer | None = None) -> list[bytes | pa.Buffer]:
    """A frame, as pieces to be sent one after the other."""
    header = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    if payload is None:
        return [_HEAD.pack(len(header), 0) + header]
    return [_HEAD.pack(len(header), payload.size) + header, payload]


class Frames:
    """Takes frames out of received bytes. Small ones come out of one buffer; a payload is received
    into a place of its own, from where it is relayed without being copied.

        while (frame := frames.next()) is None:
            frames.received(socket.recv_into(frames.room))
    """

    def __init__(self) -> None:
        self._bytes = bytearray(ROOM)
        self._start = self._end = 0
        self._header: Any = None
        self._payload: memoryview | None = None
        self._buffer: pa.Buffer | None = None
        self._got = 0

    @property
    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._payload is not None and self._got < len(self._payload):
            return self._payload[self._got :]
        if self._end == len(self._bytes):
            self._make_room()
        return memoryview(self._bytes)[self._end :]

    def received(self, count: int) -> None:
        """So many bytes were put there."""
        if self._payload is not None and self._got < len(self._payload):
            self._got += count
        else:
            self._end += count

    def next(self) -> tuple[Any, pa.Buffer | None] | None:
        """The next message with its payload; None if it is not there yet."""
        if self._payload is None and not self._begin():
            return None
        assert self._payload is not None
        if self._got < len(self._payload):
            return None
        frame = self._header, self._buffer
        self._header = self._payload = self._buffer = None
        return frame

    def _begin(self) -> bool:
        """Reads a header, if it is there."""
        there = self._end - self._start
        if there < _HEAD.size:
            return False
        header, payload = _HEAD.unpack_from(self._bytes, self._start)
        first = self._start + _HEAD.size
        if there < _HEAD.size + header:
            return False
        with memoryview(self._bytes) as view:
            self._header = pickle.loads(view[first : first + header])
            self._start = first + header
            self._got = min(payload, self._end - self._start)
            self._buffer = pa.allocate_buffer(payload) if payload else None
            self._payload = memoryview(b"" if self._buffer is None else self._buffer).cast("B")
            if self._got:
                self._payload[: self._got] = view[self._start : self._start + self._got]
        self._start += self._got
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._bytes) > ROOM:
                self._bytes = bytearray(ROOM)
        return True

    def _make_room(self) -> None:
        """What is not read yet goes to the front, of a larger buffer if it fills this one."""
        rest = self._bytes[self._start : self._end]
        size = len(self._bytes) if len(rest) < len(self._bytes) // 2 else 2 * len(self._bytes)
        self._bytes = bytearray(max(size, ROOM))
        self._bytes[: len(rest)] = rest
        self._start, self._end = 0, len(rest)
