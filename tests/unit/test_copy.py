"""COPY beyond the golden script: large files, every format, what is left after failures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hartonomous import hql
from hartonomous.hql.copying.formats import ahead
from hartonomous.hql.copying.progress import Progress
from hartonomous.hql.errors import ExecutionFault, FileFault
from hartonomous.storage.errors import ConstraintFault, Error


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


def rows(count: int = 300_000) -> pa.Table:
    numbers = np.arange(count)
    return pa.table(
        {
            "a": pa.array(numbers),
            "b": pa.array([f"text {i % 97}" for i in range(count)]),
            "c": pa.array(numbers / 7),
            "v": pa.FixedSizeListArray.from_arrays(
                pa.array(np.repeat(numbers, 2).astype(np.float32)), 2
            ),
        }
    )


TABLE = "CREATE TABLE t (a BIGINT, b NVARCHAR(20), c FLOAT, v VECTOR(2))"


@pytest.mark.parametrize(
    "name", ["f.parquet", "f.csv", "f.tsv", "f.jsonl", "f.json", "f.arrow", "f.arrows"]
)
def test_there_and_back(db: Any, tmp_path: Path, name: str) -> None:
    table = rows(40_000)
    db.execute(TABLE)
    db.execute("INSERT INTO t SELECT * FROM @r", {"r": table})
    assert db.execute("COPY t TO @path", {"path": str(tmp_path / name)}).rowcount == 40_000
    assert [p.name for p in tmp_path.iterdir()] == [name]
    db.execute("TRUNCATE TABLE t")
    assert db.execute("COPY t FROM @path", {"path": str(tmp_path / name)}).rowcount == 40_000
    back = db.execute("SELECT * FROM t ORDER BY a").fetch_arrow_table()
    assert back.equals(table.cast(back.schema))


def test_foreign_types_are_converted(db: Any, tmp_path: Path) -> None:
    table = pa.table(
        {
            "A": pa.array([1, 2], pa.uint8()),
            "b": pa.array(["x", "y"], pa.large_string()).dictionary_encode(),
            "c": pa.array([1, 2], pa.int16()),
            "v": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64())),
        }
    )
    pq.write_table(table, tmp_path / "f.parquet")
    db.execute(TABLE)
    db.execute(f"COPY t FROM '{tmp_path}/f.parquet'")
    got = db.execute("SELECT a, b, c, v FROM t ORDER BY a").fetch_arrow_table().to_pylist()
    assert got == [
        {"a": 1, "b": "x", "c": 1.0, "v": [1.0, 2.0]},
        {"a": 2, "b": "y", "c": 2.0, "v": [3.0, 4.0]},
    ]


def test_a_bad_value_far_down_is_named_and_nothing_stays(db: Any, tmp_path: Path) -> None:
    lines = [f"{i},x" for i in range(150_000)]
    lines[140_000] = "oops,x"
    (tmp_path / "f.csv").write_text("a,b\n" + "\n".join(lines))
    db.execute("CREATE TABLE t (a INT, b NVARCHAR(20))")
    with pytest.raises(ExecutionFault, match='row 140,001, column "a".*oops') as caught:
        db.execute(f"COPY t FROM '{tmp_path}/f.csv'")
    assert caught.value.code == "BAD_VALUE"
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_a_bad_value_of_a_column_that_the_engine_converts(db: Any, tmp_path: Path) -> None:
    objects = [{"a": str(i)} for i in range(30_000)]
    objects[20_000]["a"] = "many"
    (tmp_path / "f.jsonl").write_text("\n".join(map(json.dumps, objects)))
    db.execute("CREATE TABLE t (a INT)")
    with pytest.raises(ExecutionFault, match='row 20,001, column "a"'):
        db.execute(f"COPY t FROM '{tmp_path}/f.jsonl'")


def test_constraints_hold(db: Any, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a\n1\n2\n1\n")
    db.execute("CREATE TABLE t (a INT PRIMARY KEY)")
    with pytest.raises(ConstraintFault):
        db.execute(f"COPY t FROM '{tmp_path}/f.csv'")
    (tmp_path / "f.csv").write_text("a\n1\n-2\n")
    db.execute("CREATE TABLE u (a INT CHECK (a > 0), b AS (a * 2) PERSISTED, c INT DEFAULT 4)")
    with pytest.raises(ConstraintFault):
        db.execute(f"COPY u FROM '{tmp_path}/f.csv'")
    (tmp_path / "f.csv").write_text("a\n1\n2\n")
    db.execute(f"COPY u FROM '{tmp_path}/f.csv'")
    assert db.execute("SELECT * FROM u ORDER BY a").fetchall() == [(1, 2, 4), (2, 4, 4)]


def test_a_failed_copy_to_leaves_the_old_file(db: Any, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("old")
    query = "SELECT 1 / (value - 250000) AS x FROM GENERATE_SERIES(1, 300000)"
    with pytest.raises(Error):
        db.execute(f"COPY ({query}) TO '{tmp_path}/f.csv'")
    assert (tmp_path / "f.csv").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["f.csv"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("f.csv", "", "empty"),
        ("f.csv", "a,b\n1\n", "columns"),
        ("f.csv", "a,a\n1,2\n", "two columns"),
        ("f.parquet", "nonsense", "cannot be read"),
        ("f.arrow", "nonsense", "cannot be read"),
        ("f.jsonl", "[1, 2]", "object"),
        ("f.json", '[{"a": 1}', "does not end"),
        ("f.json", '{"a": 1', "not JSON"),
        ("f.jsonl", '{"a": 1}\n{"a": 2, "z": 1}', "has not"),
    ],
)
def test_files_that_are_not_what_they_say(
    db: Any, tmp_path: Path, name: str, content: str, what: str
) -> None:
    (tmp_path / name).write_text(content)
    db.execute("CREATE TABLE t (a INT)")
    with pytest.raises((FileFault, ExecutionFault), match=what):
        db.execute(f"COPY t FROM '{tmp_path / name}'")
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_json_keys_may_be_missing(db: Any, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('[{"b": "x"}, {"a": 1.5}, {"a": null, "b": {"c": [1]}}]')
    db.execute("CREATE TABLE t (a FLOAT, b NVARCHAR(20))")
    db.execute(f"COPY t FROM '{tmp_path}/f.json'")
    got = db.execute("SELECT a, b FROM t ORDER BY a, b").fetchall()
    assert got == [(None, "x"), (None, '{"c":[1]}'), (1.5, None)]


def test_csv_keeps_null_and_the_empty_string_apart(db: Any, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    db.execute("CREATE TABLE t (i INT, s NVARCHAR(20))")
    db.execute("INSERT INTO t VALUES (1, NULL), (2, ''), (3, 'a,b\n\"c\"'), (4, ' x ')")
    for options in ("", "WITH (NULLS = 'NA')", "WITH (DELIMITER = ';', HEADER = OFF)"):
        db.execute(f"COPY t TO '{path}' {options}")
        before = db.execute("SELECT * FROM t ORDER BY i").fetchall()
        db.execute("DELETE FROM t")
        db.execute(f"COPY t FROM '{path}' {options}")
        assert db.execute("SELECT * FROM t ORDER BY i").fetchall() == before, options


def test_reading_ahead_hands_on_errors_and_stops() -> None:
    def numbers() -> Iterator[int]:
        yield from range(10)
        raise FileFault("broken")

    taken = []
    with pytest.raises(FileFault):
        for number in ahead(numbers()):
            taken.append(number)
    assert taken == list(range(10))
    endless = ahead(iter(range(10**9)))
    assert next(endless) == 0
    endless.close()  # type: ignore[attr-defined]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1, 100))
    monkeypatch.setattr("hartonomous.hql.copying.progress.time.monotonic", lambda: next(clock))
    quiet, shown = io.StringIO(), Terminal()
    for stream in (quiet, shown):
        progress = Progress("COPY f", stream)
        progress.update(500, 0.5)
        progress.close()
    assert quiet.getvalue() == ""
    assert "COPY f  500 rows" in shown.getvalue()
    assert "50 %" in shown.getvalue()
    assert shown.getvalue().endswith("\r")


def test_half_a_character_in_json(db: Any, tmp_path: Path) -> None:
    db.execute("CREATE TABLE t (a INT, b NVARCHAR(20))")
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1, "b": "\\ud83d\\ude00"}\n{"a": 2, "b": "\\ud800"}\n')
    with pytest.raises(ExecutionFault, match='row 2, column "b": half of a surrogate'):
        db.execute("COPY t FROM @p", {"p": str(path)})
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}]\n[{"a": 2}]', "goes on after the end of the array"),
        ('{"a": 1}\n{"a": ' + "9" * 5_000 + "}", "row 2: a number has too many digits"),
        ('{"a": 1}\n{"a": ' + "[" * 200_000, "row 2: it nests too deep"),
    ],
)
def test_json_that_is_none(db: Any, tmp_path: Path, text: str, message: str) -> None:
    db.execute("CREATE TABLE t (a INT)")
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(Error, match=message):
        db.execute("COPY t FROM @p", {"p": str(path)})
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_decimals_beyond_their_digits(db: Any, tmp_path: Path) -> None:
    """Arrow's CSV parser checks the scale of a decimal and not its precision."""
    db.execute("CREATE TABLE t (a INT, b DECIMAL(5, 2))")
    path = tmp_path / "f.csv"
    path.write_text("a,b\n1,-999.99\n2,\n3,999.99\n4,-1000\n5,1\n")
    with pytest.raises(ExecutionFault, match='row 4, column "b": -1000.00 is out of range'):
        db.execute("COPY t FROM @p", {"p": str(path)})
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]
    path.write_text("a,b\n1,-999.99\n2,\n3,999.99\n")
    assert db.execute("COPY t FROM @p", {"p": str(path)}).rowcount == 3
