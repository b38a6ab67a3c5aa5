"""Queries that a reader's process may answer for the writer's, and those that it must not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.store_tools import commit, rows, with_table

from hartonomous import hql
from hartonomous.hql.elsewhere import NotHere, ReadingSession
from hartonomous.storage.database import Database
from hartonomous.storage.errors import Cancelled, Error

SCHEMA = """
CREATE TABLE t (a INT PRIMARY KEY, b NVARCHAR(20), c AS a * 2);
INSERT INTO t (a, b) VALUES (1, 'one'), (2, 'two'), (3, NULL);
CREATE TABLE children (id INT, parent INT);
INSERT INTO children VALUES (10, 1), (11, 1), (12, 3);
CREATE VIEW plain AS SELECT a, b FROM t WHERE a > 1;
CREATE VIEW late AS SELECT a, NEWID() AS n FROM t;
CREATE VIEW schema_view AS SELECT name FROM sys.tables;
CREATE FUNCTION doubled(@n INT) RETURNS INT AS BEGIN RETURN @n * 2 END;
CREATE FUNCTION counted(@n INT) RETURNS INT AS
BEGIN DECLARE @i INT = 0; WHILE @i < @n SET @i = @i + 1; RETURN @i END;
CREATE MODEL m ARCHITECTURE llama(layers = 1, width = 8, heads = 2, kv_heads = 1, mlp = 8,
  vocabulary = 256, context = 16) WITH (SEED = 1, TOKENIZER = 'bytes');
CREATE TAG beginning;
CREATE BRANCH other;
"""

#: each may run in any process
ANYWHERE = (
    "SELECT * FROM t",
    "SELECT b FROM t WHERE a = @n",
    "SELECT TOP (2) a, c FROM t ORDER BY a DESC",
    "WITH x AS (SELECT a FROM t) SELECT COUNT(*) FROM x",
    "SELECT t.a, n.id FROM t LEFT JOIN children n ON n.parent = t.a",
    "SELECT a FROM t UNION ALL SELECT id FROM children",
    "SELECT a FROM t WHERE EXISTS (SELECT * FROM children WHERE parent = a)",
    "SELECT b, COUNT(*) FROM t GROUP BY b",
    "SELECT a, ROW_NUMBER() OVER (ORDER BY a) FROM t",
    "SELECT * FROM plain",
    "SELECT dbo.doubled(a) FROM t",
    "SELECT value FROM GENERATE_SERIES(1, 3)",
    "SELECT a FROM t FOR JSON PATH",
    "SELECT VECTOR_DISTANCE('cosine', [1, 2], [3, 4])",
    "SELECT a FROM t OPTION (TIMEOUT '5s')",
    "SELECT a FROM t FOR SYSTEM_TIME AS OF COMMIT 'beginning'",
    "VALUES (1), (2)",
)

#: each with a piece of the reason
HERE = (
    ("SELECT NEWID()", "time or chance"),
    ("SELECT a FROM t WHERE RAND() < 2", "time or chance"),
    ("SELECT a, GETDATE() FROM t", "time or chance"),
    ("SELECT a FROM t WHERE a IN (SELECT 1 WHERE GETDATE() > '2000-01-01')", "time or chance"),
    ("SELECT * FROM late", "time or chance"),
    ("SELECT dbo.counted(a) FROM t", "script"),
    ("SELECT @@ROWCOUNT", "session's"),
    ("SELECT a FROM t WHERE a > @@TRANCOUNT", "session's"),
    ("SELECT SCOPE_IDENTITY()", "session's"),
    ("SELECT name FROM sys.tables", "process"),
    ("SELECT * FROM schema_view", "process"),
    ("SELECT a FROM t WHERE a = (SELECT COUNT(*) FROM Commits)", "process"),
    ("SELECT * FROM TOKENIZE('m', 'x')", "model"),
    ("SELECT TensorName FROM TensorAtoms", "models"),
    ("SELECT COUNT(*) FROM TensorAtomCoefficients", "models"),
    ("SELECT a FROM t FOR SYSTEM_TIME AS OF GETDATE()", "moment"),
    ("SELECT a FROM t FOR SYSTEM_TIME AS OF '2999-01-01'", "moment"),
    ("SELECT a FROM t FOR SYSTEM_TIME AS OF BRANCH 'other'", "moment"),
    ("SELECT * FROM #mine", "UNKNOWN_TABLE"),
    ("SELECT * FROM nothing", "UNKNOWN_TABLE"),
    ("SELECT a FROM t WHERE a = @missing", "UNKNOWN_VARIABLE"),
    ("SELECT FROM t", "SYNTAX"),
    ("SELECT a FROM t; SELECT b FROM t", "more than one"),
    ("", "more than one"),
    ("SELECT a INTO u FROM t", "changes"),
    ("DECLARE @n INT", "no query"),
    ("INSERT INTO t (a) VALUES (9)", "no query"),
    ("DELETE FROM t", "no query"),
    ("EXPLAIN SELECT a FROM t", "no query"),
    ("BEGIN TRAN", "no query"),
    ("USE BRANCH other", "no query"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("elsewhere") / "db"
    with hql.connect(path) as db:
        db.execute(SCHEMA)
        yield path


@pytest.fixture
def reader(folder: Path) -> Iterator[ReadingSession]:
    session = ReadingSession.open(str(folder))
    yield session
    session.close()


@pytest.mark.parametrize("text", ANYWHERE)
def test_what_any_process_may_answer(folder: Path, reader: ReadingSession, text: str) -> None:
    parameters = {"n": 2}
    found = reader.query(text, parameters)
    assert not isinstance(found, NotHere), found
    with hql.connect(folder) as db:
        assert found.to_table().equals(db.execute(text, parameters).fetch_arrow_table())


@pytest.mark.parametrize(("text", "reason"), HERE)
def test_what_only_the_writer_answers(reader: ReadingSession, text: str, reason: str) -> None:
    for _ in range(2):  # the second time by what was kept
        found = reader.query(text)
        assert isinstance(found, NotHere) and reason in str(found), found


def test_views_are_looked_at_as_they_are_now(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE VIEW v AS SELECT 1 AS n")
        session = ReadingSession.open(str(tmp_path / "db"))
        assert not isinstance(session.query("SELECT * FROM v"), NotHere)
        db.execute("DROP VIEW v; CREATE VIEW v AS SELECT RAND() AS n")
        assert isinstance(session.query("SELECT * FROM v"), NotHere)
        db.execute("DROP VIEW v; CREATE VIEW v AS SELECT 2 AS n")
        found: Any = session.query("SELECT * FROM v")
        assert found.to_table().to_pylist() == [{"n": 2}]
        session.close()


def test_the_commit_that_was_read_is_known(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "db") as db:
        db.execute("CREATE TABLE t (a INT); CREATE BRANCH b; INSERT INTO t VALUES (1)")
        session = ReadingSession.open(str(tmp_path / "db"))
        database = db.session.database
        session.query("SELECT a FROM t")
        assert database.shows("main", session.sequence)
        assert not database.shows("main", session.sequence + 1)
        session.use_branch("b")
        session.query("SELECT a FROM t")
        assert session.sequence == database.branch("b").sequence
        session.close()


def test_errors_of_values_are_the_querys(reader: ReadingSession) -> None:
    with pytest.raises(Error) as caught:
        reader.query("SELECT 1 / (a - 1) FROM t")
    assert (caught.value.code, caught.value.line, caught.value.column) == ("DIVISION_BY_ZERO", 1, 8)


def test_a_stop_that_comes_first_counts(reader: ReadingSession) -> None:
    text = "SELECT COUNT(*) FROM GENERATE_SERIES(1, 100000) a CROSS JOIN GENERATE_SERIES(1, 100000)"
    reader.stop()
    with pytest.raises(Cancelled):
        reader.query(text)
    reader.allow()
    timer = threading.Timer(0.05, reader.stop)
    timer.start()
    with pytest.raises(Cancelled):
        reader.query(text)
    timer.join()
    reader.allow()
    assert not isinstance(reader.query("SELECT a FROM t"), NotHere)


# --- waiting for the writer's log ----------------------------------------------------------------


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    writer = Database.open(tmp_path / "db")
    reader = Database.open(tmp_path / "db", read_only=True)
    yield writer, reader
    reader.close()
    writer.close()


def test_positions_cover_what_a_snapshot_shows(both: tuple[Database, Database]) -> None:
    writer, reader = both
    table = with_table(writer, (1, "a"))
    for n in range(2, 8):
        mine = writer.begin()
        mine.insert(table.id, rows((n, None)))
        commit(mine)
        if n % 3 == 0:
            writer.checkpoint()
        assert reader.wait_until(writer.position, 0.0)
        assert reader.snapshot().sequence == writer.snapshot().sequence
        assert reader.position >= writer.position
        assert reader.shows("main", writer.snapshot().sequence)
    writer.create_branch("b")
    assert reader.wait_until(writer.position, 0.0)
    assert reader.branch("b").name == "b"


def test_what_is_not_written_yet_is_waited_for(both: tuple[Database, Database]) -> None:
    writer, reader = both
    table = with_table(writer, (1, "a"))
    wanted = writer.position + 1
    assert not reader.wait_until(wanted, 0.02)

    def add() -> None:
        mine = writer.begin()
        mine.insert(table.id, rows((2, None)))
        commit(mine)

    timer = threading.Timer(0.05, add)
    timer.start()
    assert reader.wait_until(wanted, 10.0)
    timer.join()
    assert reader.snapshot().view(table.id).row_count == 2


def test_a_new_file_of_the_log_is_reached(both: tuple[Database, Database]) -> None:
    """A writer that has begun a new file, and no checkpoint yet that names it."""
    writer, reader = both
    with_table(writer, (1, "a"))
    assert writer.wal is not None
    writer.wal.start_file()
    assert reader.wait_until(writer.position, 0.0)
    assert reader.verify() == []


def test_in_memory_there_is_nothing_to_wait_for() -> None:
    database = Database.open(None)
    with_table(database, (1, "a"))
    assert database.position == 0 and database.wait_until(0, 0.0)
    database.close()
