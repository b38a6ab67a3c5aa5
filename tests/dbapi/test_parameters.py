"""Python's door: values in, one by one, as Arrow tables and in sets."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql import errors
from hartonomous.storage.errors import ConstraintFault, Error


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("SELECT @a + @b", {"a": 1, "b": 2}),
        ("SELECT :a + :b", {"a": 1, "b": 2}),
        ("SELECT @A + :B", {"@a": 1, ":b": 2}),
        ("SELECT ? + ?", [1, 2]),
        ("SELECT ? + ?", (1, 2)),
    ],
)
def test_marks_of_parameters(db: Any, text: str, parameters: Any) -> None:
    assert db.execute(text, parameters).fetchall() == [(3,)]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -5,
        2**40,
        1.5,
        decimal.Decimal("12.345"),
        "text with 'quotes' and ä",
        b"\x00\x01",
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
        datetime.time(1, 2, 3),
        uuid.UUID(int=7),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_as_they_went(db: Any, value: Any) -> None:
    assert db.execute("SELECT @v", {"v": value}).fetchall() == [(value,)]
    db.execute("SELECT @v AS v INTO #kept", {"v": value}) if value is not None else None


def test_vectors(db: Any) -> None:
    db.execute("CREATE TABLE t (id INT, v VECTOR(3))")
    vector = np.array([1, 2, 3], np.float32)
    db.execute("INSERT INTO t VALUES (1, @v), (2, NULL)", {"v": vector})
    query = "SELECT id FROM t WHERE VECTOR_DISTANCE('euclidean', v, @q) < 1"
    assert db.execute(query, {"q": np.array([1, 2, 3.5])}).fetchall() == [(1,)]
    (row,) = db.execute("SELECT v FROM t WHERE id = 1").fetchall()
    assert np.array_equal(row[0], vector)
    with pytest.raises(Error):
        db.execute("INSERT INTO t VALUES (3, @v)", {"v": np.zeros(4)})


@pytest.mark.parametrize("parameters", [None, {}, {"b": 1}, []])
def test_missing_parameters_are_named(db: Any, parameters: Any) -> None:
    with pytest.raises(Error, match="@a") as caught:
        db.execute("SELECT 1,\n @a", parameters)
    assert (caught.value.line, caught.value.column) == (2, 2)


@pytest.mark.parametrize("parameters", ["text", 5, {1: 2}, {"a": object()}, {"a": {"x": object()}}])
def test_bad_parameters(db: Any, parameters: Any) -> None:
    with pytest.raises(errors.ParameterFault):
        db.execute("SELECT @a", parameters)


def arrow_rows() -> pa.Table:
    return pa.table(
        {
            "a": pa.array([1, 2, 3], pa.uint16()),
            "s": pa.array(["x", None, "x"]).dictionary_encode(),
            "v": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64(), 2)),
        }
    )


@pytest.mark.parametrize("form", ["table", "batch", "reader"])
def test_arrow_stands_as_a_table(db: Any, form: str) -> None:
    table = arrow_rows().combine_chunks()
    given: Any = table
    if form == "batch":
        given = table.to_batches()[0]
    if form == "reader":
        given = table.to_reader()
    db.execute("CREATE TABLE t (a BIGINT, s NVARCHAR(5), v VECTOR(2))")
    assert db.execute("INSERT INTO t SELECT * FROM @rows", {"rows": given}).rowcount == 3
    rows = db.execute("SELECT a, s, VECTOR_NORM(v) FROM t ORDER BY a").fetchall()
    assert [row[:2] for row in rows] == [(1, "x"), (2, None), (3, "x")]
    assert rows[2][2] == pytest.approx(5.0)


def test_a_reader_may_be_named_twice(db: Any) -> None:
    text = "SELECT COUNT(*) FROM @r AS x JOIN @r AS y ON x.a = y.a"
    assert db.execute(text, {"r": arrow_rows().to_reader()}).fetchall() == [(3,)]


def test_pandas_frames_stand_as_tables(db: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert db.execute("SELECT a, b FROM @f ORDER BY a", {"f": frame}).fetchall() == [
        (1, "x"),
        (2, "y"),
    ]


def test_columns_without_an_hql_type_are_refused(db: Any) -> None:
    rows = pa.table({"a": pa.array([{"x": 1}])})
    with pytest.raises(errors.ParameterFault, match='"a"'):
        db.execute("SELECT * FROM @rows", {"rows": rows})


# --- executemany ---------------------------------------------------------------------------------


def test_executemany_is_one_transaction(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT PRIMARY KEY, b NVARCHAR(5))")
    rows = [{"a": i, "b": "x"} for i in range(1000)]
    assert db.executemany("INSERT INTO t VALUES (@a, @b)", rows).rowcount == 1000
    assert db.execute("SELECT COUNT(*), SUM(a) FROM t").fetchall() == [(1000, 499_500)]
    assert db.execute("SELECT COUNT(*) FROM Commits").fetchall() == [(2,)]
    with pytest.raises(ConstraintFault):
        db.executemany("INSERT INTO t VALUES (?, ?)", [(5000, "y"), (1, "y")])
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(1000,)]


def test_executemany_of_anything(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT, b INT); INSERT INTO t VALUES (1, 0), (2, 0)")
    changes = [{"a": 1, "b": 5}, {"a": 2, "b": 6}, {"a": 3, "b": 7}]
    assert db.executemany("UPDATE t SET b = @b WHERE a = @a", changes).rowcount == 2
    # a value that needs a conversion takes the general way, row by row
    assert db.executemany("INSERT INTO t VALUES (?, ?)", [("3", 1), (4, "2")]).rowcount == 2
    rows = db.execute("SELECT a, b FROM t ORDER BY a").fetchall()
    assert rows == [(1, 5), (2, 6), (3, 1), (4, 2)]
