"""Segments give back what went in, in any cut, and never serve a flipped byte."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from arrays import TYPES, arrays, layouts
from hypothesis import given, settings
from hypothesis import strategies as st

from hartonomous.storage.disk import Disk
from hartonomous.storage.errors import Corruption
from hartonomous.storage.objects import Objects
from hartonomous.storage.segment import Segment, SegmentMeta, write_segment


@pytest.fixture(scope="module")
def objects() -> Iterator[Objects]:
    with tempfile.TemporaryDirectory() as folder:
        objects = Objects(Disk(), Path(folder) / "objects")
        objects.prepare()
        yield objects


def store(objects: Objects, table: pa.Table) -> SegmentMeta:
    return write_segment(objects, table.schema, [table])


@pytest.mark.parametrize("kind", TYPES, ids=str)
@settings(max_examples=8)
@given(data=st.data())
def test_gives_back_what_went_in(objects: Objects, kind: pa.DataType, data: st.DataObject) -> None:
    array, before, after = (data.draw(arrays(kind)) for _ in range(3))
    row = pa.array(np.arange(len(array)))
    for other in layouts(array, before, after):
        meta = store(objects, pa.table({"c1": row, "c2": other, "c3": row}))
        found = Segment(objects, meta).columns(["c2"])[0].column(0)
        found.validate(full=True)
        assert found.type == kind
        assert repr(found.to_pylist()) == repr(array.to_pylist())
        assert all(b is None or b.address % 64 == 0 for b in found.buffers())
        path = objects.path(meta.ref.name)
        foreign = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        foreign.validate(full=True)
        assert repr(foreign["c2"].to_pylist()) == repr(array.to_pylist())
        objects.remove(meta.ref.name)


@settings(max_examples=60)
@given(table=st.lists(arrays(rows=7), min_size=1, max_size=4), data=st.data())
def test_a_flipped_byte_is_found(
    objects: Objects, table: list[pa.Array], data: st.DataObject
) -> None:
    whole = pa.table({f"c{i}": a for i, a in enumerate(table)})
    meta = store(objects, whole)
    path = objects.path(meta.ref.name)
    original = path.read_bytes()
    flipped = bytearray(original)
    place = data.draw(st.integers(0, len(flipped) - 1))
    flipped[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(flipped))
    fresh = Objects(Disk(), objects.folder)
    try:
        with pytest.raises(Corruption, match=meta.ref.name):
            fresh.verify(meta.ref.name)
        # what is served in spite of it (the byte lies in no buffer) is what was stored
        try:
            found = Segment(fresh, meta, "dbo.t").columns(whole.column_names)
            assert repr([b.to_pylist() for b in found]) == repr([whole.to_pylist()])
        except Corruption as fault:
            assert meta.ref.name in str(fault) and "dbo.t" in str(fault)
    finally:
        objects.remove(meta.ref.name)
