"""Values go over the wire and come back as they were; bytes from outside are read or refused."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hartonomous.hql import Geometry
from hartonomous.hql.errors import ParameterFault, WireFault
from hartonomous.hql.values import parameter_value
from hartonomous.server import wire
from hartonomous.server.events import Rows
from hartonomous.server.wire_values import (
    Wrong,
    decode_extension,
    encode,
    read_table,
    table_bytes,
)

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**37), 10**37),
    st.floats(),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**30)),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.uuids(),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9),
    st.dictionaries(st.text(max_size=3), st.integers(-5, 5), max_size=3),
    st.builds(np.int8, st.integers(-128, 127)),
    st.builds(np.int16, st.integers(-5, 5)),
    st.builds(np.int64, st.integers(-(2**63), 2**63 - 1)),
    st.builds(np.float32, st.floats(width=32)),
    st.builds(
        lambda points, radius, srid: Geometry("MULTIPOINT", points, radius, srid),
        st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=1, max_size=4, unique=True),
        st.floats(0, 10),
        st.integers(0, 2**31 - 1),
    ),
)


def same(a: Any, b: Any) -> bool:
    """Equal values in plain form, NaN and bits of vectors included."""
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True))
    return bool(type(a) is type(b) and (a == b or (a != a and b != b)))


@given(VALUES)
@example(Geometry("POLYGON", [[0, 0], [4, 0], [0, 4], [0, 0]], radius=2.5, srid=7))
@example(Decimal("1E+20"))
@example(uuid.UUID(int=1))
def test_a_value_arrives_as_it_was(value: Any) -> None:
    sent = wire.pack({"type": "query", "params": [encode("v", value)]})
    (frame,) = wire.unpack(sent)
    type_, plain = parameter_value("v", value)
    found_type, found = parameter_value("v", frame["params"][0])
    assert str(found_type) == str(type_)
    assert same(found, plain)


@given(st.integers(-128, 127), st.binary(max_size=80))
def test_any_bytes_are_a_value_or_wrong(code: int, data: bytes) -> None:
    value = decode_extension(code, data)
    if not isinstance(value, Wrong):
        assert value is not None


@given(st.binary(max_size=200))
@example(b"\xdd\x00\x00\x3f\xff" * 40)
@example(b"\x81" * 100)
def test_any_message_is_frames_or_refused(message: bytes) -> None:
    try:
        frames = wire.unpack(message)
    except WireFault:
        return
    assert all(isinstance(f["type"], str) for f in frames)


STREAM = table_bytes(pa.table({"n": [1, 2, None], "s": ["a", "bb", None], "v": [[1.0], None, []]}))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 255)), max_size=6))
def test_a_damaged_stream_is_a_sound_table_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(STREAM)
    for place, byte in changes:
        data[place] = byte
    try:
        table = read_table("t", bytes(data))
    except ParameterFault:
        return
    table.validate(full=True)
    assert table.num_rows <= 8 * len(data)


def test_a_sound_stream_is_read() -> None:
    assert read_table("t", STREAM)["n"].to_pylist() == [1, 2, None]
    assert msgpack.unpackb(wire.pack({"type": "ping"})) == {"type": "ping"}


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.binary(max_size=300))
def test_rows_are_read_where_they_lie_as_they_are_read_by_msgpack(
    number: int, count: int, data: bytes
) -> None:
    message = memoryview(wire.rows_frame(number, Rows(pa.schema([]), encoded=data, count=count)))
    frame = wire.open_rows(message)
    assert frame == wire.unpack(message)[0]
    assert frame["arrow"].obj is message.obj


@given(st.binary(max_size=80), st.integers(0, 60), st.binary(max_size=4))
def test_other_bytes_are_no_rows(tail: bytes, cut: int, between: bytes) -> None:
    whole = wire.rows_frame(7, Rows(pa.schema([]), encoded=b"0" * 40, count=3))
    for data in (tail, whole[:cut], whole[:cut] + tail, whole[:cut] + between + whole[cut:]):
        frame = wire.open_rows(data)
        assert frame is None or frame == wire.unpack(data)[0]
