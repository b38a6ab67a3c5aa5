"""Variables of a batch, as golden scripts cannot show them: plans, row counts, GO, exact values."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql.parameters import ParameterSet
from hartonomous.hql.scripts.frame import Frame
from hartonomous.hql.shell.running import run_script
from hartonomous.hql.types import parse_type
from hartonomous.storage.errors import Error


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


#: a type, and values at its edges
VALUES: list[tuple[str, list[Any]]] = [
    ("TINYINT", [-128, 127]),
    ("BIGINT", [-(2**63), 2**63 - 1]),
    ("BIT", [True, False]),
    ("REAL", [float(np.float32(0.1)), float("inf")]),
    ("FLOAT", [5e-324, -1.7976931348623157e308, float("-inf")]),
    ("DECIMAL(38,10)", [Decimal("1234567890123456789012345678.0123456789"), Decimal("0E-10")]),
    ("DECIMAL(38,0)", [Decimal(10**38 - 1)]),
    ("NVARCHAR(4)", ["", " ä\n'", "🦊" * 4]),
    ("VARBINARY(MAX)", [b"", bytes(range(256))]),
    ("DATE", [dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    ("TIME", [dt.time(23, 59, 59, 999999)]),
    ("DATETIME2", [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)]),
    ("DATETIMEOFFSET", [dt.datetime(2024, 2, 29, 1, 2, 3, 4, dt.UTC)]),
    ("UNIQUEIDENTIFIER", [uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)]),
    ("JSON", ['{"a":[1,null]}']),
    ("VECTOR(2)", [np.array([0.1, -0.0], np.float32)]),
    ("GEOMETRY", [hql.Geometry.from_wkt("BUFFER (1.5, LINESTRING Z (0 0 0, 1 2 3))", srid=7)]),
]


@pytest.mark.parametrize(("type_", "values"), VALUES, ids=[t for t, _ in VALUES])
def test_values_stay_what_they_are(db: Any, type_: str, values: list[Any]) -> None:
    """Into a variable, to another, into a column by every way, and back."""
    db.execute(f"CREATE TABLE t (x {type_})")
    for value in [*values, None]:
        shown = db.execute(
            f"DECLARE @x {type_} = @given; DECLARE @y {type_}; SET @y = @x; SELECT @x = @y; "
            "INSERT INTO t VALUES (@x); INSERT INTO t SELECT @y; SELECT x FROM t UNION ALL "
            "SELECT @x; DELETE FROM t",
            {"given": value},
        ).fetchall()
        assert [repr(row[0]) for row in shown] == [repr(value)] * 3


def test_a_declared_type_holds_whatever_the_value(db: Any) -> None:
    """A variable is not what its value looks like in Python: an INSERT converts from its type."""
    db.execute("CREATE TABLE t (b VARBINARY(16), i INT, d DATE)")
    batch = "DECLARE @x {} = {}; INSERT INTO t ({}) VALUES (@x); SELECT {} FROM t; DELETE FROM t"
    assert db.execute(batch.format("FLOAT", "2.7", "i", "i")).fetchall() == [(2,)]
    assert db.execute(batch.format("JSON", "'3'", "i", "i")).fetchall() == [(3,)]
    key = uuid.uuid4()
    got = db.execute(batch.format("UNIQUEIDENTIFIER", f"'{key}'", "b", "b")).fetchall()
    assert got == [(key.bytes,)]


def test_plans_are_made_once(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hartonomous.hql import queries

    made: list[Any] = []
    bind = queries._bind
    monkeypatch.setattr(queries, "_bind", lambda *a: made.append(a) or bind(*a))
    text = "DECLARE @a INT = @n, @b INT = @a; SET @b += 1; SELECT @a = @b; SELECT @a"
    for value in (1, 2, 3):
        assert db.execute(text, {"n": value}).fetchall() == [(value + 1,)]
    assert len(made) == 5
    db.execute(text, {"n": 1.5})
    assert len(made) == 10, "another type is another plan"


def test_they_have_no_row_count(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)")
    cursor = db.execute("DECLARE @a INT; SET @a = 1; SELECT @a = a FROM t")
    assert (cursor.rowcount, cursor.description, cursor.messages) == (-1, None, [])
    cursor = db.execute("DECLARE @a INT = 1; DELETE FROM t; SET @a = 2")
    assert cursor.rowcount == 2


def test_rows_that_were_asked_for_before_a_change_show_the_old_value(db: Any) -> None:
    results = db.session.results("DECLARE @a INT = 1; SELECT @a AS a; SET @a = 2; SELECT @a AS a")
    next(results)
    first, _, last = next(results), next(results), next(results)
    assert [r.to_table().column(0).to_pylist() for r in (first, last)] == [[1], [2]]


def test_each_set_of_parameters_is_its_own_batch(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    db.cursor().executemany("DECLARE @a INT = ?; INSERT INTO t VALUES (@a * 2)", [[1], [2]])
    assert db.execute("SELECT a FROM t ORDER BY a").fetchall() == [(2,), (4,)]


def test_a_script_forgets_them_at_go(db: Any) -> None:
    out = io.BytesIO()
    run_script(db, "DECLARE @a INT = @n;\nSELECT @a AS a;\nGO\n", {"n": 1}, "csv", out)
    assert out.getvalue().split() == [b"a", b"1"]
    with pytest.raises(Error, match="@a") as caught:
        run_script(db, "DECLARE @a INT = 1;\nGO\nSELECT 1 AS b;\nSELECT @a", None, "csv", out)
    assert (caught.value.code, caught.value.line) == ("UNKNOWN_VARIABLE", 4)


def test_a_declare_that_fails_declares_nothing(db: Any) -> None:
    frame = Frame(ParameterSet({"p": 1}))
    parameters = frame.parameters
    (prepared,) = db.session.prepare("DECLARE @a INT = @p, @b INT = 1 / 0")
    for _ in range(2):  # the second time @a would be there already
        with pytest.raises(Error, match="division by zero"):
            db.session.run(prepared, frame, [])
        assert parameters.variables == {}
        assert parameters.values == {"p": 1} and list(parameters.types) == ["p"]


def test_a_set_that_fails_changes_nothing(db: Any) -> None:
    frame = Frame()
    parameters = frame.parameters
    parameters.declare("a", parse_type("NVARCHAR(2)"), "ab")
    for text in ("SET @a = 'abc'", "SELECT @a = x FROM (VALUES ('b'), ('abc')) AS v (x)"):
        (prepared,) = db.session.prepare(text)
        with pytest.raises(Error, match="does not fit @a"):
            db.session.run(prepared, frame, [])
        assert parameters.values == {"a": "ab"}
    running = parameters.values  # what a query that still runs reads
    parameters.assign({"a": "cd"})
    assert (running, parameters.values) == ({"a": "ab"}, {"a": "cd"})


def test_a_parameter_table_keeps_its_name(db: Any) -> None:
    with pytest.raises(Error, match="@t is a parameter already"):
        db.execute("DECLARE @t INT", {"t": pa.table({"a": [1]})})
