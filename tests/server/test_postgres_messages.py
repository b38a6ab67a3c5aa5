"""PostgreSQL's messages from bytes: whole, in pieces, and of no sense at all."""

from __future__ import annotations

import struct

import postgres_client as client
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hartonomous.server.postgres import messages
from hartonomous.server.postgres.messages import (
    MESSAGE_BYTES_MAX,
    STARTUP_BYTES_MAX,
    Incoming,
    Malformed,
    Message,
)

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
VALUES = st.lists(st.none() | st.binary(max_size=20), max_size=5)
FORMATS = st.lists(st.sampled_from([0, 1]), max_size=1)
OIDS = st.lists(st.integers(0, 2**32 - 1), max_size=4)
#: what a client sends, and what the server reads of it
SENT = st.one_of(
    NAMES.map(lambda t: (client.query(t), messages.Query(t))),
    st.tuples(NAMES, NAMES, OIDS).map(
        lambda p: (client.parse(*p), messages.Parse(p[1], p[0], tuple(p[2])))
    ),
    st.tuples(VALUES, NAMES, NAMES, FORMATS, FORMATS).map(
        lambda p: (
            client.bind(*p),
            messages.Bind(p[1], p[2], tuple(p[3]), tuple(p[0]), tuple(p[4])),
        )
    ),
    st.tuples(st.sampled_from("SP"), NAMES).map(
        lambda p: (client.describe(*p), messages.Describe(*p))
    ),
    st.tuples(st.sampled_from("SP"), NAMES).map(lambda p: (client.close(*p), messages.Close(*p))),
    st.tuples(NAMES, st.integers(-(2**31), 2**31 - 1)).map(
        lambda p: (client.execute(*p), messages.Execute(*p))
    ),
    st.just((client.SYNC, messages.Sync())),
    st.just((client.FLUSH, messages.Flush())),
    st.just((client.TERMINATE, messages.Terminate())),
)


def taken(incoming: Incoming) -> list[Message]:
    out = []
    while (message := incoming.take()) is not None:
        out.append(message)
    return out


@given(st.lists(SENT, max_size=6), st.integers(1, 9))
def test_messages_arrive_as_sent_in_pieces_of_any_size(
    sent: list[tuple[bytes, Message]], size: int
) -> None:
    data = b"".join(raw for raw, _ in sent)
    incoming = Incoming()
    incoming.trust()
    out: list[Message] = []
    for start in range(0, len(data), size):
        incoming.feed(data[start : start + size])
        ahead = incoming.peek()
        found = taken(incoming)
        assert ahead is None or found[0] == ahead
        out += found
    assert out == [message for _, message in sent]
    assert incoming.is_empty


@given(st.data())
@settings(max_examples=100)
def test_no_bytes_do_more_than_end_a_connection(data: st.DataObject) -> None:
    """Mutated and random bytes are messages or Malformed, nothing else."""
    raw = bytearray(b"".join(data.draw(st.lists(SENT.map(lambda p: p[0]), max_size=4))))
    raw += data.draw(st.binary(max_size=30))
    for _ in range(data.draw(st.integers(0, 4)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    incoming = Incoming()
    incoming.feed(bytes(raw))
    try:
        taken(incoming)
    except Malformed as fault:
        assert str(fault)


@given(st.binary(max_size=60))
@example(struct.pack("!iHH", 9, 3, 0) + b"\0")
@example(struct.pack("!iHH", 12, 3, 0) + b"user")
def test_no_first_bytes_do_more_either(raw: bytes) -> None:
    incoming = Incoming()
    incoming.feed(raw)
    try:
        opening = incoming.take_opening()
    except Malformed:
        return
    assert opening is None or not isinstance(opening, messages.Startup) or opening.minor >= 0


def test_first_messages() -> None:
    incoming = Incoming()
    incoming.feed(client.SSL_REQUEST + client.startup(2, user="é", database="d"))
    assert incoming.take_opening() == messages.SslRequest()
    assert not incoming.is_empty
    assert incoming.take_opening() == messages.Startup(2, {"user": "é", "database": "d"})
    incoming.feed(client.cancel_request(7, -1))
    assert incoming.take_opening() == messages.CancelRequest(7, -1)


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("!i", STARTUP_BYTES_MAX + 1),
        struct.pack("!i", -1),
        struct.pack("!i", 3),
        struct.pack("!iHH", 8, 2, 0),
        struct.pack("!iHH", 13, 3, 0) + b"a\0\xff\0\0",
    ],
)
def test_first_messages_that_are_none(raw: bytes) -> None:
    incoming = Incoming()
    incoming.feed(raw)
    with pytest.raises(Malformed):
        incoming.take_opening()


def test_a_length_is_looked_at_before_the_bytes_come() -> None:
    """Before the log-in little is taken, later more; the rest is never waited for."""
    incoming = Incoming()
    long = b"Q" + struct.pack("!i", STARTUP_BYTES_MAX + 1)
    incoming.feed(long)
    with pytest.raises(Malformed, match="at most"):
        incoming.take()
    trusted = Incoming()
    trusted.trust()
    trusted.feed(long)
    assert trusted.take() is None
    trusted = Incoming()
    trusted.trust()
    trusted.feed(b"Q" + struct.pack("!i", MESSAGE_BYTES_MAX + 1))
    with pytest.raises(Malformed):
        trusted.take()


@pytest.mark.parametrize(
    "raw",
    [
        client.message(b"?"),
        client.message(b"S", b"x"),
        client.message(b"Q", b"no end"),
        client.message(b"Q", b"\xff\0"),
        client.message(b"D", b"X\0"),
        client.message(b"P", b"\0\0" + struct.pack("!H", 9)),
        client.message(b"B", b"\0\0" + struct.pack("!HHH", 1, 2, 0)),
        client.message(b"B", b"\0\0" + struct.pack("!HHi", 0, 1, 2**31 - 1)),
        client.message(b"B", b"\0\0" + struct.pack("!HHi", 0, 1, -2)),
        client.bind([b"1", b"2", b"3"], formats=[0, 1]),
    ],
)
def test_messages_that_are_none(raw: bytes) -> None:
    incoming = Incoming()
    incoming.trust()
    incoming.feed(raw)
    with pytest.raises(Malformed):
        incoming.take()
