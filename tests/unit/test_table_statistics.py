"""Statistics of tables: estimates against the truth, on made and on real data, and staleness."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from python_lines import read_lines
from query_world import World

from hartonomous.hql.statistics.column import ColumnStatistics, measure, stored
from hartonomous.hql.statistics.distinct import distinct_values
from hartonomous.hql.statistics.kept import known_statistics, statistics_of, update_statistics
from hartonomous.hql.statistics.sample import SAMPLE_ROWS, WHOLE_ROWS, sample_addresses

#: an estimate of a share of at least 1 in 200 rows is right within this factor, on real data
FACTOR = 1.5
#: and the number of different values within this one
DISTINCT_FACTOR = 3.0
#: lines of Python read for real data
LINES = 70_000


def is_near(estimate: float, truth: float, factor: float) -> bool:
    return truth / factor <= estimate <= truth * factor


# --- one column ----------------------------------------------------------------------------------


def test_a_column_seen_whole_is_known_exactly() -> None:
    found = measure(pa.array([3, 1, 1, None, 2, 1, None, 2]), 8)
    assert found.is_whole and found.nulls == 0.25 and found.distinct == 3
    assert found.common == ((1, 0.375), (2, 0.25), (3, 0.125)) and found.bounds == ()
    assert (found.low, found.high, found.rest) == (1, 3, 0.0)
    assert found.share_equal(1) == 0.375 and found.share_equal(9) == 0.0
    assert found.share_equal(None) == 0.0
    assert found.share_between(1, 2) == 0.625 and found.share_between(1, 2, low_open=True) == 0.25
    assert found.share_between(None, 2, high_open=True) == 0.375
    assert found.share_between(4, None) == 0.0 and found.share_between(None, None) == 0.75


def test_nothing_and_only_nulls() -> None:
    empty = measure(pa.array([], pa.int64()), 0)
    assert empty.is_whole and empty.distinct == 0 and empty.share_between(1, None) == 0.0
    nulls = measure(pa.nulls(5, pa.string()), 5)
    assert nulls.nulls == 1.0 and nulls.share_equal(b"x") == 0.0
    assert nulls.share_between(b"a", None) == 0.0


@pytest.mark.parametrize(
    ("values", "kind", "low", "share"),
    [
        ([0.5, float("nan"), -0.0, 0.0], pa.float64(), 0.25, 0.5),
        ([0.5, float("nan"), -0.0, 0.0], pa.float64(), float("nan"), 0.25),
        ([True, False, True, None], pa.bool_(), True, 0.5),
        ([date(2024, 1, d) for d in (1, 2, 3, 4)], pa.date32(), date(2024, 1, 4), 0.25),
        ([Decimal("1.5"), Decimal("-2"), Decimal(7), None], pa.decimal128(9, 2), Decimal(0), 0.5),
        (["a", "é", "z", "z"], pa.string(), "z", 0.75),
        ([b"\0" * 16, b"\1" * 16], pa.binary(16), b"\1" * 16, 0.5),
    ],
)
def test_every_ordered_type(values: Any, kind: pa.DataType, low: Any, share: float) -> None:
    found = measure(pa.array(values, kind), len(values))
    assert found.share_between(stored(low, kind), None) == share


def test_a_vector_has_nulls_alone() -> None:
    kind = pa.list_(pa.float32(), 2)
    found = measure(pa.array([[1.0, 2.0], None], kind), 2)
    assert found.nulls == 0.5 and found.distinct == 0 and found.share_between(0, 1) is None


def test_long_texts_are_cut_and_still_counted() -> None:
    texts = ["x" * 1000 + str(i % 7) for i in range(700)]
    found = measure(pa.array(texts), 700)
    assert found.distinct == 7 and not found.common
    assert all(len(bound) <= 65 for bound in found.bounds)
    assert found.share_equal(texts[0].encode()) == pytest.approx(1 / 7)


@pytest.mark.parametrize("name", ["few", "many", "unique", "normal", "skewed", "mixed"])
def test_a_sample_tells_shares_and_different_values(name: str) -> None:
    rows = 400_000
    random = np.random.default_rng(5)
    values = {
        "few": lambda: random.integers(0, 40, rows),
        "many": lambda: random.integers(0, 100_000, rows),
        "unique": lambda: random.permutation(rows),
        "normal": lambda: random.normal(0, 1000, rows).astype(np.int64),
        "skewed": lambda: random.zipf(1.5, rows).clip(0, 1 << 40),
        "mixed": lambda: np.where(random.random(rows) < 0.5, -1, random.permutation(rows)),
    }[name]()
    sample = np.sort(random.choice(rows, SAMPLE_ROWS, replace=False))
    found = measure(pa.array(values[sample]), rows)
    assert is_near(found.distinct, len(np.unique(values)), DISTINCT_FACTOR)
    for low, high in np.sort(random.choice(values, (200, 2)), axis=1).tolist():
        truth = float(((values >= low) & (values <= high)).mean())
        estimate = found.share_between(low, high)
        assert estimate is not None
        if truth >= 0.005:
            assert is_near(estimate, truth, FACTOR), (low, high, truth, estimate)
        else:
            assert estimate < 0.02


def test_different_values_at_the_ends() -> None:
    ones = np.ones(100, np.int64)
    assert distinct_values(ones, 100) == 100 and distinct_values(ones, 1000) == 1000
    assert distinct_values(ones * 2, 10_000) == 100 and distinct_values(ones[:0], 5) == 0
    assert distinct_values(np.array([10**6, 1]), 10**7) <= 10**7


# --- real data -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python() -> World:
    world = World()
    kinds = ("INT", "INT", "INT", "INT", "NVARCHAR", "NVARCHAR")
    names = ("file", "line", "length", "depth", "word", "text")
    columns = read_lines(LINES)
    assert len(columns[0]) > WHOLE_ROWS
    world.create("code", dict(zip(names, kinds, strict=True)), columns)
    return world


@pytest.mark.parametrize("name", ["file", "line", "length", "depth", "word", "text"])
def test_estimates_on_real_data(python: World, name: str) -> None:
    entry = python.source.catalog.find("dbo", "code")
    assert entry is not None
    view = python.source.view(entry.id)
    column = view.column(name)
    found = statistics_of(view, python.database).column(column, view)
    assert found.sampled < view.row_count and not found.is_whole
    values = view.scan([name]).table.column(0).to_pylist()
    filled = [v for v in values if v is not None]
    assert is_near(found.distinct, len(set(filled)), DISTINCT_FACTOR)
    assert found.nulls == pytest.approx(1 - len(filled) / len(values), abs=0.01)
    random = np.random.default_rng(3)
    picked = [filled[i] for i in random.integers(0, len(filled), 120)]
    counts: dict[Any, int] = {}
    for value in filled:
        counts[value] = counts.get(value, 0) + 1
    for value in picked:
        truth = counts[value] / len(values)
        if truth >= 0.01:  # more than a hundred values cannot be, so all are kept
            assert is_near(found.share_equal(stored(value, column.arrow)), truth, FACTOR)
    ends = [sorted((a, b)) for a, b in zip(picked[::2], picked[1::2], strict=True)]
    for low, high in ends:
        truth = sum(n for v, n in counts.items() if low <= v <= high) / len(values)
        estimate = found.share_between(stored(low, column.arrow), stored(high, column.arrow))
        assert estimate is not None
        assert truth < 0.005 or is_near(estimate, truth, FACTOR), (low, high, truth, estimate)


# --- tables --------------------------------------------------------------------------------------


def test_statistics_are_kept_until_a_tenth_of_the_rows_changed() -> None:
    world = World()
    table = world.create("t", {"id": "INT", "a": "INT"}, [list(range(1000)), [1] * 1000])
    first = statistics_of(world.source.view(table.id), world.database)
    assert statistics_of(world.source.view(table.id), world.database) is first
    world.insert(table, [list(range(1000, 1150)), [2] * 150])
    view = world.source.view(table.id)
    assert first.changed_since(view) == 150 and first.holds_for(view)
    assert statistics_of(view, world.database) is first
    world.insert(table, [[2000], [2]])
    view = world.source.view(table.id)
    assert not first.holds_for(view) and known_statistics(view, world.database) is first
    second = statistics_of(view, world.database)
    assert second is not first and second.rows == 1151
    assert known_statistics(view, world.database) is second


def test_deleted_rows_are_not_looked_at_and_count_as_changes() -> None:
    world = World()
    table = world.create("t", {"a": "INT"}, [[1] * 600 + [2] * 400])
    first = update_statistics(world.source.view(table.id), world.database)
    ones = world.source.view(table.id).scan(["a"], address=True).table
    world.source.delete(table.id, ones.column("__address").to_numpy()[:600])
    view = world.source.view(table.id)
    assert first.changed_since(view) == 600
    found = statistics_of(view, world.database).column(view.column("a"), view)
    assert found == ColumnStatistics(
        400, 400, 0.0, 1.0, ((2, 1.0),), (), 2, 2, found.width, is_whole=True
    )


def test_a_sample_has_no_row_twice_and_no_hidden_row() -> None:
    world = World()
    count = WHOLE_ROWS * 3
    table = world.create("t", {"a": "INT"}, [np.arange(count, dtype=np.int32)])
    addresses = world.source.view(table.id).scan([], address=True).table.column(0).to_numpy()
    world.source.delete(table.id, addresses[::2])
    view = world.source.view(table.id)
    sample = sample_addresses(view)
    assert (np.diff(sample) > 0).all() and SAMPLE_ROWS <= len(sample) < SAMPLE_ROWS * 1.1
    values = view.gather("a", sample).to_numpy()
    assert (values % 2 == 1).all()
    assert np.abs(np.quantile(values, [0.25, 0.5, 0.75]) / count - [0.25, 0.5, 0.75]).max() < 0.02
    assert (sample_addresses(view) == sample).all()
