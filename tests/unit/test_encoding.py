"""The canonical encoding's bytes, as docs/FORMAT.md gives them. They must never change."""

from __future__ import annotations

import hashlib
import struct
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hartonomous.storage.encoding import (
    LEAF_ROWS,
    deletion_leaf_hash,
    digests,
    encode_deletions,
    encode_ids,
    encode_rows,
    encode_values,
    leaf_hash,
    type_tag,
)
from hartonomous.storage.errors import FormatFault

MIDNIGHT_2000 = 946_684_800_000_000


def joined(pieces: Any) -> bytes:
    return b"".join(bytes(p) for p in pieces)


def test_rows_byte_by_byte() -> None:
    rows = pa.record_batch(
        {"c1": pa.array([7, None, -1], pa.int32()), "c4": pa.array(["é", "", None])}
    )
    expected = b"".join(
        [
            b"HRTM\x01I\0\0",
            struct.pack("<II", 3, 2),  # rows, columns
            struct.pack("<QQQ", 1, 40, 3),  # one run of ids: 40, 41, 42
            struct.pack("<I", 2) + b"c1" + b"\x03",
            b"\x01\x05" + struct.pack("<iii", 7, 0, -1),
            struct.pack("<I", 2) + b"c4" + b"\x11",
            b"\x01\x03" + struct.pack("<III", 2, 0, 0) + "é".encode(),
        ]
    )
    assert joined(encode_rows(rows, 40)) == expected
    assert joined(encode_rows(rows, np.array([40, 41, 42]))) == expected
    assert leaf_hash(rows, 40) == hashlib.sha256(b"\0" + expected).digest()


def test_deletions_byte_by_byte() -> None:
    ids = np.array([9, 3, 4, 5])
    expected = b"HRTM\x01D\0\0" + struct.pack("<QQQQQ", 2, 3, 3, 9, 1)
    assert joined(encode_deletions(ids)) == expected
    assert deletion_leaf_hash(ids) == hashlib.sha256(b"\0" + expected).digest()


@pytest.mark.parametrize(
    ("kind", "value", "tag", "data"),
    [
        (pa.int8(), -2, "01", "fe"),
        (pa.int16(), 258, "02", "0201"),
        (pa.int32(), 1, "03", "01000000"),
        (pa.int64(), -1, "04", "ffffffffffffffff"),
        (pa.float32(), 1.0, "0a", "0000803f"),
        (pa.float64(), -0.0, "0b", "0000000000000080"),
        (pa.float64(), float("nan"), "0b", "000000000000f87f"),
        (pa.float32(), float("nan"), "0a", "0000c07f"),
        (pa.bool_(), True, "10", "01"),
        (pa.string(), "ab", "11", "020000006162"),
        (pa.binary(), b"\xff", "12", "01000000ff"),
        (pa.date32(), date(1970, 1, 3), "20", "02000000"),
        (pa.time64("us"), time(0, 0, 1), "224002", "40420f0000000000"),
        (pa.timestamp("us"), datetime(2000, 1, 1), "230200", struct.pack("<q", MIDNIGHT_2000)),
        (pa.timestamp("us", "UTC"), MIDNIGHT_2000, "230201", struct.pack("<q", MIDNIGHT_2000)),
        (pa.decimal128(20, 3), Decimal("-0.001"), "301403", "ff" * 16),
        (pa.binary(4), b"abcd", "3104000000", "61626364"),
        (pa.list_(pa.int8()), [1, None], "4001", "02000000" + "0101" + "0100"),
        (pa.list_(pa.int8(), 2), [1, 2], "410200000001", "00" + "0102"),
        (
            pa.struct([("a", pa.int8()), ("b", pa.string())]),
            {"a": None, "b": "x"},
            "4202000000" + "0100000061" + "01" + "0100000062" + "11",
            "0100" + "00" + "0001000000" + "78",
        ),
    ],
    ids=str,
)
def test_every_type_byte_by_byte(kind: pa.DataType, value: Any, tag: str, data: Any) -> None:
    array = pa.array([value], kind)
    assert type_tag(kind).hex() == tag
    found = joined(encode_values(array))
    assert found.hex() == "00" + (data.hex() if isinstance(data, bytes) else data)


def test_null_vectors_have_no_elements() -> None:
    array = pa.array([None, [1.0, 2.0], None], pa.list_(pa.float32(), 2))
    assert joined(encode_values(array)) == b"\x01\x02" + b"\x00" + struct.pack("<ff", 1, 2)


def test_digests_of_many_runs() -> None:
    runs = [(pa.record_batch({"c1": np.arange(i + 1)}), 10 * i) for i in range(5)]
    assert digests(runs) == [leaf_hash(*run) for run in runs]
    assert digests([]) == []


def test_limits_are_asserted() -> None:
    with pytest.raises(AssertionError):
        leaf_hash(pa.record_batch({"c1": np.zeros(LEAF_ROWS + 1)}), 0)
    with pytest.raises(AssertionError):
        encode_ids(np.array([2, 1]))
    with pytest.raises(FormatFault):
        type_tag(pa.month_day_nano_interval())
