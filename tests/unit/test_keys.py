"""Keys: equal hashes for equal keys wherever they lie, and finding by value."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.storage.catalog import ColumnEntry, KeyEntry, TableEntry
from hartonomous.storage.chunk import Chunk
from hartonomous.storage.errors import Error
from hartonomous.storage.keyhash import equal_rows, hash_rows, valid_rows
from hartonomous.storage.keys import (
    ChunkKey,
    KeyColumns,
    Probe,
    build_index,
    chunk_key,
    find_duplicate,
    merge_keys,
)
from hartonomous.storage.memory import MemoryRows
from hartonomous.storage.shape import shape_of
from hartonomous.storage.tail import merge

VALUES: dict[pa.DataType, Any] = {
    pa.int8(): st.integers(-3, 3),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.sampled_from([0.0, -0.0, math.nan, 1.5, math.inf]),
    pa.float32(): st.sampled_from([0.0, -0.0, math.nan, 1.5]),
    pa.bool_(): st.booleans(),
    pa.string(): st.text("aé€😀", max_size=20),
    pa.binary(): st.binary(max_size=20),
    pa.binary(16): st.sampled_from([bytes(16), bytes(range(16))]),
    pa.decimal128(20, 2): st.sampled_from([Decimal("1.00"), Decimal("-1.00"), Decimal("99.99")]),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.time64("us"): st.times(),
}


def same(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_equal_keys_have_equal_hashes_and_only_they_are_equal(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    row = st.tuples(*(VALUES[k] for k in kinds))
    rows = data.draw(st.lists(row, min_size=2, max_size=8))
    columns = [pa.array([r[i] for r in rows], k) for i, k in enumerate(kinds)]
    hashes = hash_rows(columns)
    for shift in (1, 2):
        moved = [pa.concat_arrays([c.slice(shift), c.slice(0, shift)]) for c in columns]
        assert (np.roll(hashes, -shift) == hash_rows(moved)).all(), "not by offset or layout"
        sliced = [pa.concat_arrays([c, c]).slice(shift, len(rows)) for c in columns]
        assert (np.roll(hashes, -shift) == hash_rows(sliced)).all()
        equal = equal_rows(columns, moved)
        for i, row_ in enumerate(rows):
            other = rows[(i + shift) % len(rows)]
            expected = all(same(a, b) for a, b in zip(row_, other, strict=True))
            assert equal[i] == expected
            if expected:
                assert hashes[i] == hash_rows(moved)[i]


def test_hashes_are_those_of_the_format() -> None:
    """Indexes on disk hold them: they may not change."""
    assert [hex(h) for h in hash_rows([pa.array([0, 1, -1], pa.int32())])] == [
        hex(h) for h in hash_rows([pa.array([0, 1, -1], pa.int64())])
    ]
    state = 0x9E3779B97F4A7C15
    for word in (int.from_bytes(b"hello wo", "little"), int.from_bytes(b"rld", "little"), 11):
        state = ((state ^ word) * 0xBF58476D1CE4E5B9) % 2**64
        state ^= state >> 32
        state = state * 0x94D049BB133111EB % 2**64
        state ^= state >> 29
    assert int(hash_rows([pa.array(["hello world"])])[0]) == state


def test_hashes_spread() -> None:
    hashes = hash_rows([pa.array(np.arange(100_000))])
    assert len(np.unique(hashes)) == 100_000
    assert abs(np.unpackbits(hashes.view(np.uint8)).mean() - 0.5) < 0.01


def test_valid_rows() -> None:
    assert valid_rows([pa.array([1, 2])]) is None
    found = valid_rows([pa.array([1, None, 3]), pa.array([None, 1, 1])])
    assert found is not None and found.tolist() == [False, False, True]


def test_a_key_over_a_list_is_refused() -> None:
    with pytest.raises(Error) as fault:
        hash_rows([pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))])
    assert fault.value.code == "NOT_SUPPORTED"


TABLE = TableEntry(
    1,
    "dbo",
    "t",
    (ColumnEntry(1, "a", "BIGINT", pa.int64()), ColumnEntry(2, "b", "NVARCHAR", pa.string())),
    (KeyEntry(3, "one", (1,), "UNIQUE"), KeyEntry(4, "both", (2, 1), "UNIQUE")),
    next_id=5,
)
ONE, BOTH = (KeyColumns.of(TABLE, k) for k in TABLE.keys)


def chunk(a: list[int | None], b: list[str | None]) -> Chunk:
    schema = shape_of(TABLE).physical
    batch = pa.RecordBatch.from_arrays([pa.array(a, pa.int64()), pa.array(b)], schema=schema)
    return Chunk(MemoryRows(schema, [batch]), 1, 1)


def find(c: Chunk, key: KeyColumns, *columns: list[Any]) -> list[tuple[int, int]]:
    types = [column.arrow for column in key.columns]
    probe = Probe([pa.array(v, t) for v, t in zip(columns, types, strict=True)])
    part = chunk_key(c, key)
    if part.excludes(probe):
        return []
    rows, offsets = part.find(probe)
    return sorted(zip(probe.numbers(rows).tolist(), offsets.tolist(), strict=True))


@pytest.mark.parametrize("a", [[5, 3, None, 5, 9], [3, 5, 6, 7, 9]])
def test_finding_by_one_column(a: list[int | None]) -> None:
    c = chunk(a, ["x", "y", "z", None, "x"])
    wanted = [9, None, 4, 5, 100]
    expected = sorted(
        (i, j) for i, w in enumerate(wanted) for j, v in enumerate(a) if w is not None and v == w
    )
    assert find(c, ONE, wanted) == expected
    assert (chunk_key(c, ONE).ascending is not None) == (a == sorted(a, key=lambda v: v or 0))


def test_finding_by_two_columns() -> None:
    c = chunk([1, 1, 2, None], ["x", "y", "x", "x"])
    assert find(c, BOTH, ["x", "x", None, "y"], [2, None, 1, 1]) == [(0, 2), (3, 1)]


def test_readers_may_add_keys_to_chunks_that_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [chunk([4, 2], ["p", "q"]), chunk([9, 8], ["p", "q"])]
    for part in parts:
        assert chunk_key(part, ONE).index
    serves = ChunkKey.serves

    def add(key: ChunkKey, other: KeyColumns) -> bool:
        if BOTH.key.id not in parts[0].keys:
            chunk_key(parts[0], BOTH)
        return serves(key, other)

    monkeypatch.setattr(ChunkKey, "serves", add)
    whole = merge(parts, shape_of(TABLE))
    assert find(whole, ONE, [8, 4]) == [(0, 3), (1, 0)]


def test_a_merged_chunk_finds_what_its_parts_did() -> None:
    parts = [chunk([4, 2], ["p", "q"]), chunk([9, 8], ["p", "q"])]
    for part in parts:
        assert chunk_key(part, ONE).index and chunk_key(part, BOTH).index
    whole = merge(parts, shape_of(TABLE))
    assert whole.keys[3].has_index and whole.keys[3].range == (2, 9)
    assert find(whole, ONE, [8, 4]) == [(0, 3), (1, 0)]
    merge_keys(parts, whole)
    rebuilt = build_index(whole, BOTH)
    assert (whole.keys[4].index[0] == rebuilt[0]).all()


def test_ranges_exclude() -> None:
    c = chunk([5, 7], ["a", "b"])
    part = chunk_key(c, ONE)
    assert part.excludes(Probe([pa.array([8, 9])])) and part.excludes(Probe([pa.array([4])]))
    assert not part.excludes(Probe([pa.array([1, 6])]))
    assert not part.has_index, "nothing was built for it"


def test_duplicates_among_new_rows() -> None:
    assert find_duplicate(Probe([pa.array([1, 2, 3])])) is None
    assert find_duplicate(Probe([pa.array([3, 1, 2, 1])])) == 3
    assert find_duplicate(Probe([pa.array(["a", None, None, "b"])])) is None
    assert find_duplicate(Probe([pa.array([None, 1, 1]), pa.array(["x", "y", "y"])])) == 2
    assert find_duplicate(Probe([pa.array([0.0, -0.0])])) == 1
    assert find_duplicate(Probe([pa.array([math.nan, math.nan])])) == 1
