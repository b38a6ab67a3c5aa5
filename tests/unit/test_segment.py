"""Segments: batches, blocks checked on first touch, statistics, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hartonomous.storage.blocks import BLOCK, ObjectRef
from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import Corruption, FormatFault
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import (
    BATCH_ROWS,
    SEGMENT_ROWS,
    Segment,
    SegmentMeta,
    SegmentWriter,
    write_segment,
)

ROWS = 200_000


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    objects = Objects(Disk(), tmp_path / "objects")
    objects.prepare()
    return objects


@pytest.fixture(scope="module")
def table() -> pa.Table:
    numbers = np.arange(ROWS)
    return pa.table(
        {
            "c1": numbers,
            "c2": pa.array([f"name {i}" for i in range(ROWS)]),
            "c3": pa.array(numbers % 7 == 0, mask=numbers % 5 == 0),
        }
    )


def damage(objects: Objects, name: str, offset: int) -> None:
    path = objects.path(name)
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(bytes(data))


def test_rows_are_cut_into_batches_however_they_come(objects: Objects, table: pa.Table) -> None:
    pieces = [table.slice(0, 1), table.slice(1, 70_000), table.slice(70_001)]
    meta = write_segment(objects, table.schema, pieces)
    segment = Segment(objects, meta)
    assert segment.batch_rows == [BATCH_ROWS] * 3 + [ROWS - 3 * BATCH_ROWS]
    found = segment.columns(table.column_names)
    assert [b.num_rows for b in found] == segment.batch_rows
    assert pa.Table.from_batches(found).equals(table)
    assert meta == write_segment(objects, table.schema, [table])


def test_some_columns_of_some_batches(objects: Objects, table: pa.Table) -> None:
    segment = Segment(objects, write_segment(objects, table.schema, [table]))
    (found,) = segment.columns(["c3", "c1"], [3])
    assert pa.Table.from_batches([found]).equals(table.slice(3 * BATCH_ROWS).select(["c3", "c1"]))
    assert segment.column("c9", 0) is None and segment.zone_map("c9") is None


def test_only_blocks_of_asked_columns_are_checked(objects: Objects, table: pa.Table) -> None:
    segment = Segment(objects, write_segment(objects, table.schema, [table]))
    assert segment.bytes_checked == 0
    segment.columns(["c1"], [1])
    once = segment.bytes_checked
    assert BATCH_ROWS * 8 <= once <= BATCH_ROWS * 8 + 2 * BLOCK
    segment.columns(["c1"], [1])
    assert segment.bytes_checked == once


def test_damage_is_named_where_it_is_read_and_nowhere_else(
    objects: Objects, table: pa.Table
) -> None:
    meta = write_segment(objects, table.schema, [table])
    last = Segment(objects, meta).columns(["c1"], [3])[0].column(0)
    offset = last.buffers()[1].address - objects.map(meta.ref.name).address + 600
    damage(objects, meta.ref.name, offset)
    segment = Segment(Objects(Disk(), objects.folder), meta, "dbo.sales")
    segment.columns(["c1", "c2", "c3"], [0, 1])
    with pytest.raises(Corruption, match=f"{meta.ref.name} of dbo.sales is damaged: block"):
        segment.columns(["c1"], [3])
    with pytest.raises(Corruption):
        segment.columns(["c1"], [3])  # and again: a bad block is never taken for checked
    with pytest.raises(Corruption):
        segment.check_all()


def test_a_damaged_directory_or_length_is_found_on_opening(
    objects: Objects, table: pa.Table
) -> None:
    meta = write_segment(objects, table.schema, [table])
    damage(objects, meta.ref.name, meta.ref.directory_offset + 5)
    with pytest.raises(Corruption, match="directory"):
        Segment(objects, meta, "dbo.sales")
    path = objects.path(meta.ref.name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Corruption, match="bytes, expected"):
        Segment(Objects(Disk(), path.parents[1]), meta)


def test_a_missing_segment_is_corruption(objects: Objects, table: pa.Table) -> None:
    meta = write_segment(objects, table.schema, [table])
    objects.remove(meta.ref.name)
    with pytest.raises(Corruption, match="missing"):
        Segment(objects, meta)


def test_a_directory_of_another_format_is_named(objects: Objects) -> None:
    from hartonomous.storage.packs import write_pack

    ref = write_pack(objects, "leaves", {"a": np.arange(3)})
    with pytest.raises(FormatFault, match=ref.name):
        Segment(objects, SegmentMeta(ref, 3))


def test_meta_is_plain_values(objects: Objects, table: pa.Table) -> None:
    meta = write_segment(objects, table.schema, [table])
    assert SegmentMeta.from_list(meta.to_list()) == meta
    assert ObjectRef.from_list(meta.ref.to_list()) == meta.ref


def test_a_segment_holds_so_many_rows_and_no_more(objects: Objects) -> None:
    schema = pa.schema([("c1", pa.int8())])
    writer = SegmentWriter(objects, schema)
    writer.write(pa.table({"c1": np.zeros(SEGMENT_ROWS - 1, np.int8)}))
    assert writer.room == 1
    with pytest.raises(AssertionError):
        writer.write(pa.table({"c1": np.zeros(2, np.int8)}))
    writer.write(pa.table({"c1": np.zeros(1, np.int8)}))
    assert writer.finish().rows == SEGMENT_ROWS


def test_types_that_have_no_stored_form_are_refused(objects: Objects) -> None:
    with pytest.raises(FormatFault, match="month_day_nano"):
        SegmentWriter(objects, pa.schema([("c1", pa.month_day_nano_interval())]))


def test_an_abandoned_segment_leaves_nothing(objects: Objects, table: pa.Table) -> None:
    def rows() -> object:
        yield table
        raise KeyError("the reader failed")

    with pytest.raises(KeyError):
        write_segment(objects, table.schema, rows())  # type: ignore[arg-type]
    assert list(objects.names()) == []
    assert list(objects.folder.joinpath("tmp").iterdir()) == []
