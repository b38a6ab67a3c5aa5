"""Python's values as parameters, columns as Python values, texts."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hartonomous.hql import types
from hartonomous.hql.errors import ParameterFault
from hartonomous.hql.types import parse_type
from hartonomous.hql.values import (
    coerce_constant,
    format_value,
    parameter_value,
    to_python,
    type_of_value,
)

IDENTIFIER = uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
EAST = timezone(timedelta(hours=2))


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "type_", "plain"),
    [
        (None, "NULL", None),
        (True, "BIT", True),
        (7, "INT", 7),
        (-(2**31), "INT", -(2**31)),
        (2**31, "BIGINT", 2**31),
        (2**63, "DECIMAL(19,0)", Decimal(2**63)),
        (1.5, "FLOAT", 1.5),
        (Decimal("1.50"), "DECIMAL(3,2)", Decimal("1.50")),
        ("a", "NVARCHAR", "a"),
        (Text("a"), "NVARCHAR", "a"),
        (b"\0", "VARBINARY", b"\0"),
        (bytearray(b"x"), "VARBINARY", b"x"),
        (memoryview(b"x"), "VARBINARY", b"x"),
        (date(2026, 1, 2), "DATE", date(2026, 1, 2)),
        (time(1, 2), "TIME", time(1, 2)),
        (datetime(2026, 1, 2), "DATETIME2", datetime(2026, 1, 2)),
        (datetime(2026, 1, 2, 3, tzinfo=EAST), "DATETIMEOFFSET", datetime(2026, 1, 2, 1)),
        (IDENTIFIER, "UNIQUEIDENTIFIER", IDENTIFIER.bytes),
        (np.int8(3), "TINYINT", 3),
        (np.uint8(3), "SMALLINT", 3),
        (np.int32(3), "INT", 3),
        (np.int64(3), "BIGINT", 3),
        (np.uint64(2**63), "DECIMAL(19,0)", Decimal(2**63)),
        (np.float32(0.5), "REAL", 0.5),
        (np.float64(0.5), "FLOAT", 0.5),
        (np.bool_(True), "BIT", True),
        (np.datetime64("2026-01-02"), "DATE", date(2026, 1, 2)),
        (
            np.datetime64("2026-01-02T03:04:05.000006"),
            "DATETIME2",
            datetime(2026, 1, 2, 3, 4, 5, 6),
        ),
        (np.datetime64("NaT"), "NULL", None),
        (np.array(5), "INT", 5),
        (pa.scalar(5), "INT", 5),
        ({"a": [1, None]}, "JSON", '{"a": [1, null]}'),
        (["a"], "JSON", '["a"]'),
        ([], "JSON", "[]"),
        ([True], "JSON", "[true]"),
    ],
)
def test_parameters_have_types(value: Any, type_: str, plain: Any) -> None:
    found_type, found = parameter_value("p", value)
    assert str(found_type) == type_ == str(type_of_value(value))
    assert found == plain and type(found) is type(plain)


@pytest.mark.parametrize(
    "value", [[1, 2.5], (1, 2.5), np.array([1, 2.5]), np.array([1, 2.5], np.float16)]
)
def test_numbers_in_a_row_are_a_vector(value: Any) -> None:
    type_, found = parameter_value("p", value)
    assert str(type_) == "VECTOR(2)" and found.dtype == np.float32
    assert found.tolist() == [1.0, 2.5]


def test_a_vector_parameter_is_a_copy() -> None:
    given = np.array([1, 2], np.float32)
    _, found = parameter_value("p", given)
    given[0] = 9
    assert found.tolist() == [1, 2] and not found.flags.writeable


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "no type for object"),
        (timedelta(1), "no type for timedelta"),
        (np.timedelta64(1, "D"), "no type for timedelta64"),
        (1j, "no type for complex"),
        (Decimal("NaN"), "NaN"),
        (Decimal("Infinity"), "Infinity"),
        (10**39, "precision is 1 to 38"),
        (Decimal("1e-39"), "precision is 1 to 38"),
        ("\ud800", "surrogates not allowed"),
        (time(1, tzinfo=UTC), "a TIME has no zone"),
        (datetime(1, 1, 1, tzinfo=EAST), "out of range"),
        (np.zeros((2, 2)), "one-dimensional"),
        (np.array(["a"]), "no vector"),
        (np.array([]), "dimensions are 1 to 65535"),
        ([1e39], "does not fit"),
        ({"a": object()}, "not JSON serializable"),
        ({"a": float("nan")}, "not JSON compliant"),
        (np.datetime64("20000-01-01"), "years 1 to 9999"),
    ],
)
def test_values_without_a_type_are_refused(value: Any, words: str) -> None:
    with pytest.raises(ParameterFault, match="parameter p") as caught:
        parameter_value("p", value)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("BIT", [True, None, False]),
        ("TINYINT", [1, None, -128]),
        ("BIGINT", [2**62 + 1, None]),
        ("FLOAT", [0.1, None, float("inf")]),
        ("DECIMAL(38,10)", [Decimal("1.0000000001"), None]),
        ("NVARCHAR", ["é\0", None, ""]),
        ("VARBINARY", [b"\0", None, b""]),
        ("DATE", [date(1, 1, 1), None, date(9999, 12, 31)]),
        ("TIME", [time(23, 59, 59, 999999), None]),
        ("DATETIME2", [datetime(1, 1, 1, 0, 0, 0, 1), None]),
        ("DATETIMEOFFSET", [datetime(9999, 12, 31, tzinfo=UTC), None]),
        ("JSON", ["{}", None]),
    ],
)
def test_columns_become_python_values(type_: str, values: list[Any]) -> None:
    arrow = parse_type(type_).arrow
    for given in (values, [v for v in values if v is not None], [None, None], []):
        column = pa.array(given, arrow)
        found = to_python(column, parse_type(type_))
        assert found == given
        assert [type(v) for v in found] == [type(v) for v in given]
        assert to_python(column[1:], parse_type(type_)) == given[1:]


def test_identifiers_and_vectors_become_their_own_classes() -> None:
    column = pa.array([IDENTIFIER.bytes, None], pa.binary(16))
    assert to_python(column, types.UNIQUEIDENTIFIER) == [IDENTIFIER, None]
    vectors = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2))
    for column in (vectors, vectors[1:], vectors[:1], vectors.cast(pa.list_(pa.float32()))):
        found = to_python(column, types.vector(2))
        assert [None if v is None else v.tolist() for v in found] == column.to_pylist()
        assert all(v is None or v.dtype == np.float32 for v in found)
    assert to_python(pa.nulls(2), types.NULL) == [None, None]


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (None, "INT", "NULL"),
        (True, "BIT", "1"),
        (0.1, "FLOAT", "0.1"),
        (float("nan"), "FLOAT", "nan"),
        (0.10000000149011612, "REAL", "0.1"),
        (Decimal("1.5"), "DECIMAL(5,2)", "1.50"),
        (b"\0\xff", "VARBINARY", "0x00ff"),
        (IDENTIFIER, "UNIQUEIDENTIFIER", str(IDENTIFIER)),
        (IDENTIFIER.bytes, "UNIQUEIDENTIFIER", str(IDENTIFIER)),
        (time(1, 2, 3, 500000), "TIME", "01:02:03.5"),
        (datetime(2026, 1, 2, 3), "DATETIME2", "2026-01-02 03:00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "DATETIMEOFFSET", "2026-01-02 00:00:00+00:00"),
        (np.array([0.1, 2], np.float32), "VECTOR(2)", "[0.1, 2]"),
    ],
)
def test_values_have_a_text(value: Any, type_: str, text: str) -> None:
    assert format_value(value, parse_type(type_)) == text


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("abc", "INT"), ("1.5", "INT"), (300, "TINYINT"), ("abc", "NVARCHAR(2)"), (1.5, "NVARCHAR"),
        (Decimal("1.55"), "DECIMAL(5,1)"), ("{}", "JSON"), (float("nan"), "INT"), (5, "DATE"),
        ("2026-02-30", "DATE"), ("[1, 2]", "VECTOR(3)"), ("[" * 10_000, "VECTOR(3)"), ("2", "BIT"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_left_to_the_engine(value: Any, type_: str) -> None:
    assert coerce_constant(value, parse_type(type_)) is NotImplemented


def test_certain_casts() -> None:
    assert coerce_constant(None, types.INT) is None
    assert coerce_constant("5", types.INT) == 5
    assert coerce_constant(2.9, types.INT) == 2
    assert coerce_constant(Decimal("-2.9"), types.INT) == -2
    assert coerce_constant("2026-11-22", types.DATE) == date(2026, 11, 22)
    assert coerce_constant(str(IDENTIFIER), types.UNIQUEIDENTIFIER) == IDENTIFIER.bytes
    assert coerce_constant("[1, 2]", types.vector(2)).tolist() == [1.0, 2.0]
    assert coerce_constant("x", types.UNIQUEIDENTIFIER, types.NVARCHAR) is NotImplemented
