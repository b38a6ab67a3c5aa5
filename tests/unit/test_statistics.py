"""Zone maps: exact bounds, cut strings, NaN, NULL, and which side errs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hartonomous.storage.statistics import STRING_BYTES, ZoneMap, measure


def zone(values: Any, kind: pa.DataType) -> ZoneMap:
    made = ZoneMap(kind, [measure(pa.array(values, kind))])
    return ZoneMap.from_map(kind, made.to_map())  # as a directory keeps it


def may(made: ZoneMap, *bounds: Any, **more: Any) -> bool:
    return bool(made.may_match(*bounds, **more)[0])


def test_bounds_and_their_ends() -> None:
    made = zone([5, None, 9], pa.int64())
    assert may(made, 9) and not may(made, 9, low_open=True) and not may(made, 10)
    assert may(made, None, 5) and not may(made, None, 5, high_open=True)
    assert not may(made, None, 4)
    assert may(made, values=(1, 7)) and not may(made, values=(1, 10, None))
    assert may(made, is_null=True) and not may(zone([1], pa.int64()), is_null=True)
    assert not may(zone([None], pa.int64()), 1) and not may(zone([None], pa.int64()), values=(1,))


def test_nan_passes_every_range_and_bounds_the_rest() -> None:
    made = zone([1.0, float("nan"), 2.0], pa.float64())
    assert (made.batches[0].low, made.batches[0].high) == (1.0, 2.0)
    assert may(made, 100.0) and may(made, None, -100.0) and may(made, values=(float("nan"),))
    assert may(zone([float("nan"), None], pa.float64()), 5.0)
    assert may(zone([1.0], pa.float32()), float("nan"))


def test_long_strings_are_cut_on_the_safe_side() -> None:
    low, high = "b" * 40, "y" * 40
    made = zone([low, high], pa.string())
    assert len(made.batches[0].high) == STRING_BYTES
    assert may(made, high) and may(made, high + "z") and not may(made, "y" * 31 + "z")
    assert may(made, None, low) and may(made, values=(high,)) and not may(made, values=("z",))
    assert may(made, None, low, high_open=True)  # lies above the cut bound: not known
    assert not may(made, None, "b" * 32, high_open=True)
    exact = zone(["m" * STRING_BYTES], pa.string())
    assert not may(exact, "m" * STRING_BYTES, low_open=True)


def test_strings_compare_by_code_point() -> None:
    made = zone(["\uffff", "\U00010000"], pa.string())
    assert made.batches[0].high == "\U00010000".encode()
    assert not may(made, None, "\uff00")


@pytest.mark.parametrize(
    ("kind", "low", "high", "outside"),
    [
        (pa.decimal128(38, 2), Decimal("-1.50"), Decimal(10) ** 35, Decimal(-2)),
        (pa.date32(), date(1970, 1, 2), date(2020, 2, 29), date(1969, 12, 31)),
        (pa.timestamp("us"), datetime(1900, 1, 1), datetime(2100, 1, 1), datetime(1800, 1, 1)),
        (pa.bool_(), True, True, False),
    ],
    ids=str,
)
def test_every_ordered_type(kind: pa.DataType, low: Any, high: Any, outside: Any) -> None:
    made = zone([low, high, None], kind)
    assert may(made, low, low) and may(made, high, high) and not may(made, None, outside)
    assert may(made, values=(high,)) and not may(made, values=(outside,))


def test_unordered_types_count_nulls_only() -> None:
    vectors = pa.list_(pa.float32(), 2)
    made = zone([[1, 2], None], vectors)
    assert made.nulls == 1 and may(made, [0, 0]) and not may(zone([None], vectors), [0, 0])


@pytest.mark.parametrize("order", [1, -1])
def test_bounds_of_many_strings(order: int) -> None:
    words = [f"{i:06}" for i in range(5000)][::order]
    (batch,) = zone(words, pa.string()).batches
    assert (batch.low, batch.high) == (b"000000", b"004999")
    middle = [*words[:1500], "a", "!", *words[1500:]]
    (batch,) = zone(middle, pa.string()).batches
    assert (batch.low, batch.high) == (b"!", b"a")
    sparse = [None] * 5000
    sparse[777] = "only"
    (batch,) = zone(sparse, pa.string()).batches
    assert (batch.low, batch.high, batch.nulls) == (b"only", b"only", 4999)


def test_slices_are_measured_as_slices() -> None:
    array = pa.array(np.arange(100))
    (batch,) = ZoneMap(array.type, [measure(array.slice(10, 5))]).batches
    assert (batch.low, batch.high, batch.rows) == (10, 14, 5)
