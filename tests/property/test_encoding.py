"""The canonical encoding depends on values only, and on all of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from arrays import TYPES, arrays, layouts, values
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hartonomous.storage.encoding import encode_ids, leaf_hash


def leaf(array: pa.Array | pa.ChunkedArray, name: str = "c1") -> bytes:
    return leaf_hash(pa.table({name: array}), 0)


@pytest.mark.parametrize("kind", TYPES, ids=str)
@settings(max_examples=20)
@given(data=st.data())
def test_layout_does_not_matter(kind: pa.DataType, data: st.DataObject) -> None:
    array, before, after = (data.draw(arrays(kind)) for _ in range(3))
    expected = leaf(array)
    for other in layouts(array, before, after):
        assert leaf(other) == expected, other.type


@pytest.mark.parametrize("kind", [k for k in TYPES if not pa.types.is_null(k)], ids=str)
@settings(max_examples=15)
@given(data=st.data())
def test_every_value_matters(kind: pa.DataType, data: st.DataObject) -> None:
    some: list[Any] = data.draw(st.lists(values(kind), min_size=1, max_size=12))
    index = data.draw(st.integers(0, len(some) - 1))
    other = list(some)
    other[index] = data.draw(values(kind))
    a, b = pa.array(some, kind), pa.array(other, kind)
    assume(repr(a.to_pylist()) != repr(b.to_pylist()))  # one NaN is as good as another
    assert leaf(a) != leaf(b)


@settings(max_examples=40)
@given(arrays())
def test_name_type_number_and_order_matter(array: pa.Array) -> None:
    assume(array.null_count < len(array))
    assert leaf(array) != leaf(array, "c2")
    assert leaf(array) != leaf(pa.concat_arrays([array, array]))
    assert leaf_hash(pa.table({"c1": array}), 0) != leaf_hash(pa.table({"c1": array}), 1)
    twice = pa.table({"c1": array, "c2": array})
    assert leaf_hash(twice, 0) != leaf_hash(twice.select([1, 0]), 0)


@settings(max_examples=40)
@given(arrays())
def test_a_column_of_nulls_is_no_column(array: pa.Array) -> None:
    """A segment older than a column reads it as NULL: filling it in must not change the hash."""
    plain = pa.table({"c1": array})
    wider = plain.append_column("c2", pa.nulls(len(array), pa.string()))
    assert leaf_hash(plain, 0) == leaf_hash(wider, 0)


@given(st.sets(st.integers(0, 60), min_size=1))
def test_ids_are_runs_and_give_the_ids_back(ids: set[int]) -> None:
    import numpy as np

    packed = encode_ids(np.array(sorted(ids)))
    numbers = np.frombuffer(packed, "<u8").tolist()
    runs = list(zip(numbers[1::2], numbers[2::2], strict=True))
    assert len(runs) == numbers[0]
    assert [i for first, n in runs for i in range(first, first + n)] == sorted(ids)
    assert all(a + n < b for (a, n), (b, _) in zip(runs, runs[1:], strict=False))  # maximal
    if len(runs) == 1:
        assert packed == encode_ids((min(ids), len(ids)))
