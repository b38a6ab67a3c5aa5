"""Views: scans, what they leave out and keep, gathering, looking up."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from unit.store_tools import address_of, commit, content, entry, numbered, rows, with_table

from hartonomous.storage.catalog import ColumnEntry, TableEntry
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Cancelled, NotFound
from hartonomous.storage.table import ColumnRange


@pytest.fixture(params=["memory", "disk"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    database = Database.open(None if request.param == "memory" else tmp_path / "db")
    yield database
    database.close()


def big_table(db: Database, count: int = 200_000) -> TableEntry:
    table = with_table(db)
    mine = db.begin()
    mine.insert(table.id, numbered(0, count))
    commit(mine)
    db.checkpoint()
    return table


def test_a_scan_of_unchanged_rows_is_free(db: Database) -> None:
    table = big_table(db)
    first = db.snapshot().view(table.id).scan(["id"])
    mine = db.begin()
    mine.insert(mine.create(entry("other")).id, rows((1, "a")))
    commit(mine)
    assert db.snapshot().view(table.id).scan(["id"]) is first


def test_batches_are_not_copied_unless_rows_are_hidden(db: Database) -> None:
    table = big_table(db)
    before = db.snapshot().view(table.id).scan(["id"]).table["id"].chunks
    mine = db.begin()
    mine.delete(table.id, address_of(mine, table, 70_000))
    commit(mine)
    after = db.snapshot().view(table.id).scan(["id"]).table["id"].chunks
    same = [
        a.buffers()[1].address == b.buffers()[1].address for a, b in zip(before, after, strict=True)
    ]
    assert same == [True, False, True, True]
    assert sum(map(len, after)) == 199_999


def test_zone_maps_leave_batches_out(db: Database) -> None:
    table = big_table(db)
    view = db.snapshot().view(table.id)
    result = view.scan(["id"], [ColumnRange("id", low=70_000, high=70_010)], address=True)
    assert (result.batches_total, result.batches_pruned) == (4, 3)
    assert set(range(70_000, 70_011)) <= set(result.table["id"].to_pylist())
    addresses = result.table["__address"].to_numpy()
    assert view.gather("id", addresses[[5, 0]]).to_pylist() == [65_536 + 5, 65_536]
    for given, kept in [
        (ColumnRange("id", low=199_999), 1),
        (ColumnRange("id", low=199_999, low_open=True), 0),
        (ColumnRange("id", high=0), 1),
        (ColumnRange("id", high=0, high_open=True), 0),
        (ColumnRange("id", values=(5, 150_000, None)), 2),
        (ColumnRange("id", is_null=True), 0),
        (ColumnRange("name", is_null=True), 4),
        (ColumnRange("name", low="a"), 0),
    ]:
        found = view.scan(["id"], [given])
        assert found.batches_total - found.batches_pruned == kept, given
    both = view.scan([], [ColumnRange("id", low=100), ColumnRange("id", high=50_000)])
    assert both.batches_pruned == 3


def test_a_batch_with_nan_is_never_left_out(db: Database) -> None:
    mine = db.begin()
    columns = (ColumnEntry(1, "x", "FLOAT", pa.float64()),)
    table = mine.create(TableEntry(0, "dbo", "f", columns, next_id=2))
    values = np.zeros(10_000)
    values[77] = math.nan
    mine.insert(table.id, pa.table({"x": values}))
    commit(mine)
    db.checkpoint()
    found = db.snapshot().view(table.id).scan(["x"], [ColumnRange("x", low=5.0)])
    assert len(found.table) == 10_000


def test_addresses_and_row_ids(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, "b"), (3, "c"))
    db.checkpoint()
    mine = db.begin()
    mine.insert(table.id, rows((4, "d")))
    mine.delete(table.id, address_of(mine, table, 2))
    view = mine.view(table.id)
    found = view.scan(["name", "id"], address=True, row_id=True).table
    assert found.column_names == ["name", "id", "__address", "__row_id"]
    addresses = found["__address"].to_numpy()
    assert addresses.tolist() == [0, 2, 1 << 32]
    backwards = addresses[[2, 0, 1, 0]]
    assert view.gather("name", backwards).to_pylist() == ["d", "a", "c", "a"]
    assert view.gather("name", addresses[:0]).to_pylist() == []
    ids = found["__row_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert view.row_ids(addresses).tolist() == ids


def test_no_columns_and_unknown_columns(db: Database) -> None:
    table = with_table(db, (1, "a"))
    view = db.snapshot().view(table.id)
    assert view.scan([]).table.num_columns == 0
    assert view.scan(["NAME"]).table.column_names == ["NAME"]
    with pytest.raises(NotFound, match="nothing"):
        view.scan(["nothing"])
    with pytest.raises(NotFound):
        view.lookup(99, rows())
    with pytest.raises(NotFound):
        db.snapshot().view(12345)


def test_a_scan_is_cancelled_between_batches(db: Database) -> None:
    table = big_table(db)
    looks = iter([False, False, True])
    with pytest.raises(Cancelled):
        db.snapshot().view(table.id).scan(["id"], cancel=lambda: next(looks))


def test_lookup_by_a_string_key_with_nulls(db: Database) -> None:
    table = with_table(db, (1, "a"), (2, None), (3, "ä" * 40))
    db.checkpoint()
    view = db.snapshot().view(table.id)
    wanted = pa.table([pa.array(["ä" * 40, None, "b", "a"])], names=["name"])
    assert view.gather("id", view.lookup(4, wanted)).to_pylist() == [1, 3]


def test_an_empty_table(db: Database) -> None:
    table = with_table(db)
    view = db.snapshot().view(table.id)
    assert view.row_count == 0
    found = view.scan(["id", "name"], address=True).table
    assert found.schema.types == [pa.int32(), pa.string(), pa.int64()] and len(found) == 0
    assert content(db.snapshot(), table) == []
