"""Data frames out of results: types, NULLs, columns of one name, packages that are not there."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from hartonomous import hql
from hartonomous.hql import errors, frames

COLUMNS = {
    "bt": ("BIT", "1", True),
    "ti": ("TINYINT", "1", 1),
    "si": ("SMALLINT", "2", 2),
    "i": ("INT", "3", 3),
    "bi": ("BIGINT", "9007199254740993", 9007199254740993),
    "de": ("DECIMAL(9, 2)", "1.5", Decimal("1.50")),
    "re": ("REAL", "1.5", 1.5),
    "fl": ("FLOAT", "2.5", 2.5),
    "nv": ("NVARCHAR(9)", "N'ä'", "ä"),
    "js": ("JSON", "'{\"a\": 1}'", '{"a": 1}'),
    "vb": ("VARBINARY(9)", "0x00FF", b"\x00\xff"),
    "da": ("DATE", "'2024-02-29'", datetime.date(2024, 2, 29)),
    "tm": ("TIME", "'01:02:03'", datetime.time(1, 2, 3)),
    "d2": ("DATETIME2", "'2024-02-29 01:02:03'", datetime.datetime(2024, 2, 29, 1, 2, 3)),
    "dz": (
        "DATETIMEOFFSET",
        "'2024-02-29 01:02:03+01:00'",
        datetime.datetime(2024, 2, 29, 0, 2, 3, tzinfo=datetime.UTC),
    ),
    "ui": (
        "UNIQUEIDENTIFIER",
        "'01234567-89ab-cdef-0123-456789abcdef'",
        uuid.UUID("01234567-89ab-cdef-0123-456789abcdef"),
    ),
    "ve": ("VECTOR(2)", "[1, 2.5]", np.array([1, 2.5], np.float32)),
    "ge": ("GEOMETRY", "'POINT Z (1 2 3)'", hql.Geometry.from_wkt("POINT Z (1 2 3)")),
}


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        columns = ", ".join(f"{name} {type_}" for name, (type_, _, _) in COLUMNS.items())
        values = ", ".join(value for _, value, _ in COLUMNS.values())
        connection.execute(f"CREATE TABLE t (k INT PRIMARY KEY, {columns})")
        connection.execute(f"INSERT INTO t VALUES (1, {values})")
        connection.execute(f"INSERT INTO t VALUES (2{', NULL' * len(COLUMNS)})")
        yield connection


ALL = f"SELECT {', '.join(COLUMNS)} FROM t"
#: pandas' dtypes of a column without NULLs, and of one with them where they differ
DTYPES = {
    "bt": ("bool", "boolean"),
    "ti": ("int8", "Int8"),
    "si": ("int16", "Int16"),
    "i": ("int32", "Int32"),
    "bi": ("int64", "Int64"),
    "re": ("float32",),
    "fl": ("float64",),
    "d2": ("datetime64[us]",),
    "dz": ("datetime64[us, UTC]",),
} | {name: ("object",) for name in ("de", "vb", "da", "tm", "ui", "ve", "ge")}


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(other, np.ndarray) else one == other


def test_pandas_types(db: Any) -> None:
    pytest.importorskip("pandas")
    whole = db.execute(ALL + " WHERE k = 1").fetch_df()
    holes = db.execute(ALL + " ORDER BY k").df()
    assert list(whole.columns) == list(COLUMNS)
    for name, dtypes in DTYPES.items():
        assert str(whole[name].dtype) == dtypes[0], name
        assert str(holes[name].dtype) == dtypes[-1], name
    for name, (_, _, value) in COLUMNS.items():
        assert same(whole[name][0], value), name
        assert same(holes[name][0], value), name
        assert holes[name].isna().tolist() == [False, True], name


def test_pandas_with_arrows_types(db: Any) -> None:
    pandas = pytest.importorskip("pandas")
    table = db.execute(ALL + " ORDER BY k").fetch_arrow_table()
    frame = db.execute(ALL + " ORDER BY k").df(dtype_backend="pyarrow")
    assert [dtype.pyarrow_dtype for dtype in frame.dtypes] == table.schema.types
    assert frame["bi"][0] == 9007199254740993 and frame["bi"][1] is pandas.NA
    with pytest.raises(errors.ParameterFault, match="numpy_nullable"):
        db.execute("SELECT 1").df(dtype_backend="numpy_nullable")


def test_columns_of_one_name_and_results_without_rows(db: Any) -> None:
    pytest.importorskip("pandas")
    frame = db.execute("SELECT k, k + 1 AS k, k AS other FROM t ORDER BY 1").df()
    assert list(frame.columns) == ["k", "k", "other"]
    assert frame.to_numpy().tolist() == [[1, 2, 1], [2, 3, 2]]
    empty = db.execute(ALL + " WHERE k > 5").df()
    assert len(empty) == 0 and list(empty.columns) == list(COLUMNS)
    assert str(empty["bi"].dtype) == "int64"


def test_frames_of_several_batches(db: Any) -> None:
    pytest.importorskip("pandas")
    vector = "CAST(CONCAT('[', value, ', 1]') AS VECTOR(2)) AS v"
    frame = db.execute(f"SELECT value, {vector} FROM GENERATE_SERIES(1, 300000)").df()
    assert len(frame) == 300_000 and int(frame["value"].sum()) == 300_000 * 300_001 // 2
    assert frame["v"][299_999][1] == 1


def test_frames_go_back_as_tables(db: Any) -> None:
    pytest.importorskip("pandas")
    names = ", ".join(n for n in COLUMNS if n not in ("ui", "ge", "ve"))
    frame = db.execute(f"SELECT k + 10 AS k, {names} FROM t").df()
    db.execute(f"INSERT INTO t (k, {names}) SELECT * FROM @f", {"f": frame})
    text = f"SELECT {names} FROM t WHERE k {{}} 10 ORDER BY k"
    assert db.execute(text.format("<")).fetchall() == db.execute(text.format(">")).fetchall()


def test_polars(db: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = db.execute(ALL + " ORDER BY k").fetch_polars()
    assert isinstance(frame, polars.DataFrame) and frame.columns == list(COLUMNS)
    assert frame["bi"].to_list() == [9007199254740993, None]
    assert frame["de"].dtype == polars.Decimal(9, 2)
    assert frame["ve"].dtype == polars.Array(polars.Float32, 2)
    assert frame["dz"].to_list()[0] == COLUMNS["dz"][2]
    rows = db.execute("SELECT SUM(bi) FROM @f", {"f": frame.select("bi")}).fetchall()
    assert rows == [(9007199254740993,)]


def test_a_result_is_read_in_one_way(db: Any) -> None:
    pytest.importorskip("pandas")
    cursor = db.execute("SELECT k FROM t")
    cursor.fetchone()
    with pytest.raises(errors.InterfaceFault):
        cursor.df()
    with pytest.raises(errors.InterfaceFault, match="no rows"):
        db.execute("PRINT 'x'").df()


@pytest.mark.parametrize("method", ["fetch_df", "fetch_polars"])
def test_what_is_not_installed_is_named(
    db: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(frames.importlib, "import_module", missing)
    with pytest.raises(errors.ResourceFault) as caught:
        getattr(db.execute("SELECT 1"), method)()
    assert caught.value.code == "NOT_INSTALLED"
    assert caught.value.hint == f"pip install {'pandas' if method == 'fetch_df' else 'polars'}"
