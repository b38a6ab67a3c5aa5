"""Stored system tables: made when the first row comes, and by nobody who only reads."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hartonomous import hql
from hartonomous.hql import system_schema, system_tables
from hartonomous.hql.system_schema.behaviour import assignable, find_behaviour
from hartonomous.hql.types import parse_type
from hartonomous.storage.errors import Error, ReadOnly

INSERT = "INSERT INTO Atoms (Modality, CanonicalText) VALUES ('text', @text)"


def rows(connection: hql.Connection, text: str) -> list[Any]:
    return connection.execute(text).fetchall()


@pytest.mark.parametrize("name", system_schema.TABLES)
def test_definition(name: str) -> None:
    """The texts parse, their columns have types that can be stored, the names are taken."""
    stored, entry = system_schema.TABLES[name], system_schema.template(name)
    assert entry.name == stored.name and entry.id == 0
    assert system_schema.definition_of(entry) is stored
    for column in entry.columns:
        assert parse_type(column.type).arrow == column.arrow
    for form in (name, system_schema.singular(name)):
        assert system_schema.find_stored("dbo", form) is stored
        assert system_tables.is_reserved("dbo", form)
    assert system_schema.find_stored("other", name) is None
    assert find_behaviour(entry) is not None
    assert [c for c in assignable(entry) if c.name in stored.derived] == []


@pytest.mark.parametrize("name", system_schema.TABLES)
def test_reading_leaves_no_trace(name: str, tmp_path: Path) -> None:
    with hql.connect(tmp_path / "x.hdb") as connection:
        fields = [f.name for f in system_tables.SYSTEM_FIELDS[name]]
        table = connection.execute(f"SELECT * FROM {name}").fetch_arrow_table()
        assert table.num_rows == 0 and table.column_names == fields
        types = {f.name: f.type.arrow for f in system_tables.SYSTEM_FIELDS[name]}
        assert {f.name: f.type for f in table.schema} == types
        shown = f"SELECT object_id, row_count, is_system FROM sys.tables WHERE name = '{name}'"
        shown = shown.replace(f"'{name}'", f"'{system_schema.TABLES[name].name}'")
        assert rows(connection, shown) == [(None, 0, True)]
        assert rows(connection, "SELECT COUNT(*) FROM Commits") == [(0,)]


def test_readers_see_them_empty_and_filled(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "x.hdb") as writer:
        query = "SELECT COUNT(*), MAX(CanonicalText) FROM dbo.Atom"
        with hql.connect(tmp_path / "x.hdb", read_only=True) as reader:
            assert rows(reader, query) == [(0, None)]
            writer.execute(INSERT, {"text": "a cat"})
            assert rows(reader, query) == [(1, "a cat")]
            with pytest.raises(ReadOnly):
                reader.execute(INSERT, {"text": "a dog"})
        code = (
            "import sys; from hartonomous import hql; "
            "c = hql.connect(sys.argv[1], read_only=True); "
            f"print(c.execute({query!r}).fetchall())"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "x.hdb")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == "[(1, 'a cat')]\n"


def test_they_are_transactional_and_stay(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "x.hdb") as connection:
        connection.execute("BEGIN TRAN")
        connection.execute(INSERT, {"text": "a cat"})
        connection.execute("SAVE TRAN s")
        connection.execute(INSERT, {"text": "a dog"})
        connection.execute("ROLLBACK TRAN s")
        assert rows(connection, "SELECT CanonicalText FROM Atoms") == [("a cat",)]
        connection.execute("ROLLBACK")
        assert rows(connection, "SELECT object_id FROM sys.tables WHERE name = 'Atoms'") == [
            (None,)
        ]
        connection.execute(INSERT, {"text": "a bird"})
        connection.execute("CREATE VIEW v AS SELECT CanonicalText FROM Atoms")
    with hql.connect(tmp_path / "x.hdb") as connection:
        assert rows(connection, "SELECT * FROM v") == [("a bird",)]
        assert rows(connection, "VERIFY DATABASE") == []
        # a view of before there was a row, and a plan that was kept
        connection.execute("CREATE VIEW e AS SELECT COUNT(*) AS n FROM AtomEmbeddings")
        assert rows(connection, "SELECT n FROM e") == [(0,)]


def test_a_kept_plan_sees_the_first_row() -> None:
    with hql.connect(":memory:") as connection:
        query = "SELECT CanonicalText FROM Atoms"
        assert rows(connection, query) == []
        connection.execute(INSERT, {"text": "a cat"})
        assert rows(connection, query) == [("a cat",)]


def test_two_sessions_make_a_table_at_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def run(text: str) -> None:
        try:
            with hql.connect(tmp_path / "x.hdb") as connection:
                connection.execute(INSERT, {"text": text})
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(f"text {i % 3}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with hql.connect(tmp_path / "x.hdb") as connection:
        assert rows(connection, "SELECT COUNT(*) FROM Atoms") == [(3,)]
        assert rows(connection, "SELECT COUNT(*) FROM AtomSources") == [(6,)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CREATE TABLE Atoms (a INT)", "BIND"),
        ("CREATE TABLE IF NOT EXISTS atom (a INT)", "BIND"),
        ("CREATE VIEW AtomSources AS SELECT 1 AS a", "BIND"),
        ("SELECT 1 AS a INTO IngestErrors", "BIND"),
        ("DROP TABLE Atoms", "READ_ONLY"),
        ("DROP TABLE IF EXISTS AtomEmbedding", "READ_ONLY"),
        ("ALTER TABLE Atoms ADD x INT", "READ_ONLY"),
        ("ALTER TABLE t RENAME TO Atoms", "BIND"),
        ("INSERT INTO AtomSources (AtomId) VALUES (1)", "READ_ONLY"),
        ("UPDATE IngestErrors SET Code = 'x'", "READ_ONLY"),
        ("DELETE FROM AtomEmbedding", "READ_ONLY"),
        ("TRUNCATE TABLE AtomSources", "READ_ONLY"),
        ("COPY IngestErrors FROM 'x.csv'", "READ_ONLY"),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_what_users_may_not_do(text: str, code: str, is_there: bool) -> None:
    with hql.connect(":memory:") as connection:
        connection.execute("CREATE TABLE t (a INT)")
        if is_there:
            connection.execute(INSERT, {"text": "a cat"})
        with pytest.raises(Error) as caught:
            connection.execute(text)
        assert caught.value.code == code, caught.value


def test_indexes_may_be_made() -> None:
    with hql.connect(":memory:") as connection:
        connection.execute("CREATE INDEX mine ON Atom (Subtype)")
        connection.execute(INSERT, {"text": "a cat"})
        shown = "SELECT columns FROM sys.indexes WHERE name = 'mine'"
        assert rows(connection, shown) == [("Subtype",)]
        connection.execute("DROP INDEX mine ON Atoms")


def test_many_rows_at_once() -> None:
    """executemany, an Arrow table, and duplicates in all of them."""
    with hql.connect(":memory:") as connection:
        texts = [{"text": f"text {i % 70}"} for i in range(100)]
        connection.executemany(INSERT, texts)
        given = pa.table({"m": ["text"] * 200, "t": [f"text {i % 140}" for i in range(200)]})
        done = connection.execute(
            "INSERT INTO Atoms (Modality, CanonicalText) SELECT m, t FROM @rows", {"rows": given}
        )
        assert done.rowcount == 200
        assert rows(connection, "SELECT COUNT(*), MAX(AtomId) FROM Atoms") == [(140, 140)]
        assert rows(connection, "SELECT COUNT(*) FROM AtomSources") == [(300,)]
