"""What a text would give, said before it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hartonomous import hql
from hartonomous.hql.errors import BindFault, SyntaxFault
from hartonomous.hql.forecast import forecast
from hartonomous.hql.session import Session
from hartonomous.hql.types import DATE, INT


@pytest.fixture
def session() -> Iterator[Session]:
    with hql.connect() as db:
        db.execute(
            "CREATE TABLE t (id INT PRIMARY KEY IDENTITY, name NVARCHAR(20), v VECTOR(3), d DATE)"
        )
        yield db.session


@pytest.mark.parametrize(
    ("text", "columns", "parameters"),
    [
        ("SELECT id, name FROM t WHERE id = @1 AND name LIKE @2", "id INT, name NVARCHAR(20)",
         "INT, NVARCHAR"),
        ("SELECT TOP (@1) id FROM t WHERE d > @2", "id INT", "BIGINT, DATE"),
        ("SELECT id FROM t LIMIT @1 OFFSET @2", "id INT", "BIGINT, BIGINT"),
        ("SELECT @1 AS a", "a NVARCHAR", "NVARCHAR"),
        ("SELECT VECTOR_DISTANCE('dot', v, @1) AS x FROM t", "x FLOAT", "VECTOR(3)"),
        ("SELECT name FROM t WHERE d IN (SELECT @1 FROM t WHERE id = @2)", "name NVARCHAR(20)",
         "DATE, INT"),
        ("INSERT INTO t (name, d) VALUES (@1, @2)", None, "NVARCHAR(20), DATE"),
        ("INSERT INTO t (d) OUTPUT inserted.id, inserted.d VALUES (@1)", "id INT, d DATE", "DATE"),
        ("INSERT INTO t (name) SELECT name FROM t WHERE id = @1", None, "INT"),
        ("UPDATE t SET name = @1", None, "NVARCHAR"),
        ("SELECT id INTO #u FROM t WHERE id = @1", None, "NVARCHAR"),
        ("CREATE TABLE u (a INT)", None, ""),
        ("", None, ""),
    ],
)  # fmt: skip
def test_what_is_known(session: Session, text: str, columns: str | None, parameters: str) -> None:
    names = [str(i) for i in range(1, 3) if f"@{i}" in text]
    found = forecast(session, text, {}, names)
    assert found is not None
    shown = None if found.fields is None else ", ".join(f"{f.name} {f.type}" for f in found.fields)
    assert shown == columns
    assert ", ".join(str(found.parameters[name]) for name in names) == parameters
    # nothing ran
    assert session.execute("SELECT COUNT(*) FROM t")[0].to_table().to_pylist()[0] == {"count": 0}


@pytest.mark.parametrize("text", ["EXEC p", "SELECT 1; SELECT 2", "SHOW COMMITS", "MERGE INTO t "
    "USING t AS s ON t.id = s.id WHEN MATCHED THEN DELETE OUTPUT deleted.id;"])  # fmt: skip
def test_what_only_running_tells(session: Session, text: str) -> None:
    assert forecast(session, text, {}) is None


def test_types_that_are_given(session: Session) -> None:
    found = forecast(session, "SELECT @a + 1 AS x, @b AS y", {"a": INT, "b": DATE})
    assert found is not None and found.fields is not None
    assert [str(f.type) for f in found.fields] == ["INT", "DATE"]


def test_faults(session: Session) -> None:
    with pytest.raises(BindFault) as caught:
        forecast(session, "SELECT nope FROM t WHERE id = @1", {}, ["1"])
    assert (caught.value.code, caught.value.column) == ("UNKNOWN_COLUMN", 8)
    with pytest.raises(SyntaxFault):
        forecast(session, "SELECT FROM", {})
    assert session.in_transaction is False
