"""PEP 249's cursors, sentence by sentence: every test quotes what it holds the module to."""

from __future__ import annotations

from typing import Any

import pytest
from booze import SAMPLES

from hartonomous import hql


def test_description(filled: Any) -> None:
    """ "a sequence of 7-item sequences"; "This attribute will be None for operations that do not
    return rows or if the cursor has not had an operation invoked" """
    cursor = filled.cursor()
    assert cursor.description is None
    cursor.execute("UPDATE booze SET name = name")
    assert cursor.description is None
    cursor.execute("SELECT name, 1 AS n, CAST(1 AS DECIMAL(9, 2)) AS d FROM booze")
    assert [len(column) for column in cursor.description] == [7, 7, 7]
    assert [column[0] for column in cursor.description] == ["name", "n", "d"]
    assert cursor.description[0][1] == hql.STRING
    assert cursor.description[0][3] == 20
    assert cursor.description[2][4:6] == (9, 2)


def test_rowcount(db: Any) -> None:
    """ "The attribute is -1 in case no .execute*() has been performed [...] or the rowcount of the
    last operation cannot be determined" """
    cursor = db.cursor()
    assert cursor.rowcount == -1
    cursor.execute("CREATE TABLE t (a INT)")
    assert cursor.rowcount == -1
    cursor.execute("INSERT INTO t VALUES (1), (2)")
    assert cursor.rowcount == 2
    cursor.execute("SELECT a FROM t")
    assert cursor.rowcount in (-1, 2)
    cursor.fetchall()
    assert cursor.rowcount == 2
    cursor.execute("UPDATE t SET a = 3 WHERE a > 5")
    assert cursor.rowcount == 0


def test_callproc(db: Any) -> None:
    """ "The result of the call is returned as modified copy of the input sequence. Input
    parameters are left untouched, output and input/output parameters replaced"; "The procedure may
    also provide a result set as output" """
    db.execute(
        "CREATE PROCEDURE lower_of @in NVARCHAR(9), @out NVARCHAR(9) OUTPUT AS "
        "BEGIN SET @out = LOWER(@in); SELECT @in AS given END"
    )
    cursor = db.cursor()
    given = ["FOO", None]
    assert cursor.callproc("lower_of", given) == ["FOO", "foo"]
    assert given == ["FOO", None]
    assert cursor.fetchall() == [("FOO",)]
    assert cursor.callproc("dbo.lower_of", {"@out": None, "in": "BAR"}) == {
        "@out": "bar",
        "in": "BAR",
    }


def test_callproc_takes_names_of_parameters_only(db: Any) -> None:
    db.execute("CREATE TABLE kept (a INT); CREATE PROCEDURE p @a INT AS SELECT @a")
    for key in ("a = 1; DROP TABLE kept --", "a b", ""):
        with pytest.raises(hql.ProgrammingError):
            db.cursor().callproc("p", {key: 1})
    assert db.execute("SELECT COUNT(*) FROM kept").fetchall() == [(0,)]


@pytest.mark.parametrize("name", ["nothing", "p 1", "p; SELECT 1", "p @a", "", "p -- x\n 1"])
def test_callproc_takes_a_name_only(db: Any, name: str) -> None:
    db.execute("CREATE PROCEDURE p @a INT = 1 AS SELECT @a")
    with pytest.raises(hql.ProgrammingError):
        db.cursor().callproc(name)


def test_callproc_keeps_inputs_and_counts_arguments(db: Any) -> None:
    db.execute("CREATE PROCEDURE p @a INT, @b INT OUTPUT AS BEGIN SET @b += @a; SET @a = 0 END")
    assert db.cursor().callproc("p", (1, 2)) == [1, 3]
    for given in ([1], [1, 2, 3], {"a": 1}, {"a": 1, "b": 2, "c": 3}, ["x", 1], "ab"):
        with pytest.raises(hql.Error):
            db.cursor().callproc("p", given)


def test_close(db: Any) -> None:
    """ "The cursor will be unusable from this point forward" """
    cursor = db.execute("SELECT 1")
    cursor.close()
    for attempt in (
        cursor.fetchone,
        cursor.fetchall,
        cursor.nextset,
        lambda: cursor.execute("SELECT 1"),
    ):
        with pytest.raises(hql.InterfaceError) as caught:
            attempt()
        assert caught.value.code == "INTERFACE"


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("INSERT INTO booze VALUES (:beer)", {"beer": "Cooper's"}),
        ("INSERT INTO booze VALUES (@beer)", {"beer": "Cooper's"}),
        ("INSERT INTO booze VALUES (?)", ("Cooper's",)),
        ("INSERT INTO booze VALUES (?)", ["Cooper's"]),
    ],
)
def test_execute_with_parameters(db: Any, text: str, parameters: Any) -> None:
    """ "Parameters may be provided as sequence or mapping and will be bound to variables in the
    operation." """
    cursor = db.cursor()
    cursor.execute(text, parameters)
    assert cursor.rowcount == 1
    assert cursor.execute("SELECT name FROM booze").fetchall() == [("Cooper's",)]


@pytest.mark.parametrize("marks", [":beer", "@beer"])
def test_executemany(db: Any, marks: str) -> None:
    """ "execute it against all parameter sequences or mappings found in the sequence" """
    cursor = db.cursor()
    cursor.executemany(f"INSERT INTO booze VALUES ({marks})", [{"beer": n} for n in SAMPLES])
    assert cursor.rowcount == len(SAMPLES)
    cursor.executemany("INSERT INTO booze VALUES (?)", iter([["a"], ("b",)]))
    cursor.execute("SELECT COUNT(*) FROM booze")
    assert cursor.fetchone() == (7,)


def test_fetchone(filled: Any) -> None:
    """ "or None when no more data is available. An Error exception is raised if the previous call
    to .execute*() did not produce any result set or no call was issued yet." """
    cursor = filled.cursor()
    with pytest.raises(hql.Error):
        cursor.fetchone()
    cursor.execute("UPDATE booze SET name = name")
    with pytest.raises(hql.Error):
        cursor.fetchone()
    cursor.execute("SELECT name FROM booze WHERE name = 'Ouzo'")
    assert cursor.fetchone() == ("Ouzo",)
    assert cursor.fetchone() is None
    cursor.execute("SELECT name FROM booze WHERE name = 'none'")
    assert cursor.fetchone() is None


def test_fetchmany(filled: Any) -> None:
    """ "The number of rows to fetch per call is specified by the parameter. If it is not given, the
    cursor's arraysize determines the number of rows"; arraysize "defaults to 1" """
    cursor = filled.cursor()
    with pytest.raises(hql.Error):
        cursor.fetchmany(4)
    cursor.execute("SELECT name FROM booze ORDER BY name")
    assert cursor.arraysize == 1
    assert len(cursor.fetchmany()) == 1
    cursor.arraysize = 2
    assert len(cursor.fetchmany()) == 2
    assert len(cursor.fetchmany(10)) == 2
    assert cursor.fetchmany(4) == []
    cursor.execute("SELECT name FROM booze ORDER BY name")
    assert [row[0] for row in cursor.fetchmany(6)] == SAMPLES


def test_fetchall(filled: Any) -> None:
    """ "Fetch all (remaining) rows of a query result" """
    cursor = filled.cursor()
    with pytest.raises(hql.Error):
        cursor.fetchall()
    cursor.execute("SELECT name FROM booze ORDER BY name")
    cursor.fetchone()
    assert [row[0] for row in cursor.fetchall()] == SAMPLES[1:]
    assert cursor.fetchall() == []


def test_nextset(filled: Any) -> None:
    """ "discarding any remaining rows from the current set. If there are no more sets, the method
    returns None. Otherwise, it returns a true value" """
    cursor = filled.cursor()
    cursor.execute("SELECT COUNT(*) FROM booze; SELECT name FROM booze ORDER BY name")
    assert cursor.fetchone() == (5,)
    assert cursor.nextset()
    assert [row[0] for row in cursor.fetchmany(2)] == SAMPLES[:2]
    assert cursor.nextset() is None


def test_input_sizes(filled: Any) -> None:
    """ "Implementations are free to have this method do nothing" """
    cursor = filled.cursor()
    cursor.setinputsizes((25,))
    cursor.setoutputsize(1000)
    cursor.setoutputsize(2000, 0)
    cursor.execute("SELECT name FROM booze")
    assert cursor.fetchone() is not None
