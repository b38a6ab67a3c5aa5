"""Geometries between Arrow and the kernels: slices, NULLs, single values, equality."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.functions import geometry_methods as methods
from hartonomous.hql.functions.geometry_forms import from_text, to_text
from hartonomous.hql.functions.geometry_kernels import (
    array_of_shapes,
    canonical_words,
    given,
    shapes_of,
)
from hartonomous.hql.geometry_value import values_of_array
from hartonomous.hql.operators.wide import Interned, WideStore, fingerprints, handles
from hartonomous.hql.types import GEOMETRY

TEXTS = [
    "POINT Z (1 2 3)",
    None,
    "LINESTRING Z (0 0 0, 1 1 1)",
    "POLYGON Z ((0 0 0, 4 0 0, 4 4 0, 0 0 0), (1 0.5 0, 2 0.5 0, 2 1 0, 1 0.5 0))",
    "POINT EMPTY",
    None,
    "BUFFER (2, MULTIPOINT Z (0 0 0, -0 1 1))",
    "POLYGON Z ((0 0 0, 1 0 0, 1 1 0, 0 0 0))",
]


def column(texts: list[str | None] = TEXTS) -> pa.Array:
    return from_text(pa.array(texts, pa.string()))


@pytest.mark.parametrize(("start", "count"), [(0, 8), (2, 3), (3, 1), (1, 1), (6, 2), (4, 0)])
def test_slices(start: int, count: int) -> None:
    part = column().slice(start, count)
    shapes, valid = shapes_of(part)
    expected = TEXTS[start : start + count]
    assert len(shapes) == sum(t is not None for t in expected)
    assert to_text(array_of_shapes(shapes, valid)).to_pylist() == expected
    assert to_text(part).to_pylist() == expected


def test_without_nulls_nothing_is_copied() -> None:
    array = column([t for t in TEXTS if t])
    shapes, valid = shapes_of(array)
    assert valid is None and not shapes.coords.flags.owndata and not shapes.coords.flags.writeable
    assert array.field("coords").values.flatten().buffers()[1].address == shapes.coords.ctypes.data


def test_scalars_meet_columns() -> None:
    array = column()
    found = given(array, array[0], pa.scalar(2.0))
    assert found is not None and found.valid is not None
    assert [len(v) for v in found.values] == [6, 1, 1] and found.valid.sum() == 6
    assert given(array, pa.scalar(None, GEOMETRY.arrow)) is None
    assert given(array.slice(1, 1), array[0]) is None


def test_a_constant_with_a_column_of_numbers() -> None:
    line = column()[2]
    numbers = pa.array([1, None, 2, 3])
    found = to_text(methods.point_n(line, numbers)).to_pylist()
    assert found == ["POINT Z (0 0 0)", None, "POINT Z (1 1 1)", None]
    grown = methods.buffer(line, pa.array([1.0, None]))
    assert [None if g is None else g.radius for g in values_of_array(grown)] == [1.0, None]
    made = methods.point(pa.array([1.0, None, 3.0]), pa.scalar(5.0))
    assert to_text(made).to_pylist() == ["POINT Z (1 5 0)", None, "POINT Z (3 5 0)"]
    texts = from_text(pa.scalar("POINT (1 2)"), pa.array([4, None, 5]))
    assert [None if g is None else g.srid for g in values_of_array(texts)] == [4, None, 5]


def test_all_null() -> None:
    nulls = pa.nulls(3, GEOMETRY.arrow)
    assert methods.distance(nulls, column()[0]).to_pylist() == [None] * 3
    assert methods.length(nulls).to_pylist() == [None] * 3
    assert to_text(nulls).to_pylist() == [None] * 3
    assert methods.envelope(nulls).null_count == 3
    assert values_of_array(nulls) == [None] * 3


def test_srids_of_rows() -> None:
    a = from_text(pa.array(["POINT (0 0)"] * 3), pa.array([0, 4, 5]))
    b = from_text(pa.array(["POINT (3 4)"] * 3), pa.array([7, 4, 0]))
    assert methods.distance(a, b).to_pylist() == [5.0] * 3
    with pytest.raises(ExecutionFault, match="SRID 5 and one of SRID 4") as caught:
        methods.distance(a, b.take([1, 1, 1]))
    assert caught.value.code == "SRID_MISMATCH"


def test_lines_of_rows_and_groups() -> None:
    p = from_text(pa.array(["POINT (1 1)", None, "POINT EMPTY"]))
    q = column(["POINT Z (5 5 5)"])[0]
    found = to_text(methods.line_of(p, q, p)).to_pylist()
    assert found == [
        "LINESTRING Z (1 1 0, 5 5 5, 1 1 0)",
        "LINESTRING Z (5 5 5, 5 5 5)",
        "LINESTRING Z (5 5 5, 5 5 5)",
    ]
    grouped = methods.line(pa.concat_arrays([p, p]), np.array([0, 0, 2, 3, 6]))
    assert to_text(grouped).to_pylist() == [
        None,
        "LINESTRING Z (1 1 0, 1 1 0)",
        None,
        "LINESTRING Z (1 1 0, 1 1 0)",
    ]


# --- equality ------------------------------------------------------------------------------------


def test_equal_values_have_equal_words() -> None:
    texts = [
        "POINT (0 1)",
        "POINT (-0 1)",
        "POINT (0 1.0000000000000002)",
        "BUFFER (1, POINT (0 1))",
    ]
    texts += ["LINESTRING (0 1, 0 1)", "MULTIPOINT (0 1)", "SRID=2;POINT (0 1)", "POINT EMPTY"]
    texts += ["LINESTRING EMPTY", "POLYGON EMPTY"]
    offsets, words = canonical_words(column(list(texts)))
    pieces = [words[a:b].tobytes() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    assert pieces[0] == pieces[1] and len(set(pieces)) == len(texts) - 1


def test_fingerprints_do_not_depend_on_the_batch() -> None:
    array = column([t for t in TEXTS if t])
    whole = fingerprints(*canonical_words(array))
    single = [fingerprints(*canonical_words(array.slice(i, 1)))[0] for i in range(len(array))]
    assert whole.tolist() == single and len(set(single)) == len(single)


def test_interning_survives_collisions(monkeypatch: pytest.MonkeyPatch) -> None:
    array = column([t for t in TEXTS if t])
    both = pa.concat_arrays([array, array])
    store = WideStore()
    store.add(0, [both])
    known = handles(0, 0, both).to_numpy()
    expected = np.tile(known[: len(array)], 2)
    assert (Interned().intern(known, both, store) == expected).all()
    one = lambda offsets, bits: np.zeros(len(offsets) - 1, np.uint64)  # noqa: E731
    monkeypatch.setattr("hartonomous.hql.operators.wide.fingerprints", one)
    assert (Interned().intern(known, both, store) == expected).all()
