"""Values in PostgreSQL's two forms: what rows.py writes, parameters.py reads."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres_client import row_of

from hartonomous.hql.errors import NotSupported, ParameterFault
from hartonomous.hql.plan import Field
from hartonomous.hql.types import parse_type
from hartonomous.hql.values import to_python
from hartonomous.server.postgres.parameters import mapped, value_of
from hartonomous.server.postgres.rows import data_rows
from hartonomous.server.postgres.types import BY_NAME, BY_OID, KINDS, column_of, find_kind

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
#: HQL's types with the values that they hold
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BIT": st.booleans(),
    "TINYINT": st.integers(-128, 127),
    "SMALLINT": st.integers(-(2**15), 2**15 - 1),
    "INT": st.integers(-(2**31), 2**31 - 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "REAL": st.floats(width=32),
    "FLOAT": st.floats(),
    "DECIMAL(38,0)": st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal),
    "DECIMAL(9,2)": st.decimals(-9999999, 9999999, places=2),
    "DECIMAL(38,37)": st.decimals(-9, 9, places=37),
    "DECIMAL(6,5)": st.decimals(-9, 9, places=5),
    "NVARCHAR": TEXTS,
    "NVARCHAR(20)": TEXTS,
    "JSON": st.just('{"a": [1, null]}'),
    "VARBINARY": st.binary(max_size=40),
    "DATE": st.dates(),
    "TIME": st.times(),
    "DATETIME2": MOMENTS,
    "DATETIMEOFFSET": MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    "UNIQUEIDENTIFIER": st.uuids(),
    "VECTOR(3)": st.lists(st.floats(width=32), min_size=3, max_size=3),
}


def arrow(values: list[Any], name: str) -> pa.Array:
    type_ = parse_type(name)
    if name == "UNIQUEIDENTIFIER":
        values = [None if v is None else v.bytes for v in values]
    return pa.array(values, type_.arrow)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, (np.ndarray, list)):
        return all(same(float(a), float(b)) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and (not isinstance(one, float) or repr(one) == repr(other))


@pytest.mark.parametrize("format_", [0, 1])
@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=8)
@given(data=st.data())
def test_what_is_written_is_read_back(name: str, format_: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | VALUES[name], min_size=1, max_size=5))
    start = data.draw(st.integers(0, len(values) - 1))
    array = arrow(values, name).slice(start)  # an array need not begin where its memory does
    field = Field("x", parse_type(name))
    column = column_of(field)
    raw = data_rows(pa.record_batch([array, array], ["x", "y"]), [column, column], [format_])
    expected = to_python(array, field.type)
    for value in expected:
        kind, length = raw[:1], int.from_bytes(raw[1:5])
        assert kind == b"D"
        first, second = row_of(raw[5 : length + 1])
        raw = raw[length + 1 :]
        assert first == second
        if value is None:
            assert first is None
            continue
        assert first is not None
        found = value_of(1, first, format_, column.kind.oid)
        if name == "REAL" and format_ == 0:
            found = float(np.float32(found))
        if name == "VECTOR(3)" and format_ == 0:
            found = [float(np.float32(x)) for x in found]
        assert same(found, value), (value, first)
    assert raw == b""


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("BIT", True, b"t"),
        ("DECIMAL(9,8)", Decimal("0.00000001"), b"0.00000001"),
        ("DECIMAL(9,2)", Decimal("-0.50"), b"-0.50"),
        ("FLOAT", math.inf, b"Infinity"),
        ("FLOAT", math.nan, b"NaN"),
        ("FLOAT", -math.inf, b"-Infinity"),
        ("VARBINARY", b"\x00\xff", b"\\x00ff"),
        ("DATETIME2", datetime(2024, 2, 29, 1, 2, 3), b"2024-02-29 01:02:03"),
        ("DATETIME2", datetime(2024, 2, 29, 1, 2, 3, 500_000), b"2024-02-29 01:02:03.5"),
        ("DATETIMEOFFSET", datetime(2024, 2, 29, tzinfo=UTC), b"2024-02-29 00:00:00+00"),
        ("TIME", time(10, 0), b"10:00:00"),
        ("DATE", date(2024, 2, 29), b"2024-02-29"),
        ("VECTOR(2)", [0.1, math.inf], b"{0.1,Infinity}"),
    ],
)
def test_texts(name: str, value: Any, shown: bytes) -> None:
    batch = pa.record_batch([arrow([value], name)], ["x"])
    raw = data_rows(batch, [column_of(Field("x", parse_type(name)))], [])
    assert row_of(raw[5:]) == [shown]


def test_numerics_in_bytes() -> None:
    """As PostgreSQL's numeric_send has them."""
    column = column_of(Field("x", parse_type("DECIMAL(12,3)")))
    values = [Decimal("-12345.678"), Decimal("0"), Decimal("10000"), None]
    raw = data_rows(pa.record_batch([arrow(values, "DECIMAL(12,3)")], ["x"]), [column], [1])
    rows = []
    while raw:
        length = int.from_bytes(raw[1:5])
        rows.append(row_of(raw[5 : length + 1])[0])
        raw = raw[length + 1 :]
    assert rows == [
        struct.pack("!hhHH3H", 3, 1, 0x4000, 3, 1, 2345, 6780),
        struct.pack("!hhHH", 0, 0, 0, 3),
        struct.pack("!hhHHH", 1, 1, 0, 3, 1),
        None,
    ]


@given(
    st.sampled_from([kind.oid for kind in KINDS] + [0, 1, 99_999]),
    st.integers(0, 1),
    st.binary(max_size=40) | st.text(max_size=20).map(str.encode),
)
def test_no_value_does_more_than_be_refused(oid: int, format_: int, raw: bytes) -> None:
    try:
        value_of(1, raw, format_, oid)
    except (ParameterFault, NotSupported) as fault:
        assert "$1" in fault.message


@given(st.lists(st.none() | TEXTS, max_size=4))
def test_arrays_of_texts(values: list[str | None]) -> None:
    def quoted(value: str | None) -> str:
        if value is None:
            return "NULL"
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    raw = ("{" + ",".join(map(quoted, values)) + "}").encode()
    assert value_of(1, raw, 0, BY_NAME["_text"].oid) == values


@pytest.mark.parametrize(
    ("text", "hql", "types"),
    [
        ("SELECT $1, $2", "SELECT @1, @2", {1: 0, 2: 0}),
        ("SELECT '$1', \"$1\", [$1], a$1, @a$1 -- $1\n, $1", None, {1: 0}),
        ("/* $1 /* */ SELECT $1", None, {1: 0}),
        ("WHERE a = $1::INTEGER AND b", "WHERE a = @1          AND b", {1: 23}),
        ("$1::double precision)", "@1                  )", {1: 701}),
        ("$1::VARCHAR(20), $2::NUMERIC(10, 2)", None, {1: 1043, 2: 1700}),
        ("$1::timestamp with time zone AND", None, {1: 1184}),
        ("$1::TEXT[] x", "@1         x", {1: 1009}),
        ("$1::nosuch", "@1::nosuch", {1: 0}),
        ("$1::geometry", "@1::geometry", {1: 0}),
        ("SELECT 1", "SELECT 1", {}),
        ("$1a $", "$1a $", {}),
    ],
)
def test_parameters_by_number(text: str, hql: str | None, types: dict[int, int]) -> None:
    found, stated = mapped(text)
    assert stated == types
    assert len(found) == len(text)
    if hql is not None:
        assert found == hql


@given(st.text("$1 '\"[]-*/:ax\n", max_size=30))
def test_texts_stay_as_long(text: str) -> None:
    found, _ = mapped(text)
    assert len(found) == len(text)
    assert [i for i, c in enumerate(found) if c == "\n"] == [
        i for i, c in enumerate(text) if c == "\n"
    ]


def test_every_type_has_an_array_that_has_it() -> None:
    for kind in KINDS:
        if kind.array:
            assert BY_OID[kind.array].element == kind.oid
        assert find_kind(kind.name) in (kind, None) or kind.category == "A"
