"""The fast way to hash a few rows gives the same leaf as the general one, wherever it answers."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.storage.encoding import leaf_hash
from hartonomous.storage.small_leaf import ROWS_MAX, SmallLeaf

VALUES = {
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.string(): st.text(max_size=20),
    pa.binary(): st.binary(max_size=20),
    pa.binary(16): st.binary(min_size=16, max_size=16),
    pa.decimal128(18, 2): st.decimals(-1000, 1000, places=2).map(Decimal),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.time64("us"): st.times(),
    pa.bool_(): st.booleans(),
    pa.list_(pa.float32(), 2): st.tuples(st.just(1.0), st.just(2.5)).map(list),
}
FAST = [k for k in VALUES if not pa.types.is_boolean(k) and not pa.types.is_fixed_size_list(k)]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_the_same_leaf(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    rows = data.draw(st.integers(1, 6))
    nulls = data.draw(st.booleans())
    columns = []
    for kind in kinds:
        value = VALUES[kind] | st.none() if nulls else VALUES[kind]
        drawn = data.draw(st.lists(value, min_size=rows + 2, max_size=rows + 2))
        columns.append(pa.array(drawn, kind).slice(1, rows))
    schema = pa.schema([(f"c{i}", k) for i, k in enumerate(kinds)])
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    found = SmallLeaf(schema).hash(batch.columns, rows, 7)
    assert found is None or found == leaf_hash(batch, 7)


def test_it_answers_for_common_types() -> None:
    kinds = {pa.int8(): 1, pa.int64(): 5, pa.string(): "ä", pa.float64(): 0.5}
    kinds |= {pa.date32(): datetime.date(2026, 1, 1)}
    assert set(kinds) <= set(FAST)
    schema = pa.schema([(f"c{i}", k) for i, k in enumerate(kinds)])
    batch = pa.RecordBatch.from_arrays([pa.array([v], k) for k, v in kinds.items()], schema=schema)
    assert SmallLeaf(schema).hash(batch.columns, 1, 3) == leaf_hash(batch, 3)
    many = [pa.array([v] * (ROWS_MAX + 1), k) for k, v in kinds.items()]
    assert SmallLeaf(schema).hash(many, ROWS_MAX + 1, 3) is None
    nothing = pa.RecordBatch.from_arrays([pa.nulls(1, k) for k in kinds], schema=schema)
    assert SmallLeaf(schema).hash(nothing.columns, 1, 3) == leaf_hash(nothing, 3)
