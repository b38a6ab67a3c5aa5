"""Python's door: rows and Arrow out, transactions, errors, limits, threads, cancelling."""

from __future__ import annotations

import datetime
import decimal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from asides import cancel_until_it_ends

from hartonomous import hql
from hartonomous.hql import errors
from hartonomous.storage.errors import Cancelled, Conflict, Error, ReadOnly


@pytest.fixture
def db() -> Iterator[Any]:
    with hql.connect() as connection:
        yield connection


# --- rows ----------------------------------------------------------------------------------------


def test_rows_come_as_python_values(db: Any) -> None:
    cursor = db.execute(
        "SELECT 1 AS a, 1.50 AS b, 1e0 AS c, N'ä' AS d, 0x00FF AS e, CAST(NULL AS INT) AS f,"
        " CAST('2024-02-29' AS DATE) AS g, CAST(1 AS BIT) AS h, [1, 2.5] AS i,"
        " CAST('01234567-89ab-cdef-0123-456789abcdef' AS UNIQUEIDENTIFIER) AS j"
    )
    (row,) = cursor.fetchall()
    assert row[:8] == (
        1,
        decimal.Decimal("1.50"),
        1.0,
        "ä",
        b"\x00\xff",
        None,
        datetime.date(2024, 2, 29),
        True,
    )
    assert np.array_equal(row[8], np.array([1, 2.5], np.float32))
    assert row[9] == uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
    assert cursor.fetchone() is None


def test_fetching_piece_by_piece(db: Any) -> None:
    cursor = db.execute("SELECT value FROM GENERATE_SERIES(1, 10) ORDER BY value")
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(3) == [(3,), (4,), (5,)]
    assert [row for (row,) in cursor] == [6, 7, 8, 9, 10]
    assert cursor.fetchall() == []


def test_description_names_types(db: Any) -> None:
    cursor = db.execute("SELECT 1 AS a, CAST(2 AS DECIMAL(9, 2)) AS b, [1, 2] AS v")
    assert [column[:2] for column in cursor.description] == [
        ("a", "INT"),
        ("b", "DECIMAL(9,2)"),
        ("v", "VECTOR(2)"),
    ]
    assert cursor.description[1][4:6] == (9, 2)
    assert db.execute("CREATE TABLE t (a INT)").description is None


def test_arrow_has_the_declared_types(db: Any) -> None:
    table = db.execute("SELECT CAST(1 AS TINYINT) AS a, [1, 2, 3] AS v").fetch_arrow_table()
    assert table.schema == pa.schema([("a", pa.int8()), ("v", pa.list_(pa.float32(), 3))])
    reader = db.execute("SELECT 1 AS a UNION ALL SELECT 2").fetch_record_batches()
    assert isinstance(reader, pa.RecordBatchReader)
    assert sorted(reader.read_all().column("a").to_pylist()) == [1, 2]


def test_nextset_walks_over_the_results_that_have_rows(db: Any) -> None:
    cursor = db.execute("CREATE TABLE t (a INT); SELECT 1; INSERT INTO t VALUES (1), (2); SELECT 2")
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(2,)]
    assert cursor.nextset() is None
    with pytest.raises(errors.InterfaceFault):
        cursor.fetchall()


def test_rowcount(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    assert db.execute("INSERT INTO t VALUES (1), (2), (3)").rowcount == 3
    assert db.execute("UPDATE t SET a = 0 WHERE a > 1").rowcount == 2
    assert db.execute("DELETE FROM t OUTPUT deleted.a WHERE a = 1").rowcount == 1
    assert db.execute("CREATE TABLE u (a INT)").rowcount == -1


def test_messages(db: Any) -> None:
    cursor = db.execute("PRINT 'one'; PRINT 'two'; SELECT 1")
    assert cursor.messages == ["one", "two"]
    with pytest.raises(Error):
        cursor.execute("PRINT 'before'; SELECT nothing")
    assert cursor.messages == ["before"]


def test_lastrowid_is_the_last_identity(db: Any) -> None:
    db.execute("CREATE TABLE t (id INT IDENTITY, a INT)")
    assert db.execute("INSERT INTO t (a) VALUES (1), (2)").lastrowid == 2
    assert db.execute("SELECT 1").lastrowid is None


# --- transactions --------------------------------------------------------------------------------


def test_transaction_block(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    with db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("INSERT INTO t VALUES (2)")
        raise ZeroDivisionError
    assert not db.in_transaction
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_without_autocommit_a_transaction_begins_by_itself(tmp_path: Path) -> None:
    with hql.connect(tmp_path / "d", autocommit=False) as db, hql.connect(tmp_path / "d") as other:
        db.execute("CREATE TABLE t (a INT)")
        db.commit()
        db.execute("INSERT INTO t VALUES (1)")
        assert other.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]
        db.rollback()
        db.execute("INSERT INTO t VALUES (2)")
        db.commit()
        assert other.execute("SELECT a FROM t").fetchall() == [(2,)]
    db = hql.connect()
    db.commit()  # without a transaction nothing happens
    db.rollback()
    db.close()


def test_a_connection_that_is_left_commits_or_undoes(tmp_path: Path) -> None:
    with hql.connect(tmp_path, autocommit=False) as db:
        db.execute("CREATE TABLE t (a INT)")
    with pytest.raises(ZeroDivisionError), hql.connect(tmp_path, autocommit=False) as db:
        db.execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError
    with hql.connect(tmp_path) as db:
        assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_conflicts_say_that_they_can_be_retried(tmp_path: Path) -> None:
    with hql.connect(tmp_path) as one, hql.connect(tmp_path) as two:
        one.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
        one.execute("BEGIN TRAN; UPDATE t SET a = 2")
        two.execute("BEGIN TRAN; UPDATE t SET a = 3")
        one.commit()
        with pytest.raises(Conflict, match="again") as caught:
            two.commit()
        assert caught.value.retry
        assert not two.in_transaction


def test_statements_that_stand_alone_are_tried_again(tmp_path: Path) -> None:
    """Four threads add to one counter; no addition may be lost."""
    with hql.connect(tmp_path) as db:
        db.execute("CREATE TABLE t (n INT); INSERT INTO t VALUES (0)")

        def add() -> None:
            with hql.connect(tmp_path) as mine:
                done = 0
                while done < 5:
                    try:
                        mine.execute("UPDATE t SET n = n + 1")
                        done += 1
                    except Conflict:
                        continue

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.execute("SELECT n FROM t").fetchall() == [(20,)]


def test_an_open_stream_keeps_its_snapshot(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")
    db.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(200_000)])
    cursor = db.execute("SELECT a FROM t")
    reader = cursor.fetch_record_batches()
    first = reader.read_next_batch()
    db.execute("DELETE FROM t")
    rest = reader.read_all()
    assert first.num_rows + rest.num_rows == 200_000
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


# --- errors and limits ---------------------------------------------------------------------------


def test_errors_have_places_in_the_whole_text(db: Any) -> None:
    with pytest.raises(errors.BindFault) as caught:
        db.execute("SELECT 1;\nSELECT 2;\n  SELECT nothing")
    assert (caught.value.code, caught.value.line, caught.value.column) == ("UNKNOWN_COLUMN", 3, 10)


def test_an_error_leaves_the_connection_usable(db: Any) -> None:
    for text in ("SELEC", "SELECT nothing", "SELECT 1 / 0", "COMMIT", "DROP TABLE nothing"):
        with pytest.raises(Error):
            db.execute(text).fetchall()
    assert db.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.embedded  # what an error's cause was stays at the server
def test_our_bugs_close_the_session(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hartonomous.hql.statements.truncate_table import TruncateTable

    db.execute("CREATE TABLE t (a INT)")
    monkeypatch.setattr(TruncateTable, "run", lambda self, context: {}["missing"])
    with pytest.raises(errors.InternalFault, match="KeyError") as caught:
        db.execute("TRUNCATE TABLE t")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(errors.TransactionFault):
        db.execute("SELECT 1")


SLOW = (
    "SELECT COUNT(*) FROM GENERATE_SERIES(1, 3000000) AS a"
    " CROSS JOIN GENERATE_SERIES(1, 3000000) AS b WHERE a.value + b.value < 0"
)


def test_time_limit() -> None:
    with hql.connect(timeout=0.2) as db:
        started = time.monotonic()
        with pytest.raises(Cancelled) as caught:
            db.execute(SLOW).fetchall()
        assert caught.value.code == "TIMEOUT"
        assert time.monotonic() - started < 20
        assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_time_limit_of_a_statement(db: Any) -> None:
    with pytest.raises(Cancelled) as caught:
        db.execute(SLOW + " OPTION (TIMEOUT '100ms')").fetchall()
    assert caught.value.code == "TIMEOUT"


def test_cancel_from_another_thread(db: Any) -> None:
    error = cancel_until_it_ends(db, lambda: db.execute(SLOW).fetchall())
    assert error is not None and error.code == "CANCELLED"
    assert db.execute("SELECT 1").fetchall() == [(1,)]


def test_threads_take_turns_on_one_connection(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")

    def work(number: int) -> None:
        for i in range(20):
            db.execute("INSERT INTO t VALUES (?)", [number * 100 + i])
            assert db.execute("SELECT 1").fetchall() == [(1,)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.execute("SELECT COUNT(DISTINCT a) FROM t").fetchall() == [(80,)]


# --- connecting ----------------------------------------------------------------------------------


def test_read_only(tmp_path: Path) -> None:
    with hql.connect(tmp_path) as db:
        db.execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)")
    with hql.connect(tmp_path, read_only=True) as db:
        assert db.read_only
        assert db.execute("SELECT a FROM t").fetchall() == [(1,)]
        with pytest.raises(ReadOnly):
            db.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(ReadOnly):
            db.execute("CREATE TABLE u (a INT)")
        db.execute("SELECT a INTO #mine FROM t")
        assert db.execute("SELECT a FROM #mine").fetchall() == [(1,)]


@pytest.mark.embedded
def test_options_of_servers_are_refused_where_there_is_none() -> None:
    with pytest.raises(errors.InterfaceFault):
        hql.connect(":memory:", token="x")


def test_cancel_reaches_a_stream_that_is_read_after_other_statements(db: Any) -> None:
    pairs = "SELECT a.value, b.value AS c FROM GENERATE_SERIES(1, 300000) AS a, "
    stream = db.execute(pairs + "GENERATE_SERIES(1, 300000) AS b").fetch_record_batches()
    db.execute("SELECT 1").fetchall()

    def read() -> None:
        for _, _ in zip(range(20_000), stream, strict=False):
            pass

    error = cancel_until_it_ends(db, read)
    assert error is not None and error.code == "CANCELLED"


def test_cancel_reaches_executemany(db: Any) -> None:
    db.execute("CREATE TABLE t (a INT)")

    def endless() -> Iterator[tuple[int]]:
        for i in range(10_000_000):
            if i == 100_000:
                db.cancel()
            yield (i,)

    with pytest.raises(Cancelled):
        db.executemany("INSERT INTO t VALUES (?)", endless())
    assert db.execute("SELECT COUNT(*) FROM t").fetchall() == [(0,)]


def test_closed(db: Any) -> None:
    cursor = db.execute("SELECT 1")
    cursor.close()
    with pytest.raises(Error):
        cursor.fetchall()
    db.close()
    db.close()
    with pytest.raises(Error):
        db.execute("SELECT 1")
    with pytest.raises(Error):
        db.cursor()


def test_pep_249_names() -> None:
    assert (hql.apilevel, hql.threadsafety, hql.paramstyle) == ("2.0", 2, "named")
    with pytest.raises(AttributeError):
        hql.nothing  # noqa: B018


def test_closing_ends_open_streams(tmp_path: Path) -> None:
    db = hql.connect(tmp_path)
    db.execute("CREATE TABLE t (a INT)")
    db.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(100_000)])
    cursor = db.execute("SELECT a FROM t")
    assert cursor.fetchone() is not None
    db.close()
    with pytest.raises(Error, match="closed"):
        cursor.fetchall()
    with hql.connect(tmp_path) as again:  # the folder was let go
        assert again.execute("SELECT COUNT(*) FROM t").fetchall() == [(100_000,)]


@pytest.mark.embedded
@pytest.mark.parametrize("name", hql.__all__)
def test_what_the_module_offers_is_there(name: str) -> None:
    assert getattr(hql, name) is not None
