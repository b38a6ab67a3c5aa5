"""What callers hand over: tables, readers, vectors and sets of parameters that are no good. Each is
an error that names it, ends nothing but its statement, and leaves nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hartonomous import hql
from hartonomous.hql.errors import ExecutionFault, ParameterFault
from hartonomous.storage.errors import Error

PAIR = pa.list_(pa.float32(), 2)


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        connection.execute("CREATE TABLE t (a INT); CREATE TABLE v (v VECTOR(2))")
        yield connection


def count(db: Any, table: str) -> int:
    (row,) = db.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
    return int(row[0])


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"a": [1], "A": [2]}), 'two columns "A"'),
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), 'two columns "a"'),
        (pa.table({"": [1]}), "without a name"),
        (pa.table({}), "no columns"),
    ],
)
def test_tables_have_columns_with_names_of_their_own(db: Any, table: Any, message: str) -> None:
    with pytest.raises(ParameterFault, match=message):
        db.execute("SELECT * FROM @rows", {"rows": table})
    assert count(db, "t") == 0


def broken() -> Iterator[pa.RecordBatch]:
    yield pa.record_batch({"a": [1]})
    raise OSError("the line is dead")


def changing() -> Iterator[pa.RecordBatch]:
    yield pa.record_batch({"a": [1]})
    yield pa.record_batch({"b": ["x"]})


@pytest.mark.parametrize(
    ("batches", "message"), [(broken, "OSError: the line is dead"), (changing, "columns ")]
)
@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT a FROM @rows",  # read batch by batch
        "INSERT INTO t SELECT a + 1 FROM @rows",  # spooled
        "SELECT COUNT(*) FROM @rows",
    ],
)
def test_a_reader_that_breaks(db: Any, text: str, batches: Any, message: str) -> None:
    reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())
    with pytest.raises(ParameterFault, match="@rows cannot be read") as caught:
        db.execute(text, {"rows": reader}).fetchall()
    assert message in str(caught.value)
    assert count(db, "t") == 0


def test_one_name_has_one_value(db: Any) -> None:
    with pytest.raises(ParameterFault, match="given twice"):
        db.execute("SELECT @a", {"a": 1, "A": 2})


# --- vectors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["INSERT INTO v SELECT v FROM @rows", "SELECT v FROM @rows"])
@pytest.mark.parametrize(
    ("vectors", "code"),
    [
        (pa.array([[1, 2], [1, None]], PAIR), "BAD_VALUE"),
        (pa.array([[1, 2], [1, None]], pa.list_(pa.float64())), "BAD_VALUE"),
        (pa.array([[1e300, 2.0]], pa.list_(pa.float64(), 2)), "OVERFLOW"),
    ],
)
def test_vectors_hold_numbers_only(db: Any, text: str, vectors: pa.Array, code: str) -> None:
    with pytest.raises(ExecutionFault) as caught:
        db.execute(text, {"rows": pa.table({"v": vectors})}).fetchall()
    assert caught.value.code == code
    assert count(db, "v") == 0


def test_null_vectors_and_infinities_are_values(db: Any) -> None:
    # under a NULL of a fixed-size list lie elements that are NULL too
    vectors = pa.array([None, [float("inf"), 1.0]], pa.list_(pa.float64(), 2))
    db.execute("INSERT INTO v SELECT v FROM @rows", {"rows": pa.table({"v": vectors})})
    table = db.execute("SELECT v FROM v").fetch_arrow_table()
    assert sorted(map(str, table.column("v").to_pylist())) == ["None", "[inf, 1.0]"]


@pytest.mark.parametrize("name", ["f.parquet", "f.arrow"])
def test_files_with_null_elements(db: Any, tmp_path: Path, name: str) -> None:
    table = pa.table({"v": pa.array([[1, 2], [1, None]], PAIR)})
    path = str(tmp_path / name)
    if name.endswith("parquet"):
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(ExecutionFault, match="element that is NULL"):
        db.execute("COPY v FROM @path", {"path": path})
    assert count(db, "v") == 0


@pytest.mark.parametrize(
    "vector",
    [
        np.array([1e300, 1]),
        np.array([1 + 2j, 3]),
        np.array([1, None]),
        [1, None],
        [1, "x"],
        [1, [2]],
        [True, False],
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_values_that_are_no_vectors(db: Any, vector: Any, many: bool) -> None:
    with pytest.raises(Error) as caught:
        if many:
            db.executemany("INSERT INTO v VALUES (?)", [([1, 2],), (vector,)])
        else:
            db.execute("INSERT INTO v VALUES (@v)", {"v": vector})
    assert caught.value.code in ("PARAMETER", "BAD_CAST")
    assert count(db, "v") == 0


# --- sets ----------------------------------------------------------------------------------------


def test_values_without_a_question_mark(db: Any) -> None:
    for text, given in [("SELECT ?", (1, 2)), ("SELECT @a", [1])]:
        with pytest.raises(ParameterFault, match="values for"):
            db.execute(text, given)
    assert db.execute("SELECT '?', ?; SELECT ?", [1, 2]).fetchall() == [("?", 1)]


@pytest.mark.parametrize(
    "sets",
    [5, [5], ["a"], [(1,), (2, 3)], (1 // 0 for _ in range(2)), [{1}], [(1,), ()]],
    ids=["no sets", "no set", "text", "surplus", "raises", "no order", "too few"],
)
def test_sets_that_are_none(db: Any, sets: Any) -> None:
    with pytest.raises(ParameterFault):
        db.executemany("INSERT INTO t VALUES (?)", sets)
    assert count(db, "t") == 0
    assert not db.in_transaction


def test_fewer_rows_than_none(db: Any) -> None:
    assert db.execute("SELECT 1").fetchmany(-1) == []
