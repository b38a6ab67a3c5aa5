"""A server's WebSocket frames: as the library `websockets` sends them, however they come in pieces;
what is none is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from hartonomous.hql.errors import WireFault
from hartonomous.server.frame_reader import READ_BYTES, FrameReader

MESSAGE_MAX = 1 << 20


def reader_of(data: bytes, pieces: list[int]) -> FrameReader:
    """A reader to whom so many bytes come at once, in turn."""
    at, turn = 0, 0

    def fill(room: memoryview) -> int:
        nonlocal at, turn
        count = min(len(room), pieces[turn % len(pieces)], len(data) - at)
        room[:count] = data[at : at + count]
        at, turn = at + count, turn + 1
        return count

    return FrameReader(fill, MESSAGE_MAX)


def said(*messages: bytes, fragments: int = 1) -> bytes:
    server = Protocol(Side.SERVER, state=State.OPEN)
    for message in messages:
        size = max(1, -(-len(message) // fragments))
        parts = [message[i : i + size] for i in range(0, len(message), size)] or [b""]
        server.send_binary(parts[0], fin=len(parts) == 1)
        for number, part in enumerate(parts[1:], 2):
            server.send_ping(b"still there")
            server.send_continuation(part, fin=number == len(parts))
    return b"".join(server.data_to_send())


LENGTHS = st.one_of(
    st.integers(0, 300), st.sampled_from([65_535, 65_536, READ_BYTES * 2 + 1, 700_000])
)


@given(
    st.lists(LENGTHS, min_size=1, max_size=5),
    st.lists(st.integers(1, 100_000), min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_messages_come_as_they_were_sent(
    lengths: list[int], pieces: list[int], fragments: int
) -> None:
    messages = [bytes([i]) * length for i, length in enumerate(lengths)]
    if sum(lengths) / min(pieces) > 10_000:  # a byte at a time is for small ones
        pieces = [p + 100 for p in pieces]
    reader = reader_of(said(*messages, fragments=fragments), pieces)
    found = []
    while len(found) < len(messages):
        opcode, payload = reader.read()
        if opcode == Opcode.BINARY:
            found.append(bytes(payload))
        else:
            assert (opcode, bytes(payload)) == (Opcode.PING, b"still there")
    assert found == messages
    with pytest.raises(EOFError):
        reader.read()


@pytest.mark.parametrize("odd", range(9))
def test_what_a_long_message_ends_with_can_be_used_where_it_is(odd: int) -> None:
    """Memory of its own, and Arrow's bytes at its end begin where numbers of eight bytes may."""
    numbers = np.arange(20_000, dtype=np.int64)
    sent = b"x" * odd + numbers.tobytes()
    reader = reader_of(said(sent, b"more" * 40_000), [30_000])
    _, payload = reader.read()
    found = np.frombuffer(payload[odd:], np.int64)
    assert found.flags.aligned
    reader.read()
    assert (found == numbers).all()


@pytest.mark.parametrize(
    "data",
    [
        Frame(Opcode.BINARY, b"masked").serialize(mask=True),
        Frame(Opcode.TEXT, b"text").serialize(mask=False),
        Frame(Opcode.CONT, b"of nothing").serialize(mask=False),
        Frame(Opcode.BINARY, b"a", fin=False).serialize(mask=False) * 2,
        b"\x83\x00",
        b"\xc2\x00",
        b"\x82\x7f" + (MESSAGE_MAX + 1).to_bytes(8, "big"),
        b"\x82\x7f" + b"\xff" * 8,
        b"\x89\x7e\x00\x80" + b"x" * 128,
        b"\x09\x00",
        Frame(Opcode.BINARY, b"a" * MESSAGE_MAX, fin=False).serialize(mask=False)
        + Frame(Opcode.CONT, b"a", fin=False).serialize(mask=False),
    ],
    ids=itertools.count(),  # the bytes of a mask are drawn anew in each process
)
def test_what_is_no_frame_of_a_server(data: bytes) -> None:
    with pytest.raises(WireFault):
        reader_of(data, [1 << 20]).read()


def test_the_end() -> None:
    for cut in (0, 1, 3, 50):
        with pytest.raises(EOFError):
            reader_of(said(b"x" * 200)[:cut], [7]).read()
