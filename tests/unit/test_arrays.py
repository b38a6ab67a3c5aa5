"""Columns of plain values are what pyarrow makes of them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hartonomous.hql.changes.arrays import array_maker

VALUES = {
    pa.int8(): [-128, 127, 0],
    pa.int16(): [-(2**15), 2**15 - 1, 7],
    pa.int32(): [-(2**31), 2**31 - 1, -1],
    pa.int64(): [-(2**63), 2**63 - 1, 1],
    pa.string(): ["", "text", "ä€😀"],
    pa.float64(): [0.5, -0.0, 1e300],
    pa.binary(): [b"", b"\0x", b"ab"],
    pa.bool_(): [True, False, True],
}


@pytest.mark.parametrize("kind", VALUES, ids=str)
def test_columns_are_as_pyarrow_makes_them(kind: pa.DataType) -> None:
    make = array_maker(kind)
    values = VALUES[kind]
    for given in (values, [*values, None], [None], *([v] for v in values)):
        made = make(tuple(given))
        made.validate(full=True)
        assert made.type == kind and made.equals(pa.array(given, kind)), given
        schema = pa.schema([("c", kind)])
        batch = pa.RecordBatch.from_arrays([made], schema=schema)
        assert pa.ipc.read_record_batch(batch.serialize(), schema).column(0).equals(made)
