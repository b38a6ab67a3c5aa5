"""What a client of PostgreSQL sends, read from bytes: protocol 3.0, no input or output here.

A message is a letter, a length (int32, big-endian, of itself and the body) and the body; the first
one of a connection has no letter. Lengths and counts are looked at before anything is made of them,
so a client can make the server hold one message of `bytes_max` at most.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hartonomous.hql.frozen import frozen

#: the first message, and those before the client has proved who it is
STARTUP_BYTES_MAX = 10_000
#: any later one
MESSAGE_BYTES_MAX = 64 << 20
#: parameters of a statement (the count is a uint16), columns' formats
COUNT_MAX = 65_535

VERSION_3 = 3
CANCEL_CODE, SSL_CODE, GSS_CODE = 80877102, 80877103, 80877104


class Malformed(Exception):
    """Bytes that are no message of the protocol: the connection cannot go on."""


@frozen
class Startup:
    """`minor` of protocol 3; parameters as `user`, `database`, `application_name`."""

    minor: int
    parameters: dict[str, str]


@frozen
class SslRequest:
    pass


@frozen
class GssRequest:
    pass


@frozen
class CancelRequest:
    process: int
    key: int


@frozen
class Query:
    text: str


@frozen
class Parse:
    """`types` are OIDs, 0 for one that the client leaves open."""

    name: str
    text: str
    types: tuple[int, ...]


@frozen
class Bind:
    """`values` None is NULL. Formats are 0 text and 1 binary: none, one for all, or one each."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@frozen
class Describe:
    """`kind` is S (statement) or P (portal), in Close too."""

    kind: str
    name: str


@frozen
class Execute:
    """`rows_max` 0: all."""

    portal: str
    rows_max: int


@frozen
class Close:
    kind: str
    name: str


@frozen
class Sync:
    pass


@frozen
class Flush:
    pass


@frozen
class Terminate:
    pass


@frozen
class Password:
    """A password, or a step of SASL: what it is depends on what was asked."""

    data: bytes


@frozen
class FunctionCall:
    pass


@frozen
class CopyPiece:
    """Any of CopyData, CopyDone, CopyFail: to be ignored where no COPY goes on."""


Opening = Startup | SslRequest | GssRequest | CancelRequest
Message = (
    Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Sync
    | Flush
    | Terminate
    | Password
    | FunctionCall
    | CopyPiece
)


class Incoming:
    """The bytes of one connection, as messages."""

    def __init__(self, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.bytes_max = STARTUP_BYTES_MAX
        self._later_max = bytes_max
        self._buffer = bytearray()
        self._at = 0
        self._ahead: Message | None = None

    def feed(self, data: bytes) -> None:
        """More bytes have come."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    @property
    def is_empty(self) -> bool:
        """Whether all bytes were taken. Before TLS begins they must have been: what was sent in
        clear may not pass for what is sent under its protection."""
        return self._at == len(self._buffer)

    @property
    def waiting(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._buffer) - self._at

    def trust(self) -> None:
        """The client has proved who it is: its messages may be long from now on."""
        self.bytes_max = self._later_max

    def take_opening(self) -> Opening | None:
        """The first message, None until it is whole. Raises Malformed."""
        body = self._take_body(0, STARTUP_BYTES_MAX)
        return None if body is None else _opening(Body(body))

    def peek(self) -> Message | None:
        """The message that `take` gives next, if it is there already."""
        if self._ahead is None:
            self._ahead = self.take()
        return self._ahead

    def take(self) -> Message | None:
        """The next message, None until it is whole. Raises Malformed."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        if self._at == len(self._buffer):
            return None
        kind = self._buffer[self._at]
        read = _READERS.get(kind)
        if read is None:
            raise Malformed(f"no message begins with byte {kind}")
        body = self._take_body(1, self.bytes_max)
        if body is None:
            return None
        reader = Body(body)
        message = read(reader)
        reader.finish()
        return message

    def _take_body(self, offset: int, bytes_max: int) -> bytes | None:
        begin = self._at + offset
        if len(self._buffer) < begin + 4:
            return None
        (length,) = struct.unpack_from("!i", self._buffer, begin)
        if not 4 <= length <= bytes_max:
            raise Malformed(f"a message of {length} bytes; at most {bytes_max} are taken")
        end = begin + length
        if len(self._buffer) < end:
            return None
        self._at = end
        return bytes(self._buffer[begin + 4 : end])


class Body:
    """One message's body, read from its beginning. Everything raises Malformed."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """So many bytes."""
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise Malformed("a message ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def int16(self) -> int:
        """An unsigned number: counts are."""
        return int.from_bytes(self.take(2))

    def int32(self) -> int:
        return int.from_bytes(self.take(4), signed=True)

    def oid(self) -> int:
        return int.from_bytes(self.take(4))

    def text(self) -> str:
        """UTF-8 up to a zero byte."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise Malformed("a text has no end")
        raw = self._data[self._at : end]
        self._at = end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def rest(self) -> bytes:
        """All bytes left."""
        return self.take(len(self._data) - self._at)

    def finish(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise Malformed("a message is longer than what it says")


def _opening(body: Body) -> Opening:
    code = body.int32()
    if code == SSL_CODE:
        body.finish()
        return SslRequest()
    if code == GSS_CODE:
        body.finish()
        return GssRequest()
    if code == CANCEL_CODE:
        cancel = CancelRequest(body.int32(), body.int32())
        body.finish()
        return cancel
    major, minor = code >> 16, code & 0xFFFF
    if major != VERSION_3:
        raise Malformed(f"protocol {major}.{minor} is not spoken here, 3.0 is")
    parameters: dict[str, str] = {}
    while name := body.text():
        parameters[name] = body.text()
    body.finish()
    return Startup(minor, parameters)


def _parse(body: Body) -> Parse:
    name, text = body.text(), body.text()
    return Parse(name, text, tuple(body.oid() for _ in range(body.int16())))


def _bind(body: Body) -> Bind:
    portal, statement = body.text(), body.text()
    formats = _formats(body)
    values = tuple(_value(body) for _ in range(body.int16()))
    if len(formats) not in (0, 1, len(values)):
        raise Malformed(f"{len(formats)} formats for {len(values)} values")
    return Bind(portal, statement, formats, values, _formats(body))


def _formats(body: Body) -> tuple[int, ...]:
    formats = tuple(body.int16() for _ in range(body.int16()))
    if any(format_ > 1 for format_ in formats):
        raise Malformed("a format is 0 (text) or 1 (binary)")
    return formats


def _value(body: Body) -> bytes | None:
    length = body.int32()
    if length == -1:
        return None
    return body.take(length)


def _kind(body: Body) -> str:
    kind = body.take(1)
    if kind not in (b"S", b"P"):
        raise Malformed("Describe and Close are of a statement (S) or a portal (P)")
    return kind.decode()


def _copy(body: Body) -> CopyPiece:
    body.rest()
    return CopyPiece()


def _function(body: Body) -> FunctionCall:
    body.rest()
    return FunctionCall()


_READERS: dict[int, Callable[[Body], Message]] = {
    ord("Q"): lambda body: Query(body.text()),
    ord("P"): _parse,
    ord("B"): _bind,
    ord("D"): lambda body: Describe(_kind(body), body.text()),
    ord("E"): lambda body: Execute(body.text(), body.int32()),
    ord("C"): lambda body: Close(_kind(body), body.text()),
    ord("S"): lambda body: Sync(),
    ord("H"): lambda body: Flush(),
    ord("X"): lambda body: Terminate(),
    ord("p"): lambda body: Password(body.rest()),
    ord("F"): _function,
    ord("d"): _copy,
    ord("c"): _copy,
    ord("f"): _copy,
}
