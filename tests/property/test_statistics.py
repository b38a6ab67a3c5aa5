"""Zone maps leave out no batch that holds a match."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from arrays import values
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.storage.statistics import ZoneMap, measure

KINDS = [pa.int32(), pa.float64(), pa.string(), pa.decimal128(20, 3), pa.date32(), pa.bool_()]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=60)
@given(data=st.data())
def test_no_match_is_left_out(kind: pa.DataType, data: st.DataObject) -> None:
    near = st.text("ab", max_size=36) if pa.types.is_string(kind) else values(kind, nulls=False)
    batch = data.draw(st.lists(st.none() | near, min_size=1, max_size=6))
    low, high = data.draw(st.none() | near), data.draw(st.none() | near)
    low_open, high_open = data.draw(st.booleans()), data.draw(st.booleans())
    some = data.draw(st.none() | st.lists(near, max_size=3).map(tuple))
    stored = pa.array(batch, kind).to_pylist()

    def matches(value: Any) -> bool:
        return (
            value is not None
            and (low is None or (value > low if low_open else value >= low))
            and (high is None or (value < high if high_open else value <= high))
            and (some is None or value in some)
        )

    zone = ZoneMap(kind, [measure(pa.array(batch, kind))])
    zone = ZoneMap.from_map(kind, zone.to_map())
    (may,) = zone.may_match(low, high, low_open=low_open, high_open=high_open, values=some)
    assert may or not any(matches(v) for v in stored)
    if may and not any(v != v for v in (*stored, low, high, *(some or ()))) and some is None:
        present = [v for v in stored if v is not None]
        short = all(not isinstance(v, str) or len(v) <= 32 for v in present)
        if short and (low is None or high is None):  # and one that is out of range is left out
            assert any(matches(v) for v in stored)
