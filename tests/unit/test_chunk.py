"""Chunks: who sees which rows, what stays cached, how small ones merge."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hartonomous.storage.catalog import ColumnEntry, TableEntry
from hartonomous.storage.chunk import BATCH_ROWS, Chunk, inverse
from hartonomous.storage.deaths import DeathLog
from hartonomous.storage.memory import MemoryRows, rebatch
from hartonomous.storage.shape import shape_of
from hartonomous.storage.tail import FAN, merge, settle

TABLE = TableEntry(1, "dbo", "t", (ColumnEntry(1, "x", "BIGINT", pa.int64()),), next_id=2)
SHAPE = shape_of(TABLE)


def chunk(
    values: list[int] | np.ndarray, births: int | np.ndarray = 1, first_id: int = 100
) -> Chunk:
    batch = pa.RecordBatch.from_arrays([pa.array(values, pa.int64())], schema=SHAPE.physical)
    return Chunk(MemoryRows(SHAPE.physical, rebatch(SHAPE.physical, [batch])), first_id, births)


def seen(c: Chunk, sequence: int) -> list[int]:
    selection = c.selection(sequence)
    out = c.take("c1", pa.int64(), selection.offsets()).to_pylist()
    assert len(out) == selection.row_count
    return out


def test_visible_from_birth_until_death() -> None:
    c = chunk([1, 2, 3, 4], births=np.array([1, 2, 2, 5]))
    c.deaths.append(3, np.array([1]))
    c.deaths.append(6, np.array([0, 3]))
    assert seen(c, 0) == []
    assert seen(c, 1) == [1]
    assert seen(c, 2) == [1, 2, 3]
    assert seen(c, 3) == [1, 3]
    assert seen(c, 5) == [1, 3, 4]
    assert seen(c, 6) == [3]
    assert seen(c, 2) == [1, 2, 3], "an older snapshot is not disturbed by a newer one"


def test_a_death_beyond_the_snapshot_changes_nothing_and_copies_nothing() -> None:
    c = chunk([1, 2, 3])
    c.deaths.append(4, np.array([0]))
    before = c.selection(4)
    c.deaths.append(5, np.array([1]))
    after = c.selection(4)
    assert after.row_count == 2 and after.hidden is before.hidden
    assert c.selection(5).row_count == 1


def test_one_delete_leaves_the_other_batches_as_they_are() -> None:
    c = chunk(np.arange(3 * BATCH_ROWS))
    c.deaths.append(2, np.array([BATCH_ROWS + 7]))
    selection = c.selection(2)
    assert set(selection.hidden) == {1}
    hidden = selection.hidden[1]
    values = hidden.filter("c1", c.column("c1", pa.int64(), 1))
    assert len(values) == BATCH_ROWS - 1
    c.deaths.append(3, np.array([2 * BATCH_ROWS]))
    later = c.selection(3)
    assert later.hidden[1] is hidden, "its filtered columns stay warm"
    assert hidden.filter("c1", c.column("c1", pa.int64(), 1)) is values
    assert set(later.hidden) == {1, 2}


def test_is_visible() -> None:
    c = chunk(np.arange(2 * BATCH_ROWS))
    selection = c.selection(1).without(np.array([5, BATCH_ROWS]))
    offsets = np.array([BATCH_ROWS, 4, 5, BATCH_ROWS + 1, 5])
    assert selection.is_visible(offsets).tolist() == [False, True, False, True, False]


def test_the_log_keeps_what_it_has_while_it_grows() -> None:
    log = DeathLog()
    log.append(1, np.array([4]))
    first = log.offsets(0, 1)
    for sequence in range(2, 100):
        log.append(sequence, np.array([sequence]))
    assert first.tolist() == [4]
    assert log.prefix(50) == 50 and log.offsets(49, 50).tolist() == [50]
    with pytest.raises(AssertionError):
        log.append(3, np.array([1]))


def test_take_keeps_the_asked_order_across_batches() -> None:
    c = chunk(np.arange(2 * BATCH_ROWS) * 10)
    offsets = np.array([BATCH_ROWS + 1, 3, BATCH_ROWS, 3])
    assert c.take("c1", pa.int64(), offsets).to_pylist() == (offsets * 10).tolist()


def test_a_missing_column_reads_as_null() -> None:
    assert chunk([1, 2]).column("c9", pa.string(), 0).to_pylist() == [None, None]


def test_find_row_ids() -> None:
    c = chunk([1, 2, 3], first_id=50)
    index, offsets = c.find_row_ids(np.array([49, 51, 53]))
    assert (index.tolist(), offsets.tolist()) == ([1], [1])
    mixed = Chunk(c.rows, np.array([9, 4, 9]), 1)
    index, offsets = mixed.find_row_ids(np.array([9, 4, 5]))
    assert sorted(zip(index.tolist(), offsets.tolist(), strict=True)) == [(0, 0), (0, 2), (1, 1)]


def test_merging_carries_ids_births_and_deaths() -> None:
    parts = [chunk([i], births=i + 1, first_id=10 * i) for i in range(4)]
    parts[2].deaths.append(6, np.array([0]))
    parts[0].deaths.append(8, np.array([0]))
    whole = merge(parts, SHAPE)
    assert whole.row_ids_at(slice(None)).tolist() == [0, 10, 20, 30]
    assert whole.births_at(slice(None)).tolist() == [1, 2, 3, 4]
    assert [seen(whole, s) for s in (3, 5, 6, 8)] == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 3], [1, 3]]


def test_one_row_chunks_settle_into_few() -> None:
    chunks: tuple[Chunk, ...] = ()
    most = 0
    for i in range(2000):
        chunks = settle((*chunks, chunk([i], births=i + 1, first_id=i)), SHAPE)
        most = max(most, len(chunks))
    assert most <= FAN * 4  # FAN for each power of FAN up to 2,000
    assert [v for c in chunks for v in seen(c, 2000)] == list(range(2000))
    assert all(isinstance(c.row_ids, int) for c in chunks), "contiguous ids stay one number"


def test_inverse() -> None:
    order = np.array([2, 0, 1])
    assert np.array([5, 6, 7])[order][inverse(order)].tolist() == [5, 6, 7]
