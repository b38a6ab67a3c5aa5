"""Mean pooling: the compiled kernel, the reference and plain means agree to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.kernels import pooling


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 19), max_size=12), min_size=1, max_size=12))
def test_pooled_rows_are_means(lists: list[list[int]]) -> None:
    table = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float16)
    ids = np.array([i for part in lists for i in part], np.int32)
    offsets = np.cumsum([0, *(len(part) for part in lists)]).astype(np.int64)
    found = pooling.mean_pool_reference(table, ids, offsets)
    assert found.tobytes() == pooling.mean_pool(table.astype(np.float32), ids, offsets).tobytes()
    wide = table.astype(np.float64)
    for row, part in zip(found, lists, strict=True):
        expected = wide[part].sum(axis=0) / max(1, len(part))
        assert row.tolist() == expected.astype(np.float32).tolist()


def test_lists_go_on_from_one_block_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float16)
    ids = np.random.default_rng(2).integers(0, 50, 500).astype(np.int32)
    offsets = np.array([0, 0, 3, 250, 250, 251, 500, 500], np.int64)
    whole = pooling.mean_pool_reference(table, ids, offsets)
    monkeypatch.setattr(pooling, "_BLOCK_ELEMENTS", 28)
    assert pooling.mean_pool_reference(table, ids, offsets).tobytes() == whole.tobytes()


def test_numbers_outside_the_table_are_refused() -> None:
    table = np.zeros((3, 2), np.float32)
    for ids in ([3], [-1]):
        with pytest.raises(AssertionError):
            pooling.mean_pool(table, np.array(ids, np.int32), np.array([0, 1], np.int64))
