"""The frames of RFC 6455 that a server sends, read into one buffer that is used again and again.

`websockets` reads frames too, by way of two copies and a buffer that grows: 0.6 ms a mebibyte where
the socket takes 0.2. So a client's frames are the library's, and a server's are read here; they are
never masked, and no extension was agreed on.

    byte 0     FIN, three bits that are 0, opcode
    byte 1     0, length: itself, 126: it follows in 2 bytes, 127: in 8
"""

from __future__ import annotations

from collections.abc import Callable

from hartonomous.hql.errors import WireFault

CONTINUATION, BINARY, CLOSE, PING = 0, 2, 8, 9
#: the longest payload of a frame about the connection
CONTROL_BYTES_MAX = 125
#: bytes that are asked of the system at once for small frames
READ_BYTES = 1 << 16
#: the end of a large frame lies at a multiple of this in memory: what it ends with can be used
#: where it is, if its length is such a multiple too, as those of Arrow's messages are
ALIGNMENT = 8

#: fills a piece of memory with what comes, waiting for some; the number of bytes, 0 at the end
Fill = Callable[[memoryview], int]


class FrameReader:
    """Frames, one after the other. `message_bytes_max`: of one message."""

    def __init__(self, fill: Fill, message_bytes_max: int) -> None:
        self._fill, self._message_bytes_max = fill, message_bytes_max
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._start = self._end = 0
        self._parts: list[bytes] = []  # of a message that comes in several frames

    @property
    def has_bytes(self) -> bool:
        """Whether bytes were read that are not part of a frame given yet."""
        return self._end > self._start

    def read(self) -> tuple[int, memoryview | bytes]:
        """Opcode and payload of the next message (BINARY), or frame about the connection (CLOSE,
        PING and others). A payload of READ_BYTES or less holds until the next call. Raises
        WireFault, EOFError, and what `fill` raises."""
        while True:
            is_last, opcode, payload = self._frame()
            if opcode >= CLOSE:
                if not is_last or len(payload) > CONTROL_BYTES_MAX:
                    raise WireFault("a server's frame about the connection is too long")
                return opcode, payload
            if opcode != (CONTINUATION if self._parts else BINARY):
                raise WireFault(f"a server's frame has the opcode {opcode} where it cannot stand")
            if is_last and not self._parts:
                return BINARY, payload
            self._parts.append(bytes(payload))
            if sum(map(len, self._parts)) > self._message_bytes_max:
                raise WireFault("a server's message is too long")
            if is_last:
                whole, self._parts = b"".join(self._parts), []
                return BINARY, whole

    def _frame(self) -> tuple[bool, int, memoryview]:
        self._need(2)
        first, second = self._buffer[self._start], self._buffer[self._start + 1]
        if first & 0x70 or second & 0x80:
            raise WireFault("a server's frame is masked, or of an extension")
        length, head = second & 0x7F, 2
        if length >= 126:
            head = 4 if length == 126 else 10
            self._need(head)
            length = int.from_bytes(self._buffer[self._start + 2 : self._start + head], "big")
        if length > self._message_bytes_max:
            raise WireFault(f"a server's frame has {length:,} bytes")
        self._start += head
        return bool(first & 0x80), first & 0x0F, self._payload(length)

    def _need(self, count: int) -> None:
        """Reads until so many bytes are there."""
        while self._end - self._start < count:
            if self._start == self._end:
                self._start = self._end = 0
            elif self._end == len(self._buffer):
                rest = bytes(self._buffer[self._start : self._end])
                self._buffer[: len(rest)] = rest
                self._start, self._end = 0, len(rest)
            self._end += self._filled(self._buffer[self._end :])

    def _payload(self, length: int) -> memoryview:
        there = self._end - self._start
        if length > there and length > READ_BYTES // 2:
            return self._large_payload(length, there)
        self._need(length)
        start, self._start = self._start, self._start + length
        return self._buffer[start : self._start]

    def _large_payload(self, length: int, there: int) -> memoryview:
        """A payload that goes straight to where it stays."""
        import pyarrow as pa  # whose memory is not cleared first, and is given out again

        before = -length % ALIGNMENT
        payload = memoryview(pa.allocate_buffer(before + length)).cast("B")[before:]
        payload[:there] = self._buffer[self._start : self._end]
        self._start = self._end = 0
        while there < length:
            there += self._filled(payload[there:])
        return payload

    def _filled(self, room: memoryview) -> int:
        count = self._fill(room)
        if not count:
            raise EOFError
        return count
